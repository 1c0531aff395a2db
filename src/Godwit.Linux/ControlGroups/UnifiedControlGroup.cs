using System.Globalization;

namespace Godwit.Linux.ControlGroups;

/// <summary>A group of cgroup v2 (the kernel's Documentation/admin-guide/cgroup-v2.rst).</summary>
internal sealed class UnifiedControlGroup(string mount, string name, TimeProvider time) : ControlGroup(name, time)
{
    private readonly string folder = Path.Combine(mount, name);

    internal override IReadOnlyList<string> Folders => [folder];

    public override void SetLimits(ControlGroupLimits limits)
    {
        if (limits.MemoryBytes is { } memory)
        {
            Write(folder, "memory.max", memory.ToString(CultureInfo.InvariantCulture));
        }

        if (limits.CpuWeight is { } weight)
        {
            Write(folder, "cpu.weight", weight.ToString(CultureInfo.InvariantCulture));
        }

        if (limits.CpuCount is { } count)
        {
            Write(folder, "cpu.max", string.Create(CultureInfo.InvariantCulture, $"{(long)(count * CpuPeriodMicroseconds)} {CpuPeriodMicroseconds}"));
        }

        if (limits.TasksMax is { } tasks)
        {
            Write(folder, "pids.max", tasks.ToString(CultureInfo.InvariantCulture));
        }
    }

    public override ControlGroupUsage ReadUsage() => new(
        ReadNumber(folder, "memory.current"),
        TimeSpan.FromMicroseconds(ReadKeyed(folder, "cpu.stat", "usage_usec")),
        (int)ReadNumber(folder, "pids.current"),
        ReadKeyed(folder, "memory.events", "oom_kill"));

    internal override void Make()
    {
        // A controller serves a group only where every group above it says so, from the root down.
        var parent = mount;
        foreach (var segment in Name.Split('/'))
        {
            Write(parent, "cgroup.subtree_control", "+memory +cpu +pids");
            parent = Path.Combine(parent, segment);
            MakeFolder(parent);
        }
    }

    private protected override void KillOnce()
    {
        if (File.Exists(Path.Combine(folder, "cgroup.kill")))
        {
            Write(folder, "cgroup.kill", "1"); // Atomic: a fork cannot slip through (Linux 5.14).
        }
        else
        {
            KillEach();
        }
    }
}
