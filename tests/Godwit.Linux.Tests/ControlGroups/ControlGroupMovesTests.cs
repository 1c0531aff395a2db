using Godwit.Linux.ControlGroups;

namespace Godwit.Linux.Tests.ControlGroups;

public sealed class ControlGroupMovesTests
{
    private const string Mounts = """
        tmpfs /sys/fs/cgroup tmpfs rw 0 0
        none /sys/fs/cgroup/cpu cgroup rw,relatime,cpu,cpuacct 0 0
        none /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
        none /sys/fs/cgroup/unified cgroup2 rw 0 0
        """;

    [Theory]
    [InlineData("9:cpu,cpuacct:/a\n0::/u\n", "/sys/fs/cgroup/cpu/a/cgroup.procs")]
    [InlineData("9:memory:/a\n8:name=systemd:/\n", "/sys/fs/cgroup/systemd/cgroup.procs")]
    [InlineData("0::/system.slice/one.service\n", "/sys/fs/cgroup/unified/system.slice/one.service/cgroup.procs")]
    [InlineData("9:memory:/a\n", null)]
    [InlineData("", null)]
    public void The_processes_of_ones_own_group_are_found_in_either_version(string own, string? expected) => Assert.Equal(expected, ControlGroupMoves.Find(own, Mounts, _ => true));

    [Fact]
    public void What_is_not_there_is_passed_over() =>
        Assert.Equal("/sys/fs/cgroup/systemd/b/cgroup.procs", ControlGroupMoves.Find("9:cpu:/a\n8:name=systemd:/b\n", Mounts, path => !path.Contains("/cpu/", StringComparison.Ordinal)));

    [Fact]
    public void To_make_ready_moves_nobody()
    {
        var before = File.ReadAllText("/proc/self/cgroup");
        ControlGroupMoves.Prepare();
        ControlGroupMoves.Prepare();
        Assert.Equal(before, File.ReadAllText("/proc/self/cgroup"));
    }
}
