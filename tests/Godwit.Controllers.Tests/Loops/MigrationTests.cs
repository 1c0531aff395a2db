using System.Text.Json.Nodes;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Migrations.V1Alpha1;
using Godwit.Scheduling;

namespace Godwit.Controllers.Tests.Loops;

public sealed class MigrationTests
{
    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task A_move_gets_a_target_and_a_policy_and_the_guest_shows_it()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.Client.For<MigrationPolicy>().CreateAsync(
            new MigrationPolicy
            {
                Metadata = new ObjectMeta { Name = "gentle" },
                Spec = new MigrationPolicySpec
                {
                    Selectors = new MigrationPolicySelectors { VirtualMachineInstanceSelector = new Dictionary<string, string> { ["app"] = "tiny" } },
                },
            },
            Stopping);

        // The controllers have long seen the policy when a guest runs and two nodes have their addresses.
        await cluster.AddNodeAsync("node-1");
        await RunAsync(cluster, "tiny");
        await cluster.AddNodeAsync("node-2");

        await cluster.MigrateAsync("tiny", "move");
        var move = await cluster.UntilAsync<VirtualMachineInstanceMigration>("move", seen => seen.Status.Phase == MigrationPhases.Succeeded);

        Assert.Equal(("node-1", "node-2", "node-2:10260"), (move.Status.MigrationState!.SourceNode, move.Status.MigrationState.TargetNode, move.Status.MigrationState.TargetNodeAddress));
        Assert.Equal("gentle", move.Status.MigrationState.MigrationPolicyName);
        var vmi = await cluster.UntilAsync<VirtualMachineInstance>("tiny", seen => seen.Status.MigrationState?.Completed == true);
        Assert.Equal(move.Metadata.Uid, vmi.Status.MigrationState!.MigrationUid);
        await cluster.UntilAsync<VirtualMachineInstanceMigration>("move", seen => seen.Metadata.Finalizers.Count == 0);
        await cluster.EventAsync("MigrationScheduled", "move");
    }

    [Theory]
    [InlineData("node-1", null)] // It came to where it was to go.
    [InlineData("node-2", true)]
    public async Task A_guest_whose_move_was_deleted_before_its_end_was_noted_is_said_to_move_no_longer(string target, bool? hasFailed)
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await RunAsync(cluster, "tiny");

        var moving = new MigrationState { SourceNode = target == "node-1" ? "node-2" : "node-1", TargetNode = target, MigrationUid = "of-a-move-that-is-gone" };
        await cluster.Client.For<VirtualMachineInstance>().PatchStatusAsync(new ResourceKey("default", "tiny"), new JsonObject { ["status"] = new JsonObject { ["migrationState"] = GodwitJson.ToObject(moving) } }, Stopping);

        var told = await cluster.UntilAsync<VirtualMachineInstance>("tiny", seen => seen.Status.MigrationState?.Completed == true);
        Assert.Equal(hasFailed, told.Status.MigrationState!.Failed);
        await cluster.UntilAsync<VirtualMachine>("tiny", seen => seen.Status.PrintableStatus == PrintableStatuses.Running);
    }

    [Fact]
    public async Task A_move_that_cannot_be_made_fails_at_once_with_its_reason_and_the_guest_stays()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await RunAsync(cluster, "tiny");
        await cluster.AddNodeAsync("node-2", memory: "100Mi");

        await cluster.MigrateAsync("tiny", "without-room", to: "node-2");
        await cluster.MigrateAsync("tiny", "to-itself", to: "node-1");
        await cluster.MigrateAsync("tiny", "to-nowhere", to: "node-9");
        await cluster.MigrateAsync("ghost", "of-nobody");

        await FailsAsync(cluster, "without-room", ObstacleReasons.TargetMemoryShort, "node-2: needs 642Mi memory, 100Mi free");
        await FailsAsync(cluster, "to-itself", ObstacleReasons.TargetIsSource, "node-1: runs the guest already");
        await FailsAsync(cluster, "to-nowhere", ObstacleReasons.TargetMissing, "does not have the label kubernetes.io/hostname=node-9");
        await FailsAsync(cluster, "of-nobody", ObstacleReasons.GuestNotRunning, "there is no VirtualMachineInstance ghost");
        var vmi = await cluster.Client.For<VirtualMachineInstance>().GetAsync(new ResourceKey("default", "tiny"), Stopping);
        Assert.Equal("node-1", vmi.Status.NodeName);
        Assert.Null(vmi.Status.MigrationState);
        await cluster.EventAsync(ObstacleReasons.TargetMemoryShort, "tiny");
    }

    [Fact]
    public async Task Two_moves_of_one_guest_run_one_after_the_other()
    {
        await using var cluster = await TestCluster.StartAsync();
        var source = await cluster.AddNodeAsync("node-1");
        source.IgnoresMoves = true;
        await RunAsync(cluster, "tiny");
        await cluster.AddNodeAsync("node-2");

        await cluster.MigrateAsync("tiny", "first");
        await cluster.UntilAsync<VirtualMachineInstanceMigration>("first", seen => seen.Status.Phase == MigrationPhases.Scheduled);
        await cluster.MigrateAsync("tiny", "second");
        var second = await cluster.UntilAsync<VirtualMachineInstanceMigration>("second", seen => seen.Status.Phase == MigrationPhases.Pending);

        var condition = Assert.Single(second.Status.Conditions);
        Assert.Equal((ObstacleReasons.MigrationInProgress, "migration first moves the guest first"), (condition.Reason, condition.Message));
    }

    [Fact]
    public async Task No_more_moves_leave_a_node_at_a_time_than_its_limit()
    {
        await using var cluster = await TestCluster.StartAsync(limits: new MigrationLimits { OutboundForEachNode = 1 });
        var source = await cluster.AddNodeAsync("node-1");
        source.IgnoresMoves = true;
        await RunAsync(cluster, "one");
        await RunAsync(cluster, "two");
        await cluster.AddNodeAsync("node-2");
        await cluster.MigrateAsync("one", "first");
        await cluster.UntilAsync<VirtualMachineInstanceMigration>("first", seen => seen.Status.Phase == MigrationPhases.Scheduled);
        await cluster.MigrateAsync("two", "second");
        await cluster.UntilAsync<VirtualMachineInstanceMigration>("second", seen => seen.Status.Conditions.Any(condition => condition.Reason == "WaitingForTurn"));

        source.IgnoresMoves = false;
        await cluster.Client.For<VirtualMachineInstanceMigration>().DeleteAsync(new ResourceKey("default", "first"), new DeleteOptions(), Stopping);

        await cluster.UntilAsync<VirtualMachineInstanceMigration>("second", seen => seen.Status.Phase == MigrationPhases.Succeeded);
        await cluster.UntilGoneAsync<VirtualMachineInstanceMigration>("first");
    }

    [Fact]
    public async Task A_scheduled_move_that_is_deleted_stays_until_the_source_says_that_it_has_ended()
    {
        await using var cluster = await TestCluster.StartAsync();
        var source = await cluster.AddNodeAsync("node-1");
        source.IgnoresMoves = true;
        await RunAsync(cluster, "tiny");
        await cluster.AddNodeAsync("node-2");
        await cluster.MigrateAsync("tiny", "move");
        await cluster.UntilAsync<VirtualMachineInstanceMigration>("move", seen => seen.Status.Phase == MigrationPhases.Scheduled);

        await cluster.Client.For<VirtualMachineInstanceMigration>().DeleteAsync(new ResourceKey("default", "move"), new DeleteOptions(), Stopping);
        var move = await cluster.UntilAsync<VirtualMachineInstanceMigration>("move", seen => seen.Metadata.DeletionTimestamp is not null);
        Assert.Equal(MigrationPhases.Scheduled, move.Status.Phase); // Whatever the controllers think, it is not theirs to end.

        source.IgnoresMoves = false;
        await cluster.Client.For<VirtualMachineInstanceMigration>().PatchAsync(
            ResourceKey.Of(move), new() { ["metadata"] = new System.Text.Json.Nodes.JsonObject { ["labels"] = new System.Text.Json.Nodes.JsonObject { ["wake"] = "up" } } }, Stopping);
        await cluster.UntilGoneAsync<VirtualMachineInstanceMigration>("move");
    }

    [Fact]
    public async Task A_forecast_is_given_a_target_or_told_why_there_is_none()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await RunAsync(cluster, "tiny");
        var forecasts = cluster.Client.For<Forecast>();
        await forecasts.CreateAsync(NewForecast("alone", null), Stopping);
        await cluster.UntilAsync<Forecast>("alone", seen => seen.Status.Phase == ForecastPhases.Failed && seen.Status.Reason == "0 of 1 nodes fit: node-1: runs the guest already");

        await cluster.AddNodeAsync("node-2");
        await forecasts.CreateAsync(NewForecast("chosen", null), Stopping);
        var chosen = await cluster.UntilAsync<Forecast>("chosen", seen => seen.Status.Phase == ForecastPhases.Scheduled);

        Assert.Equal(("node-1", "node-2"), (chosen.Status.SourceNode, chosen.Status.TargetNode));
    }

    private static Forecast NewForecast(string name, string? target) => new()
    {
        Metadata = new ObjectMeta { Namespace = "default", Name = name },
        Spec = new ForecastSpec { VmiName = "tiny", TargetNode = target },
    };

    private static async Task RunAsync(TestCluster cluster, string name)
    {
        await cluster.CreateVmAsync(name);
        await cluster.UntilAsync<VirtualMachineInstance>(name, vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running);
    }

    private static async Task FailsAsync(TestCluster cluster, string name, string reason, string message)
    {
        var failed = await cluster.UntilAsync<VirtualMachineInstanceMigration>(name, seen => seen.Status.Phase == MigrationPhases.Failed);
        Assert.Equal(reason, Assert.Single(failed.Status.Conditions).Reason);
        Assert.Contains(message, failed.Status.MigrationState!.FailureReason, StringComparison.Ordinal);
    }
}
