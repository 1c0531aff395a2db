using Godwit.Linux.ControlGroups;

namespace Godwit.Linux.Tests.ControlGroups;

public sealed class ControlGroupLayoutTests
{
    private const string SeparateMounts = """
        proc /proc proc rw 0 0
        cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
        cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
        cgroup /sys/fs/cgroup/io/blkio cgroup rw,blkio 0 0
        cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
        """;

    [Fact]
    public void A_unified_mount_with_the_controllers_is_version_2() =>
        Assert.Equal(new ControlGroupLayout.Unified("/sys/fs/cgroup"), ControlGroupLayout.Parse("cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n", _ => "cpuset cpu io memory pids\n"));

    [Fact]
    public void In_the_hybrid_form_the_controllers_place_decides()
    {
        var layout = ControlGroupLayout.Parse($"{SeparateMounts}\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", _ => "\n");
        var separate = Assert.IsType<ControlGroupLayout.Separate>(layout);
        Assert.Equal("/sys/fs/cgroup/cpu,cpuacct", separate.Paths["cpuacct"]);
        Assert.Equal("/sys/fs/cgroup/memory", separate.Paths["memory"]);
        Assert.False(separate.Paths.ContainsKey("pids"));
        Assert.Equal("/sys/fs/cgroup/io/blkio", separate.BlockIoPath);
        Assert.False(separate.Paths.ContainsKey("blkio")); // Others' groups: ours are not made there.
    }

    [Fact]
    public void A_host_without_cgroups_has_none() => Assert.Null(ControlGroupLayout.Parse("proc /proc proc rw 0 0\nshort line\n", _ => ""));
}
