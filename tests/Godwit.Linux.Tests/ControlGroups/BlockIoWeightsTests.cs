using Godwit.Linux.ControlGroups;

namespace Godwit.Linux.Tests.ControlGroups;

public sealed class BlockIoWeightsTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    /// <summary>The files of a cgroup as plain files: what is written where is the whole contract.</summary>
    [Theory]
    [InlineData(1, 300, "blkio.bfq.weight=300", "")]
    [InlineData(1, 300, "blkio.weight=300", "")]
    [InlineData(1, 300, "blkio.bfq.weight=300", "blkio.weight=300")]
    [InlineData(2, 300, "io.bfq.weight=300", "")]
    [InlineData(2, 10, "io.weight=1", "")]
    [InlineData(2, 100, "io.bfq.weight=100", "io.weight=910")]
    [InlineData(2, 1000, "io.weight=10000", "io.bfq.weight=1000")]
    public async Task A_weight_is_told_to_each_scheduler_that_is_there_in_its_own_measure(int version, int weight, string first, string second)
    {
        using var mount = new TemporaryFolder();
        var group = Directory.CreateDirectory(mount["a/b"]).FullName;
        var told = new[] { first, second }.Where(file => file.Length > 0).Select(file => file.Split('=')).ToList();
        foreach (var file in told)
        {
            await File.WriteAllTextAsync(Path.Combine(group, file[0]), "", Stopping);
        }

        Assert.True(Host(version, mount.Path).SetBlockIoWeight("a/b", weight));
        Assert.All(told, file => Assert.Equal(file[1], File.ReadAllText(Path.Combine(group, file[0]))));
        Assert.Equal(told.Count, Directory.GetFiles(group).Length);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Where_no_scheduler_knows_weights_nothing_is_told_and_that_is_said(int version)
    {
        using var mount = new TemporaryFolder();
        Directory.CreateDirectory(mount["a"]);
        Assert.False(Host(version, mount.Path).SetBlockIoWeight("a", 300));
        Assert.Empty(Directory.GetFiles(mount["a"]));
    }

    [Fact]
    public void A_host_without_the_controller_is_told_nothing() =>
        Assert.False(new ControlGroupHost(new ControlGroupLayout.Separate(new Dictionary<string, string>(StringComparer.Ordinal)), TimeProvider.System).SetBlockIoWeight("a", 300));

    [Theory]
    [InlineData("block/sda/queue/scheduler", "mq-deadline kyber [bfq] none\n", true)]
    [InlineData("block/sda/queue/scheduler", "noop deadline [cfq]\n", true)]
    [InlineData("block/sda/queue/scheduler", "[mq-deadline] kyber bfq none\n", false)]
    [InlineData("fs/cgroup/io.cost.qos", "8:0 enable=1 ctrl=auto rpct=95.00\n", true)]
    [InlineData("fs/cgroup/io.cost.qos", "8:0 enable=0 ctrl=auto rpct=95.00\n", false)]
    [InlineData("nothing", "", false)]
    public async Task Weights_decide_something_where_a_disk_has_a_scheduler_that_knows_them(string file, string words, bool decide)
    {
        using var system = new TemporaryFolder();
        Directory.CreateDirectory(Path.GetDirectoryName(system[file])!);
        await File.WriteAllTextAsync(system[file], words, Stopping);
        Assert.Equal(decide, BlockIoWeights.DecideSomething(system.Path));
    }

    private static ControlGroupHost Host(int version, string mount) => new(
        version == 2 ? new ControlGroupLayout.Unified(mount) : new ControlGroupLayout.Separate(new Dictionary<string, string>(StringComparer.Ordinal)) { BlockIoPath = mount },
        TimeProvider.System);
}
