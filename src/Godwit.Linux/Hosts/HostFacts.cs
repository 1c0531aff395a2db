using System.Globalization;

namespace Godwit.Linux.Hosts;

/// <summary>What this host has, read when asked.</summary>
public static class HostFacts
{
    /// <summary>Processors that are online.</summary>
    public static int CpuCount => Environment.ProcessorCount;

    /// <summary>The kernel's release, for example <c>6.1.0-18-amd64</c>.</summary>
    public static string KernelRelease => File.ReadAllText("/proc/sys/kernel/osrelease").Trim();

    /// <summary>All memory that the kernel manages, in bytes.</summary>
    public static long MemoryBytes => ReadMemory("MemTotal");

    /// <summary>The kernel's estimate of what new programs could have without swapping, in bytes.</summary>
    public static long MemoryAvailableBytes => ReadMemory("MemAvailable");

    /// <summary>Time that all processors together have worked since the host started: neither idle nor waiting for devices.</summary>
    public static TimeSpan BusyCpuTime => ParseBusyCpuTime(File.ReadLines("/proc/stat").First());

    /// <summary>The distribution in words, for example <c>Debian GNU/Linux 12 (bookworm)</c>.</summary>
    public static string OperatingSystem => File.Exists("/etc/os-release")
        ? File.ReadLines("/etc/os-release").FirstOrDefault(line => line.StartsWith("PRETTY_NAME=", StringComparison.Ordinal))?["PRETTY_NAME=".Length..].Trim('"') ?? "Linux"
        : "Linux";

    /// <summary>The identity of this installation (machine-id(5)), or the empty string.</summary>
    public static string MachineId => File.Exists("/etc/machine-id") ? File.ReadAllText("/etc/machine-id").Trim() : "";

    public static Guid BootId => Guid.Parse(File.ReadAllText("/proc/sys/kernel/random/boot_id").AsSpan().Trim());

    /// <summary>The model in the maker's words, and the features in the kernel's, sorted; of the first processor.</summary>
    public static (string Model, IReadOnlyList<string> Features) ReadCpu() => ParseCpu(File.ReadLines("/proc/cpuinfo"));

    /// <summary>Bytes that an unprivileged writer may still put on the file system of this path.</summary>
    public static long DiskAvailableBytes(string path) => new DriveInfo(Path.GetFullPath(path)).AvailableFreeSpace;

    internal static (string Model, IReadOnlyList<string> Features) ParseCpu(IEnumerable<string> lines)
    {
        var model = "";
        string[] features = [];
        foreach (var line in lines)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var key = colon < 0 ? line.Trim() : line[..colon].Trim();
            switch (key)
            {
                case "model name":
                    model = line[(colon + 1)..].Trim();
                    break;
                case "flags" or "Features":
                    features = line[(colon + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                    break;
                case "" when features.Length > 0:
                    Array.Sort(features, StringComparer.Ordinal);
                    return (model, features);
            }
        }

        Array.Sort(features, StringComparer.Ordinal);
        return (model, features);
    }

    /// <summary>The first line of <c>/proc/stat</c> (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal in hundredths of a second; guests' time is in the users' already.</summary>
    internal static TimeSpan ParseBusyCpuTime(string line)
    {
        const int firstField = 1, idle = 4, waiting = 5, fieldCount = 8, millisecondsPerTick = 10;
        var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var ticks = Enumerable.Range(firstField, fieldCount).Where(field => field is not (idle or waiting) && field < fields.Length)
            .Sum(field => long.TryParse(fields[field], NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0);
        return TimeSpan.FromMilliseconds(ticks * millisecondsPerTick);
    }

    private static long ReadMemory(string key)
    {
        foreach (var line in File.ReadLines("/proc/meminfo"))
        {
            if (line.StartsWith(key + ":", StringComparison.Ordinal)
                && line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var kilobytes, ..]
                && long.TryParse(kilobytes, NumberStyles.None, CultureInfo.InvariantCulture, out var value))
            {
                return value * 1024;
            }
        }

        throw new LinuxException($"read {key} from /proc/meminfo", Errno.ENODATA);
    }
}
