using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Node.Guests;
using Godwit.Node.Tests.Clusters;

namespace Godwit.Node.Tests.Guests;

public sealed class GuestSyncTests
{
    [Fact]
    public async Task A_scheduled_guest_boots_runs_and_is_told_so()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();

        await node.ScheduleAsync("tiny");
        var guest = await node.UntilAsync("tiny", "Running");

        var machine = node.MachineOf(guest);
        Assert.Equal(MachineRunState.Running, machine.RunState);
        Assert.Equal("pc-q35-10.0", guest.Status.Machine!.Type);
        Assert.Equal("True", guest.Status.Conditions.Single(condition => condition.Type == "Ready").Status);
        Assert.Contains(FinalizerNames.Agent, guest.Metadata.Finalizers);
        Assert.Equal("10.77.0.7", guest.Status.Interfaces.Single().IpAddress);
        Assert.True(node.Network.Admitted[$"{machine.Spec.Id}/0"]);
        Assert.Equal("02:00:00:00:00:07", machine.Spec.Nics.Single().MacAddress);
        var recorded = await TestCluster.UntilAsync(
            () => cluster.Admin.For<Event>().ListAsync(ListOptions.All, TestCluster.Stopping), list => list.Items.Any(entry => entry.Reason == "Started"));
        Assert.Contains(recorded.Items, entry => entry.InvolvedObject.Name == "tiny");
    }

    [Fact]
    public async Task Guests_run_on_while_the_agent_is_dead_and_are_adopted_not_booted_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();
        await node.ScheduleAsync("tiny");
        var guest = await node.UntilAsync("tiny", "Running");

        await node.KillAgentAsync();
        await node.StartAgentAsync();
        node.MachineOf(guest).Become(MachineRunState.Paused, "somebody paused it");
        await TestCluster.UntilAsync(() => node.FindAsync("tiny"), found => found!.Status.Conditions.Any(condition => condition.Type == "Paused"));

        Assert.Equal(1, node.Host.Starts[TestNode.IdOf(guest)]);
        Assert.Equal(1, node.MachineOf(guest).ResumeCount);
    }

    [Fact]
    public async Task A_guest_that_died_with_its_agent_has_failed_and_is_not_booted_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();
        await node.ScheduleAsync("tiny");
        var guest = await node.UntilAsync("tiny", "Running");
        await node.KillAgentAsync();
        node.Host.Machines.Clear();

        await node.StartAgentAsync();

        var failed = await node.UntilAsync("tiny", "Failed");
        Assert.Equal("MachineLost", failed.Status.Reason);
        Assert.Equal(1, node.Host.Starts[TestNode.IdOf(guest)]);
    }

    [Theory]
    [InlineData(MachineRunState.Shutdown, "Succeeded")]
    [InlineData(MachineRunState.Crashed, "Failed")]
    public async Task The_guests_own_end_is_told_and_its_memory_given_back(MachineRunState end, string phase)
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();
        await node.ScheduleAsync("tiny");
        var guest = await node.UntilAsync("tiny", "Running");

        node.MachineOf(guest).Become(end, "said QEMU");

        await node.UntilAsync("tiny", phase);
        await TestCluster.UntilAsync(() => Task.FromResult(node.MachineOf(guest).RunState), state => state == MachineRunState.Gone);
    }

    [Fact]
    public async Task Deleting_a_guest_shuts_it_down_with_its_grace_removes_it_and_lets_the_object_go()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();
        await node.ScheduleAsync("tiny", spec => spec with { TerminationGracePeriodSeconds = 9 });
        var machine = node.MachineOf(await node.UntilAsync("tiny", "Running"));

        await node.Guests.DeleteAsync(new ResourceKey("default", "tiny"), new DeleteOptions(), TestCluster.Stopping);
        await TestCluster.UntilAsync(() => node.FindAsync("tiny"), found => found is null);

        Assert.Equal(TimeSpan.FromSeconds(9), machine.StopGrace);
        await TestCluster.UntilAsync(() => Task.FromResult(node.Host.Machines.IsEmpty && node.Network.Admitted.IsEmpty), isClean => isClean);
        await TestCluster.UntilAsync(
            () => Task.FromResult(Directory.GetFiles(Path.Combine(cluster.Folder, "node-1", "incarnations")).Length), count => count == 0);
    }

    [Fact]
    public async Task A_guest_that_ignores_the_power_button_is_ended_at_once_when_the_grace_is_taken_back()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();
        await node.ScheduleAsync("tiny", spec => spec with { TerminationGracePeriodSeconds = 3600 });
        var machine = node.MachineOf(await node.UntilAsync("tiny", "Running"));
        machine.HeedsPowerButton = false;
        var key = new ResourceKey("default", "tiny");
        await node.Guests.DeleteAsync(key, new DeleteOptions(), TestCluster.Stopping);
        await TestCluster.UntilAsync(() => Task.FromResult(machine.StopGrace), grace => grace == TimeSpan.FromHours(1));

        await node.Guests.DeleteAsync(key, new DeleteOptions { GracePeriodSeconds = 0 }, TestCluster.Stopping);

        await TestCluster.UntilAsync(() => node.FindAsync("tiny"), found => found is null);
        Assert.Equal(TimeSpan.Zero, machine.StopGrace);
    }

    [Fact]
    public async Task A_guest_whose_object_went_while_the_agent_was_dead_is_stopped_and_removed()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();
        await node.ScheduleAsync("tiny");
        var guest = await node.UntilAsync("tiny", "Running");
        var machine = node.MachineOf(guest);
        await node.KillAgentAsync();
        // Unconditional: the agent may have written the object after our look.
        var freed = await node.Guests.PatchAsync(
            ResourceKey.Of(guest), new() { ["metadata"] = new System.Text.Json.Nodes.JsonObject { ["finalizers"] = new System.Text.Json.Nodes.JsonArray() } }, TestCluster.Stopping);
        await node.Guests.DeleteAsync(ResourceKey.Of(freed), new DeleteOptions(), TestCluster.Stopping);

        await node.StartAgentAsync();

        await TestCluster.UntilAsync(() => Task.FromResult(node.Host.Machines.IsEmpty), isEmpty => isEmpty);
        Assert.Equal(GuestPlan.DefaultGrace, machine.StopGrace);
    }

    [Fact]
    public async Task While_the_server_is_away_guests_run_on_and_what_happened_is_told_when_it_is_back()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();
        await node.ScheduleAsync("steady");
        await node.ScheduleAsync("crashing");
        var steady = node.MachineOf(await node.UntilAsync("steady", "Running"));
        var crashing = node.MachineOf(await node.UntilAsync("crashing", "Running"));

        await cluster.StopServerAsync();
        crashing.Become(MachineRunState.Crashed, "it panicked");
        await TestCluster.UntilAsync(
            () => Task.FromResult(Directory.GetFiles(Path.Combine(cluster.Folder, "node-1", "incarnations")).Any(file => File.ReadAllText(file).Contains("GuestCrashed", StringComparison.Ordinal))),
            isRecorded => isRecorded);
        await cluster.StartServerAsync();

        await node.UntilAsync("crashing", "Failed");
        Assert.Equal(MachineRunState.Running, steady.RunState);
        Assert.Null(steady.StopGrace);
    }

    [Fact]
    public async Task A_start_that_fails_says_why_and_is_tried_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        node.Host.Trouble = new MachineException("QEMU said no");
        await node.StartAgentAsync();
        await node.ScheduleAsync("tiny");
        var waiting = await TestCluster.UntilAsync(
            () => node.FindAsync("tiny"), found => found!.Status.Conditions.Any(condition => condition is { Type: "Synchronized", Status: "False" }));
        Assert.Equal("Scheduled", waiting!.Status.Phase);
        Assert.Contains("QEMU said no", waiting.Status.Conditions.Single(condition => condition.Type == "Synchronized").Message, StringComparison.Ordinal);

        node.Host.Trouble = null;

        await node.UntilAsync("tiny", "Running");
    }

    [Fact]
    public async Task A_start_that_fails_is_not_tried_again_whenever_something_wakes_the_guest()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        node.Host.Trouble = new MachineException("QEMU said no");
        await node.StartAgentAsync();
        var made = await node.ScheduleAsync("tiny");
        await TestCluster.UntilAsync(() => Task.FromResult(node.Host.FailedStarts), tries => tries > 0);

        const int Wakes = 40;
        for (var wake = 1; wake <= Wakes; wake++)
        {
            var patch = new System.Text.Json.Nodes.JsonObject { ["metadata"] = new System.Text.Json.Nodes.JsonObject { ["labels"] = new System.Text.Json.Nodes.JsonObject { ["wake"] = $"{wake}" } } };
            await node.Guests.PatchAsync(ResourceKey.Of(made), patch, TestCluster.Stopping);
        }

        Assert.InRange(node.Host.FailedStarts, 1, Wakes / 2);
    }

    [Fact]
    public async Task A_spec_that_this_node_cannot_do_fails_with_its_path()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();

        await node.ScheduleAsync("odd", spec => spec with { Domain = spec.Domain with { Machine = new Machine { Type = "pc-q35-99.0" } } });

        var failed = await node.UntilAsync("odd", "Failed");
        Assert.Equal("Unsupported", failed.Status.Reason);
        Assert.Contains("spec.domain.machine.type", failed.Status.Conditions.Single(condition => condition.Type == "Ready").Message, StringComparison.Ordinal);
        Assert.Empty(node.Host.Starts);
    }

    [Fact]
    public async Task A_guest_of_another_node_is_not_touched_and_one_that_moves_is_left_to_its_move()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var node = new TestNode(cluster);
        await node.StartAgentAsync();
        var elsewhere = await node.ScheduleAsync("elsewhere", node: "node-2");
        await node.ScheduleAsync("moving");
        var moving = await node.UntilAsync("moving", "Running");
        var machine = node.MachineOf(moving);
        node.Handovers.Set(TestNode.IdOf(moving), HandoverClaim.Moving);

        await node.Guests.DeleteAsync(ResourceKey.Of(moving), new DeleteOptions(), TestCluster.Stopping);
        await TestCluster.UntilAsync(() => Task.FromResult(node.Handovers.EndRequests.IsEmpty), isEmpty => !isEmpty);

        Assert.Null(machine.StopGrace);
        Assert.Equal("Scheduled", (await node.FindAsync("elsewhere"))!.Status.Phase);
        Assert.False(node.Host.Starts.ContainsKey(TestNode.IdOf(elsewhere)));

        node.Handovers.Set(TestNode.IdOf(moving), HandoverClaim.Owner);
        await TestCluster.UntilAsync(() => node.FindAsync("moving"), found => found is null);
    }
}
