using System.Globalization;

namespace Godwit.Linux.Processes;

/// <summary>What <c>/proc/PID/stat</c> says of a process (proc_pid_stat(5)).</summary>
/// <param name="State">The kernel's letter: R, S, D, T, Z (zombie), X (dead).</param>
/// <param name="StartTimeTicks">Clock ticks from boot to the process's start.</param>
/// <param name="CpuTicks">User and system time used so far, in clock ticks (a hundred a second on every Linux of today).</param>
/// <param name="Flags">The kernel's flags of it (<c>PF_…</c> of <c>linux/sched.h</c>).</param>
internal readonly record struct ProcessStat(char State, ulong StartTimeTicks, ulong CpuTicks, ulong Flags)
{
    private const ulong ExitingFlag = 0x4; // PF_EXITING

    private const int StateField = 3;
    private const int FlagsField = 9;
    private const int UserTimeField = 14;
    private const int SystemTimeField = 15;
    private const int StartTimeField = 22;

    internal bool IsDead => State is 'Z' or 'X';

    internal bool IsExiting => (Flags & ExitingFlag) != 0;

    internal static ProcessStat? Read(int processId)
    {
        try
        {
            return Parse(File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/stat")));
        }
        catch (IOException)
        {
            return null; // No such process, or it ended (ESRCH) between open and read.
        }
    }

    /// <summary>The second field is the program's own name in brackets and may hold spaces and brackets: fields are counted from the last one.</summary>
    internal static ProcessStat? Parse(string text)
    {
        var nameEnd = text.LastIndexOf(')');
        if (nameEnd < 0 || nameEnd + 2 > text.Length)
        {
            return null;
        }

        var fields = text[(nameEnd + 2)..].Split(' ');
        return fields.Length > StartTimeField - StateField
            && fields[0].Length == 1
            && TryField(fields, StartTimeField, out var start)
            && TryField(fields, FlagsField, out var flags)
            && TryField(fields, UserTimeField, out var user)
            && TryField(fields, SystemTimeField, out var system)
                ? new ProcessStat(fields[0][0], start, user + system, flags)
                : null;
    }

    private static bool TryField(string[] fields, int number, out ulong value) =>
        ulong.TryParse(fields[number - StateField], NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
