using System.Text;
using Godwit.Linux.ControlGroups;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Machines;

/// <summary>Why a QEMU ended that should not have: how it ended, what the kernel did to it, and its own last words.</summary>
internal static class EndReason
{
    private const int WordsBytesMax = 1500;

    public static string Describe(ProcessExit? exit, MachineFiles files, ControlGroup group)
    {
        var reason = new StringBuilder("QEMU ").Append(exit is { } known ? known.ToString() : "ended while no agent watched");
        if (OutOfMemoryKills(group) > 0)
        {
            reason.Append("; the kernel killed it for its memory bound");
        }

        var words = LastWords(files.QemuLog);
        return words.Length == 0 ? reason.ToString() : reason.Append("; it said: ").Append(words).ToString();
    }

    /// <summary>The end of what QEMU wrote to its standard error.</summary>
    public static string LastWords(string logPath)
    {
        using var log = GuardedFile.TryOpenRead(logPath);
        if (log is null)
        {
            return "";
        }

        var length = RandomAccess.GetLength(log);
        var start = Math.Max(0, length - WordsBytesMax);
        var buffer = new byte[Math.Max(0, length - start)];
        var read = RandomAccess.Read(log, buffer, start);
        var text = Encoding.UTF8.GetString(buffer, 0, read).Trim();
        return string.Join(" / ", text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).TakeLast(5));
    }

    private static long OutOfMemoryKills(ControlGroup group)
    {
        try
        {
            return group.Exists ? group.ReadUsage().OutOfMemoryKills : 0;
        }
        catch (IOException)
        {
            return 0; // Removed in the meantime.
        }
    }
}
