namespace Godwit.Real.Tests.Labs;

/// <summary>QEMU processes as the kernel lists them: the only witness that counts when two copies of a guest are in question.</summary>
internal static class QemuProcesses
{
    /// <summary>PIDs whose command line names the guest, or the folder; a zombie runs nothing and is left out.</summary>
    public static IReadOnlyList<int> Of(string displayName)
    {
        var found = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), out var processId) && Read(folder, "cmdline") is { } line
                && line.StartsWith("qemu-system", StringComparison.Ordinal) | line.Contains("/qemu-system", StringComparison.Ordinal)
                && Names(line, displayName) && Read(folder, "stat") is { } stat && !IsZombie(stat))
            {
                found.Add(processId);
            }
        }

        return found;
    }

    /// <summary><c>default/web-1</c> is not named by <c>default/web-10</c>.</summary>
    internal static bool Names(string line, string displayName)
    {
        for (var start = line.IndexOf(displayName, StringComparison.Ordinal); start >= 0; start = line.IndexOf(displayName, start + 1, StringComparison.Ordinal))
        {
            var end = start + displayName.Length;
            if (end == line.Length || !(char.IsAsciiLetterOrDigit(line[end]) || line[end] is '-' or '.'))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsZombie(string stat) => stat[(stat.LastIndexOf(')') + 2)..].StartsWith('Z');

    private static string? Read(string folder, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, file));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // It ended while we looked.
        }
    }
}
