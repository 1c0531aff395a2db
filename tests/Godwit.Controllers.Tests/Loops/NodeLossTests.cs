using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Controllers.Tests.Loops;

public sealed class NodeLossTests
{
    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task A_silent_node_is_tainted_its_guest_is_not_known_and_started_nowhere_else_until_the_node_is_deleted()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var cluster = await TestCluster.StartAsync(clock);
        var lost = await cluster.AddNodeAsync("node-1");
        await cluster.CreateVmAsync("tiny");
        await cluster.UntilAsync<VirtualMachineInstance>("tiny", vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running, meanwhile: () => Pass(cluster, clock));
        var other = await cluster.AddNodeAsync("node-2");
        await lost.DieAsync();

        // Silence: four missed heartbeats of node-1, none of node-2.
        await cluster.UntilAsync<Node>("node-1", node => node.Spec.Taints.Any(taint => taint.Key == TaintKeys.Unreachable), meanwhile: () => Pass(cluster, clock, other));
        await cluster.UntilAsync<Node>(
            "node-1", node => node.Status.Conditions.Any(condition => condition is { Type: "Ready", Status: "Unknown" }), meanwhile: () => Pass(cluster, clock, other));
        var unknown = await cluster.UntilAsync<VirtualMachineInstance>(
            "tiny", vmi => vmi.Status.Conditions.Any(condition => condition is { Type: "Ready", Status: "Unknown" }), meanwhile: () => Pass(cluster, clock, other));
        Assert.Equal((VirtualMachineInstancePhases.Running, "node-1"), (unknown.Status.Phase, unknown.Status.NodeName));
        Assert.Contains("kubectl delete node node-1", unknown.Status.Conditions.Single(condition => condition.Type == "Ready").Message, StringComparison.Ordinal);
        Assert.DoesNotContain((await cluster.Client.For<Node>().GetAsync(new ResourceKey("", "node-2"), Stopping)).Spec.Taints, taint => taint.Key == TaintKeys.Unreachable);

        // The operator's word.
        await cluster.Client.For<Node>().DeleteAsync(new ResourceKey("", "node-1"), new DeleteOptions(), Stopping);
        var anew = await cluster.UntilAsync<VirtualMachineInstance>(
            "tiny", vmi => vmi.Metadata.Uid != unknown.Metadata.Uid && vmi.Status.Phase == VirtualMachineInstancePhases.Running, meanwhile: () => Pass(cluster, clock, other));
        Assert.Equal("node-2", anew.Status.NodeName);
    }

    [Fact]
    public async Task A_deleted_node_whose_heartbeat_goes_on_keeps_its_guests()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var cluster = await TestCluster.StartAsync(clock);
        var alive = await cluster.AddNodeAsync("node-1");
        await cluster.CreateVmAsync("tiny");
        var before = await cluster.UntilAsync<VirtualMachineInstance>(
            "tiny", vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running, meanwhile: () => Pass(cluster, clock));

        await cluster.Client.For<Node>().DeleteAsync(new ResourceKey("", "node-1"), new DeleteOptions(), Stopping);
        var end = clock.GetUtcNow() + TimeSpan.FromMinutes(3);
        await cluster.UntilAsync<VirtualMachineInstance>("tiny", _ => clock.GetUtcNow() > end, meanwhile: () => Pass(cluster, clock, alive));

        var after = await cluster.Client.For<VirtualMachineInstance>().GetAsync(ResourceKey.Of(before), Stopping);
        Assert.Equal((before.Metadata.Uid, VirtualMachineInstancePhases.Running), (after.Metadata.Uid, after.Status.Phase));
    }

    [Fact]
    public async Task A_guest_that_was_moved_is_not_lost_with_its_old_node_and_is_with_the_one_it_was_moved_to_though_that_has_not_said_that_it_has_it()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var cluster = await TestCluster.StartAsync(clock);
        var source = await cluster.AddNodeAsync("node-1");
        await cluster.CreateVmAsync("tiny");
        var moved = await cluster.UntilAsync<VirtualMachineInstance>("tiny", vmi => vmi.Status.Phase == VirtualMachineInstancePhases.Running, meanwhile: () => Pass(cluster, clock));
        var (target, other) = (await cluster.AddNodeAsync("node-2"), await cluster.AddNodeAsync("node-3"));
        var state = new MigrationState { MigrationUid = "of-the-move", SourceNode = "node-1", TargetNode = "node-2", Completed = true, EndTimestamp = clock.GetUtcNow() };
        await cluster.Client.For<VirtualMachineInstance>().PatchStatusAsync(ResourceKey.Of(moved), new JsonObject { ["status"] = new JsonObject { ["migrationState"] = GodwitJson.ToObject(state) } }, Stopping);

        // Its source is switched off for good: nothing is lost with it.
        await source.DieAsync();
        await cluster.Client.For<Node>().DeleteAsync(new ResourceKey("", "node-1"), new DeleteOptions(), Stopping);
        var end = clock.GetUtcNow() + TimeSpan.FromMinutes(3);
        await cluster.UntilAsync<VirtualMachineInstance>("tiny", _ => clock.GetUtcNow() > end, meanwhile: () => Pass(cluster, clock, target, other));
        var after = await cluster.Client.For<VirtualMachineInstance>().GetAsync(ResourceKey.Of(moved), Stopping);
        Assert.Equal((moved.Metadata.Uid, VirtualMachineInstancePhases.Running), (after.Metadata.Uid, after.Status.Phase));

        // Its target falls silent: it is not known. An operator removes it: it is lost, and starts anew.
        await target.DieAsync();
        await cluster.UntilAsync<VirtualMachineInstance>(
            "tiny", vmi => vmi.Status.Conditions.Any(condition => condition is { Type: "Ready", Status: "Unknown", Message: { } words } && words.Contains("kubectl delete node node-2", StringComparison.Ordinal)), meanwhile: () => Pass(cluster, clock, other));
        await cluster.Client.For<Node>().DeleteAsync(new ResourceKey("", "node-2"), new DeleteOptions(), Stopping);
        var anew = await cluster.UntilAsync<VirtualMachineInstance>(
            "tiny", vmi => vmi.Metadata.Uid != moved.Metadata.Uid && vmi.Status.Phase == VirtualMachineInstancePhases.Running, meanwhile: () => Pass(cluster, clock, other));
        Assert.Equal("node-3", anew.Status.NodeName);
    }

    [Fact]
    public async Task A_node_that_is_heard_of_again_loses_its_taint()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var cluster = await TestCluster.StartAsync(clock);
        var agent = await cluster.AddNodeAsync("node-1");
        await cluster.UntilAsync<Node>("node-1", node => node.Spec.Taints.Count > 0, meanwhile: () => Pass(cluster, clock));

        await cluster.UntilAsync<Node>("node-1", node => node.Spec.Taints.Count == 0, meanwhile: () => Pass(cluster, clock, agent));
    }

    /// <summary>Lets a second pass for the controllers, in which the living nodes beat.</summary>
    private static void Pass(TestCluster cluster, FakeTimeProvider clock, params IReadOnlyList<FakeAgent> living) => cluster.PassAsync(clock, living).Wait(Stopping);
}
