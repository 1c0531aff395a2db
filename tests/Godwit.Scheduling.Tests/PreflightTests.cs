using Godwit.Api;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Scheduling.Tests;

public sealed class PreflightTests
{
    private static readonly HashSet<string> Features = ["avx2", "sse4.2"];

    private static Preflight Good => new()
    {
        Vmi = Build.Vmi(nodeName: "source", phase: "Running"),
        Source = Build.Node("source") with { QemuVersion = new Version(10, 0, 2), Accelerator = "tcg", CpuFeatures = Features, StorageIds = new HashSet<string> { "s" } },
    };

    private static NodeFacts GoodTarget => Good.Source! with { Name = "target" };

    [Fact]
    public void A_running_guest_and_a_like_node_have_no_obstacles()
    {
        Assert.Empty(Good.FindSourceObstacles());
        Assert.Empty(Good.FindTargetObstacles(GoodTarget));
    }

    public static TheoryData<string, Func<Preflight, Preflight>> SourceTroubles => new()
    {
        { ObstacleReasons.GuestNotRunning, good => good with { Vmi = Build.Vmi(nodeName: "source", phase: "Scheduled") } },
        {
            ObstacleReasons.GuestNotRunning,
            good => good with { Vmi = good.Vmi with { Metadata = good.Vmi.Metadata with { DeletionTimestamp = DateTimeOffset.UnixEpoch } } }
        },
        { ObstacleReasons.MigrationInProgress, good => good with { OtherMigration = "other" } },
        { ObstacleReasons.SourceNotReady, good => good with { Source = null } },
        { ObstacleReasons.SourceNotReady, good => good with { Source = good.Source! with { IsReady = false } } },
        { ObstacleReasons.ModeNotAllowed, good => good with { Mode = "teleport" } },
        { ObstacleReasons.ModeNotAllowed, good => good with { Mode = MigrationModes.Postcopy, IsPostcopyAllowed = false } },
        { ObstacleReasons.ModeNotAllowed, good => good with { Mode = MigrationModes.Hybrid, IsPostcopyAllowed = false } },
        { ObstacleReasons.DiskNotShared, good => WithCondition(good, "DisksNotLiveMigratable") },
        { ObstacleReasons.HostDeviceAttached, good => WithCondition(good, "HostDeviceNotLiveMigratable") },
        { ObstacleReasons.GuestNotMigratable, good => WithCondition(good, "SomethingElse") },
    };

    [Theory]
    [MemberData(nameof(SourceTroubles))]
    public void Trouble_at_the_source_is_named(string reason, Func<Preflight, Preflight> spoil)
    {
        var obstacle = Assert.Single(spoil(Good).FindSourceObstacles());

        Assert.Equal(reason, obstacle.Reason);
        Assert.NotEmpty(obstacle.Fix);
    }

    public static TheoryData<string, Func<NodeFacts, NodeFacts>> TargetTroubles => new()
    {
        { ObstacleReasons.TargetIsSource, target => target with { Name = "source" } },
        { ObstacleReasons.QemuVersionOlder, target => target with { QemuVersion = new Version(9, 2, 0) } },
        { ObstacleReasons.AcceleratorDiffers, target => target with { Accelerator = "kvm" } },
        { ObstacleReasons.CpuFeatureMissing, target => target with { CpuFeatures = new HashSet<string> { "sse4.2" } } },
    };

    [Theory]
    [MemberData(nameof(TargetTroubles))]
    public void Trouble_at_the_target_is_named(string reason, Func<NodeFacts, NodeFacts> spoil) =>
        Assert.Equal(reason, Assert.Single(Good.FindTargetObstacles(spoil(GoodTarget))).Reason);

    [Fact]
    public void A_target_without_the_guests_storage_is_named()
    {
        var shared = WithVolume(Good, new Volume { Name = "d", HostDisk = new() { Path = "/shared/d" } });
        var elsewhere = GoodTarget with { StorageIds = new HashSet<string> { "other" } };

        Assert.Empty(shared.FindSourceObstacles());
        Assert.Empty(shared.FindTargetObstacles(GoodTarget));
        Assert.Equal(ObstacleReasons.DiskNotShared, Assert.Single(shared.FindTargetObstacles(elsewhere)).Reason);
    }

    [Fact]
    public void The_storage_that_the_agent_reported_for_the_guest_counts_where_it_is_known()
    {
        var metadata = Good.Vmi.Metadata with { Annotations = new Dictionary<string, string> { [AnnotationNames.StorageIds] = "s,t" } };
        var obstacle = Assert.Single((Good with { Vmi = Good.Vmi with { Metadata = metadata } }).FindTargetObstacles(GoodTarget));

        Assert.Equal((ObstacleReasons.DiskNotShared, "does not see the storage t"), (obstacle.Reason, obstacle.Message));
    }

    [Fact]
    public void Disks_that_are_on_the_guests_node_alone_go_along_and_are_no_obstacle()
    {
        Assert.Empty(WithVolume(Good, new Volume { Name = "d", EmptyDisk = new() }).FindSourceObstacles());
        Assert.Empty(WithVolume(Good, new Volume { Name = "d", ContainerDisk = new() { Image = "debian" } }).FindSourceObstacles());
    }

    [Fact]
    public void A_newer_QEMU_or_more_features_at_the_target_are_no_obstacle() => Assert.Empty(Good.FindTargetObstacles(
        GoodTarget with { QemuVersion = new Version(10, 1), CpuFeatures = new HashSet<string>(Features) { "avx512f" } }));

    [Fact]
    public void A_named_CPU_model_does_not_depend_on_the_hosts_features()
    {
        var named = Good with { Vmi = Good.Vmi with { Spec = Good.Vmi.Spec with { Domain = Good.Vmi.Spec.Domain with { Cpu = new Cpu { Model = "qemu64" } } } } };

        Assert.Empty(named.FindTargetObstacles(GoodTarget with { CpuFeatures = new HashSet<string>() }));
    }

    private static Preflight WithVolume(Preflight good, Volume volume) => good with { Vmi = good.Vmi with { Spec = good.Vmi.Spec with { Volumes = [volume] } } };

    private static Preflight WithCondition(Preflight good, string reason) => good with
    {
        Vmi = good.Vmi with
        {
            Status = good.Vmi.Status with { Conditions = [new Condition { Type = "LiveMigratable", Status = "False", Reason = reason, Message = "cannot" }] },
        },
    };
}
