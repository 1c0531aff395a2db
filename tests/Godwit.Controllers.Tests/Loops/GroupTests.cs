using System.Text.Json.Nodes;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Groups.V1Alpha1;

namespace Godwit.Controllers.Tests.Loops;

/// <summary>Group moves against a real server, with nodes that obey the agents' contract.</summary>
public sealed class GroupTests
{
    private static readonly ForecastStatus Answer = new()
    {
        Observed = new ForecastInputs { MemoryBytes = 512L << 20, NonZeroBytes = 100L << 20, LinkBytesPerSecond = 100L << 20, DirtyCurve = [new DirtyCurvePoint { WindowMs = 1000, UniqueBytes = 1 << 20 }] },
        Modes = [new ModeComparison { Mode = MigrationModes.Hybrid, Forecast = new ModeForecast { TotalMs = new() { Low = 900, High = 1500 }, DowntimeMs = new() { Low = 30, High = 60 } } }],
    };

    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task A_node_is_emptied_by_a_plan_and_its_guests_come_home_again()
    {
        await using var cluster = await StartAsync("one", "two");
        await MakeAsync(cluster, "out", new() { Selector = new() { NodeName = "node-1" }, KeepHome = true });

        var drained = await EndedAsync(cluster, "out");

        Assert.Equal((GroupPhases.Succeeded, 2), (drained.Status.Phase, drained.Status.Measurement!.Moved));
        Assert.NotEmpty(drained.Status.Reason!);
        var guest = await cluster.UntilAsync<VirtualMachineInstance>("one", vmi => vmi.Status.NodeName == "node-2");
        Assert.Equal("node-1", guest.Metadata.Annotations[AnnotationNames.HomeNode]);
        await cluster.EventAsync("GroupSucceeded", "out");

        await MakeAsync(cluster, "back", new() { Selector = new() { HomeNode = "node-1" }, TargetNode = "node-1" });
        Assert.Equal(2, (await EndedAsync(cluster, "back")).Status.Measurement!.Moved);
        await cluster.UntilAsync<VirtualMachineInstance>("two", vmi => vmi.Status.NodeName == "node-1" && !vmi.Metadata.Annotations.ContainsKey(AnnotationNames.HomeNode));
        Assert.Empty((await cluster.Client.For<Forecast>().ListAsync(ListOptions.All, Stopping)).Items); // Its questions are tidied away.
    }

    [Fact]
    public async Task A_plan_moves_nothing()
    {
        await using var cluster = await StartAsync("one", "two");
        await MakeAsync(cluster, "plan", new() { Selector = new() { NodeName = "node-1" }, PlanOnly = true });

        var planned = await EndedAsync(cluster, "plan");

        Assert.Equal(GroupPhases.Planned, planned.Status.Phase);
        Assert.Equal(3, planned.Status.Forecasts.Count);
        Assert.Empty((await cluster.Client.For<VirtualMachineInstanceMigration>().ListAsync(ListOptions.All, Stopping)).Items);
    }

    [Fact]
    public async Task A_move_that_fails_is_tried_again()
    {
        await using var cluster = await StartAsync("one");
        cluster.Node("node-1").MovesThatFail = 1;
        await MakeAsync(cluster, "again", new() { Members = [new() { Namespace = "default", Name = "one" }] });

        var ended = await EndedAsync(cluster, "again");

        Assert.Equal((GroupPhases.Succeeded, 1), (ended.Status.Phase, ended.Status.Measurement!.Retries));
    }

    [Fact]
    public async Task Deleting_a_group_cancels_what_is_under_way_and_begins_nothing_more()
    {
        await using var cluster = await StartAsync("one", "two");
        cluster.Node("node-1").IgnoresMoves = true;
        await MakeAsync(cluster, "cancelled", new() { Selector = new() { NodeName = "node-1" }, Strategy = GroupStrategies.Serial });
        var running = await cluster.UntilAsync<GroupMigration>("cancelled", group => group.Status.Members.Any(member => member.Phase == GroupMemberPhases.Moving));
        var move = running.Status.Members.Single(member => member.Phase == GroupMemberPhases.Moving).Migration!;
        await cluster.UntilAsync<VirtualMachineInstanceMigration>(move, seen => seen.Status.Phase == MigrationPhases.Scheduled);

        await cluster.Client.For<GroupMigration>().DeleteAsync(new ResourceKey("", "cancelled"), new DeleteOptions(), Stopping);
        await cluster.UntilAsync<VirtualMachineInstanceMigration>(move, seen => seen.Metadata.DeletionTimestamp is not null);
        Assert.NotNull(await cluster.Client.For<GroupMigration>().FindAsync(new ResourceKey("", "cancelled"), Stopping)); // Not before its move has ended.

        cluster.Node("node-1").IgnoresMoves = false;
        await cluster.Client.For<VirtualMachineInstanceMigration>().PatchAsync(
            new ResourceKey("default", move), new() { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["wake"] = "up" } } }, Stopping);
        await cluster.UntilGoneAsync<GroupMigration>("cancelled");
        Assert.Equal("node-1", (await cluster.Client.For<VirtualMachineInstance>().GetAsync(new ResourceKey("default", "two"), Stopping)).Status.NodeName);
    }

    [Fact]
    public async Task A_service_is_decided_for_once_and_by_what_its_members_tell()
    {
        await using var cluster = await StartAsync("one", "two");
        cluster.Node("node-1").IgnoresMoves = true;
        await MakeAsync(cluster, "service", new() { Selector = new() { NodeName = "node-1" }, Promise = GroupPromises.OneService });
        var moves = await BeginServiceAsync(cluster, "service");
        Assert.All(moves, move => Assert.StartsWith("service/", move.Metadata.Annotations[AnnotationNames.Service], StringComparison.Ordinal));

        await TellAsync(cluster, moves[0], ServiceStandings.Ready);
        await TellAsync(cluster, moves[1], ServiceStandings.Gathered);
        await cluster.UntilAsync<GroupMigration>("service", group => group.Status.Service is { SwitchoverTimestamp: not null, Decision: null });
        await TellAsync(cluster, moves[1], ServiceStandings.Ready);
        await cluster.UntilAsync<GroupMigration>("service", group => group.Status.Service?.Decision == GroupDecisions.RunAll);

        // Cancelling it now is too late for the record.
        await cluster.Client.For<GroupMigration>().DeleteAsync(new ResourceKey("", "service"), new DeleteOptions(), Stopping);
        await cluster.UntilAsync<VirtualMachineInstanceMigration>(moves[0].Metadata.Name, seen => seen.Metadata.DeletionTimestamp is not null);
        var left = await cluster.Client.For<GroupMigration>().GetAsync(new ResourceKey("", "service"), Stopping);
        Assert.Equal(GroupDecisions.RunAll, left.Status.Service!.Decision);
    }

    [Fact]
    public async Task A_service_that_is_cancelled_returns()
    {
        await using var cluster = await StartAsync("one", "two");
        cluster.Node("node-1").IgnoresMoves = true;
        await MakeAsync(cluster, "service", new() { Selector = new() { NodeName = "node-1" }, Promise = GroupPromises.OneService });
        var moves = await BeginServiceAsync(cluster, "service");
        await TellAsync(cluster, moves[0], ServiceStandings.Ready);

        await cluster.Client.For<GroupMigration>().DeleteAsync(new ResourceKey("", "service"), new DeleteOptions(), Stopping);

        await cluster.UntilAsync<GroupMigration>("service", group => group.Status.Service?.Decision == GroupDecisions.ReturnAll);
        await cluster.UntilAsync<VirtualMachineInstanceMigration>(moves[1].Metadata.Name, seen => seen.Metadata.DeletionTimestamp is not null);
    }

    /// <summary>Both moves under way, as their sources would have them.</summary>
    private static async Task<IReadOnlyList<VirtualMachineInstanceMigration>> BeginServiceAsync(TestCluster cluster, string name)
    {
        var group = await cluster.UntilAsync<GroupMigration>(name, seen => seen.Status.Members is [{ Migration: not null }, { Migration: not null }]);
        var moves = new List<VirtualMachineInstanceMigration>();
        foreach (var member in group.Status.Members)
        {
            // A node prepares for one at a time: the second is scheduled when the first transfers.
            var scheduled = await cluster.UntilAsync<VirtualMachineInstanceMigration>(member.Migration!, seen => seen.Status.Phase == MigrationPhases.Scheduled);
            moves.Add(await cluster.Client.For<VirtualMachineInstanceMigration>().PatchStatusAsync(
                ResourceKey.Of(scheduled), new() { ["status"] = new JsonObject { ["phase"] = MigrationPhases.Running } }, Stopping));
        }

        return moves;
    }

    private static Task<VirtualMachineInstanceMigration> TellAsync(TestCluster cluster, VirtualMachineInstanceMigration move, string standing) =>
        cluster.Client.For<VirtualMachineInstanceMigration>().PatchStatusAsync(
            ResourceKey.Of(move), new() { ["status"] = new JsonObject { ["service"] = new JsonObject { ["standing"] = standing } } }, Stopping);

    private static async Task<TestCluster> StartAsync(params string[] guests)
    {
        var cluster = await TestCluster.StartAsync();
        (await cluster.AddNodeAsync("node-1")).Answer = Answer;
        foreach (var name in guests)
        {
            await cluster.CreateVmAsync(name);
            await cluster.UntilAsync<VirtualMachineInstance>(name, vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running);
        }

        (await cluster.AddNodeAsync("node-2")).Answer = Answer;
        return cluster;
    }

    private static Task<GroupMigration> MakeAsync(TestCluster cluster, string name, GroupMigrationSpec spec) =>
        cluster.Client.For<GroupMigration>().CreateAsync(new GroupMigration { Metadata = new ObjectMeta { Name = name }, Spec = spec }, Stopping);

    private static Task<GroupMigration> EndedAsync(TestCluster cluster, string name) =>
        cluster.UntilAsync<GroupMigration>(name, group => GroupPhases.IsFinal(group.Status.Phase));
}
