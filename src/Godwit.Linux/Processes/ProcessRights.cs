using System.Globalization;

namespace Godwit.Linux.Processes;

/// <summary>What this process may do, and so the most that it may pass on to others.</summary>
/// <param name="BoundingCapabilities">A bit for each capability, by the kernel's numbers (capabilities(7)).</param>
/// <param name="HardLimits">By the name of getrlimit(2) without its prefix, in small letters; no bound is the greatest number.</param>
public sealed record ProcessRights(ulong BoundingCapabilities, IReadOnlyDictionary<string, ulong> HardLimits)
{
    /// <summary>The words of <c>/proc/PID/limits</c> for each limit.</summary>
    private static readonly Dictionary<string, string> LimitNames = new(StringComparer.Ordinal)
    {
        ["Max cpu time"] = "cpu",
        ["Max file size"] = "fsize",
        ["Max data size"] = "data",
        ["Max stack size"] = "stack",
        ["Max core file size"] = "core",
        ["Max resident set"] = "rss",
        ["Max processes"] = "nproc",
        ["Max open files"] = "nofile",
        ["Max locked memory"] = "memlock",
        ["Max address space"] = "as",
        ["Max file locks"] = "locks",
        ["Max pending signals"] = "sigpending",
        ["Max msgqueue size"] = "msgqueue",
        ["Max nice priority"] = "nice",
        ["Max realtime priority"] = "rtprio",
        ["Max realtime timeout"] = "rttime",
    };

    public static ProcessRights Read() => Parse(File.ReadAllText("/proc/self/status"), File.ReadAllText("/proc/self/limits"));

    internal static ProcessRights Parse(string status, string limits)
    {
        var bounding = status.Split('\n').FirstOrDefault(line => line.StartsWith("CapBnd:", StringComparison.Ordinal))?["CapBnd:".Length..].Trim() ?? "0";
        var hard = new Dictionary<string, ulong>(StringComparer.Ordinal);
        foreach (var line in limits.Split('\n'))
        {
            // The name is padded to 25 columns, then come the soft and the hard limit.
            if (line.Length > 26 && LimitNames.TryGetValue(line[..26].Trim(), out var name)
                && line[26..].Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var value, ..])
            {
                hard[name] = ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : ulong.MaxValue;
            }
        }

        return new ProcessRights(ulong.Parse(bounding, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture), hard);
    }
}
