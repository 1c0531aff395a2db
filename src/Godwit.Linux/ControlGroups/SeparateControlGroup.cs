using System.Globalization;

namespace Godwit.Linux.ControlGroups;

/// <summary>A group of cgroup v1: a folder of the same name in each controller's hierarchy (the kernel's Documentation/admin-guide/cgroup-v1).</summary>
internal sealed class SeparateControlGroup(ControlGroupLayout.Separate layout, string name, TimeProvider time) : ControlGroup(name, time)
{
    /// <summary>v1 counts CPU weight in shares, and a group without a setting has 1024 of them where v2's weight is 100.</summary>
    private const long SharesOfWeight100 = 1024;

    private readonly IReadOnlyDictionary<string, string> mounts = layout.Paths;

    internal override IReadOnlyList<string> Folders { get; } = [.. layout.Paths.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(mount => Path.Combine(mount, name))];

    private protected override IEnumerable<string> Traces => Folders.Union(layout.Hierarchies.Select(mount => Path.Combine(mount, Name)));

    public override void SetLimits(ControlGroupLimits limits)
    {
        if (limits.MemoryBytes is { } memory)
        {
            Write(Folder("memory"), "memory.limit_in_bytes", memory.ToString(CultureInfo.InvariantCulture));
        }

        if (limits.CpuWeight is { } weight)
        {
            Write(Folder("cpu"), "cpu.shares", Math.Max(2, weight * SharesOfWeight100 / 100).ToString(CultureInfo.InvariantCulture));
        }

        if (limits.CpuCount is { } count)
        {
            Write(Folder("cpu"), "cpu.cfs_period_us", CpuPeriodMicroseconds.ToString(CultureInfo.InvariantCulture));
            Write(Folder("cpu"), "cpu.cfs_quota_us", ((long)(count * CpuPeriodMicroseconds)).ToString(CultureInfo.InvariantCulture));
        }

        if (limits.TasksMax is { } tasks)
        {
            Write(Folder("pids"), "pids.max", tasks.ToString(CultureInfo.InvariantCulture));
        }
    }

    public override ControlGroupUsage ReadUsage() => new(
        ReadNumber(Folder("memory"), "memory.usage_in_bytes"),
        TimeSpan.FromMicroseconds(ReadNumber(Folder("cpuacct"), "cpuacct.usage") / 1000.0),
        (int)ReadNumber(Folder("pids"), "pids.current"),
        ReadKeyed(Folder("memory"), "memory.oom_control", "oom_kill"));

    internal override void Make()
    {
        foreach (var folder in Folders)
        {
            MakeFolder(folder);
        }
    }

    private protected override void KillOnce() => KillEach(); // What forks meanwhile is found by the next look.

    private string Folder(string controller) => mounts.TryGetValue(controller, out var mount)
        ? Path.Combine(mount, Name)
        : throw new LinuxException($"use the cgroup controller {controller}", Errno.ENOENT, $"mount it: mount -t cgroup -o {controller} none /sys/fs/cgroup/{controller}");
}
