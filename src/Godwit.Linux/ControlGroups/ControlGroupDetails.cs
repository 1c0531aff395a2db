using System.Globalization;

namespace Godwit.Linux.ControlGroups;

/// <summary>All that a group's counters tell. Times since it was made; what a version does not count is zero.</summary>
public sealed record ControlGroupDetails
{
    public long CpuNanoseconds { get; init; }

    public long CpuUserNanoseconds { get; init; }

    public long CpuKernelNanoseconds { get; init; }

    public long ThrottledPeriods { get; init; }

    public long ThrottledNanoseconds { get; init; }

    public long MemoryBytes { get; init; }

    public long MemoryPeakBytes { get; init; }

    public long InactiveFileBytes { get; init; }

    public long TaskCount { get; init; }

    public long BlockReadBytes { get; init; }

    public long BlockWriteBytes { get; init; }
}

/// <summary>Reads counters of both versions' files (the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst).</summary>
internal static class ControlGroupCounters
{
    private const long NanosecondsPerMicrosecond = 1000;
    private const long NanosecondsPerTick = 10_000_000;

    private static readonly string[] BlockCounters = ["blkio.throttle.io_service_bytes", "blkio.bfq.io_service_bytes"];

    /// <param name="layout">Where the controllers are.</param>
    /// <param name="name">The group.</param>
    internal static ControlGroupDetails ReadSeparate(ControlGroupLayout.Separate layout, string name)
    {
        var (memory, cpu, time, tasks) = (Folder("memory"), Folder("cpu"), Folder("cpuacct"), Folder("pids"));
        var blocks = layout.BlockIoPath is { } mounted ? Path.Combine(mounted, name) : "";
        return new ControlGroupDetails
        {
            CpuNanoseconds = Number(time, "cpuacct.usage"),
            CpuUserNanoseconds = Keyed(time, "cpuacct.stat", "user") * NanosecondsPerTick,
            CpuKernelNanoseconds = Keyed(time, "cpuacct.stat", "system") * NanosecondsPerTick,
            ThrottledPeriods = Keyed(cpu, "cpu.stat", "nr_throttled"),
            ThrottledNanoseconds = Keyed(cpu, "cpu.stat", "throttled_time"),
            MemoryBytes = Number(memory, "memory.usage_in_bytes"),
            MemoryPeakBytes = Number(memory, "memory.max_usage_in_bytes"),
            InactiveFileBytes = Keyed(memory, "memory.stat", "total_inactive_file"),
            TaskCount = Number(tasks, "pids.current"),
            BlockReadBytes = Blocks(blocks, "Read"),
            BlockWriteBytes = Blocks(blocks, "Write"),
        };

        string Folder(string controller) => layout.Paths.TryGetValue(controller, out var mount) ? Path.Combine(mount, name) : "";
    }

    internal static ControlGroupDetails ReadUnified(string folder) => new()
    {
        CpuNanoseconds = Keyed(folder, "cpu.stat", "usage_usec") * NanosecondsPerMicrosecond,
        CpuUserNanoseconds = Keyed(folder, "cpu.stat", "user_usec") * NanosecondsPerMicrosecond,
        CpuKernelNanoseconds = Keyed(folder, "cpu.stat", "system_usec") * NanosecondsPerMicrosecond,
        ThrottledPeriods = Keyed(folder, "cpu.stat", "nr_throttled"),
        ThrottledNanoseconds = Keyed(folder, "cpu.stat", "throttled_usec") * NanosecondsPerMicrosecond,
        MemoryBytes = Number(folder, "memory.current"),
        MemoryPeakBytes = Number(folder, "memory.peak"),
        InactiveFileBytes = Keyed(folder, "memory.stat", "inactive_file"),
        TaskCount = Number(folder, "pids.current"),
        BlockReadBytes = Lines(folder, "io.stat").Sum(line => Named(line, "rbytes=")),
        BlockWriteBytes = Lines(folder, "io.stat").Sum(line => Named(line, "wbytes=")),
    };

    private static long Number(string folder, string file) => Parse(Lines(folder, file).FirstOrDefault());

    private static long Keyed(string folder, string file, string key) =>
        Parse(Lines(folder, file).FirstOrDefault(line => line.StartsWith(key + " ", StringComparison.Ordinal))?[(key.Length + 1)..]);

    /// <summary>
    /// Lines <c>8:0 Read 4096</c>, one per device and kind. The throttling's own file counts nothing (Linux 6.1) for a device whose I/O of that kind has no bound in the group,
    /// and bfq's nothing for a device that has another scheduler: each tells all that there was, or less.
    /// </summary>
    private static long Blocks(string folder, string kind) => BlockCounters
        .SelectMany(file => Lines(folder, file)).Select(line => line.Split(' ')).Where(fields => fields.Length == 3 && fields[1] == kind)
        .GroupBy(fields => fields[0], StringComparer.Ordinal).Sum(device => device.Max(fields => Parse(fields[2])));

    private static long Named(string line, string name) => Parse(line.Split(' ').FirstOrDefault(field => field.StartsWith(name, StringComparison.Ordinal))?[name.Length..]);

    private static long Parse(string? text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0;

    private static string[] Lines(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        return folder.Length > 0 && File.Exists(path) ? File.ReadAllLines(path) : [];
    }
}
