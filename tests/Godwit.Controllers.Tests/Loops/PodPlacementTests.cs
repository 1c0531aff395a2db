using Godwit.Api.Scheduling.V1;
using Godwit.Controllers.Placements;

namespace Godwit.Controllers.Tests.Loops;

public sealed class PodPlacementTests
{
    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task A_pod_gets_an_address_and_a_node_and_runs()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await cluster.CreatePodAsync("web");

        var pod = await cluster.UntilAsync<Pod>("web", pod => pod.Status.Phase == PodPhases.Running);

        Assert.Equal("node-1", pod.Spec.NodeName);
        Assert.StartsWith("10.77.0.", pod.Status.PodIP, StringComparison.Ordinal);
        Assert.Contains(pod.Status.Conditions, condition => condition is { Type: PodConditionTypes.PodScheduled, Status: "True" });
        Assert.Equal("Successfully assigned default/web to node-1", (await cluster.EventAsync("Scheduled", "web")).Message);
    }

    [Fact]
    public async Task A_pod_without_room_says_why_and_gets_its_node_when_room_is_there()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1", memory: "1Gi");
        await cluster.CreatePodAsync("large", memory: "2Gi");

        Assert.Equal("0/1 nodes are available: 1 Insufficient memory.", (await cluster.EventAsync("FailedScheduling", "large")).Message);
        var waiting = await cluster.UntilAsync<Pod>("large", pod => pod.Status.Conditions.Count > 0);
        Assert.Equal((PodPhases.Pending, "Unschedulable"), (waiting.Status.Phase, waiting.Status.Conditions.Single().Reason));

        await cluster.AddNodeAsync("node-2");
        var placed = await cluster.UntilAsync<Pod>("large", pod => pod.Status.Phase == PodPhases.Running);
        Assert.Equal("node-2", placed.Spec.NodeName);
        Assert.Contains(placed.Status.Conditions, condition => condition is { Type: PodConditionTypes.PodScheduled, Status: "True" });
    }

    [Fact]
    public async Task A_guest_and_pods_never_have_the_same_room_or_the_same_address()
    {
        await using var cluster = await TestCluster.StartAsync(cidr: "10.77.0.0/28");
        await cluster.AddNodeAsync("node-1", memory: "1Gi");
        await cluster.CreateVmAsync("guest", memory: "256Mi");
        for (var i = 0; i < 6; i++)
        {
            await cluster.CreatePodAsync($"pod-{i}", memory: "200Mi");
        }

        var guest = await cluster.UntilAsync<VirtualMachineInstance>("guest", vmi => vmi.Status.Interfaces.Count > 0 && (vmi.Status.NodeName is not null || vmi.Status.Conditions.Count > 0));
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)).All(IsDecided), () => "not all pods were decided upon");
        var pods = await PodsAsync(cluster);

        var used = (pods.Count(pod => pod.Spec.NodeName is not null) * 200) + (string.IsNullOrEmpty(guest.Status.NodeName) ? 0 : 256 + 120);
        Assert.True(used <= 1024, $"{used} MiB are given out on a node of 1024");
        var addresses = pods.Select(pod => pod.Status.PodIP).Append(guest.Status.Interfaces[0].IpAddress).ToList();
        Assert.Equal(addresses.Count, addresses.Distinct().Count());
    }

    [Fact]
    public async Task A_pod_of_higher_priority_is_placed_first()
    {
        await using var cluster = await TestCluster.StartAsync();
        for (var i = 0; i < 4; i++)
        {
            await cluster.CreatePodAsync($"low-{i}", memory: "600Mi");
        }

        await cluster.CreatePriorityAsync("high", 1000);
        await cluster.CreatePodAsync("high", memory: "600Mi", priorityClass: "high");
        await Eventually.HoldsAsync(
            async () => (await PodsAsync(cluster)).All(pod => pod.Status.Conditions.Any(condition => condition.Type == PodConditionTypes.PodScheduled)), () => "not all pods were looked at");
        await cluster.AddNodeAsync("node-1", memory: "1Gi");

        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)).Any(pod => pod.Spec.NodeName is not null), () => "no pod got the node");
        Assert.Equal("high", (await PodsAsync(cluster)).Single(pod => pod.Spec.NodeName is not null).Metadata.Name);
    }

    [Fact]
    public async Task A_pod_of_higher_priority_has_one_of_lower_priority_taken_down_and_a_guest_never()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.CreatePriorityAsync("high", 1000);
        await cluster.CreatePriorityAsync("middle", 100);
        await cluster.CreatePriorityAsync("patient", 2000, PreemptionPolicies.Never);
        await cluster.AddNodeAsync("node-1", memory: "1Gi");
        await cluster.CreatePodAsync("low", memory: "400Mi");
        await cluster.CreatePodAsync("middle", memory: "400Mi", priorityClass: "middle");
        await cluster.UntilAsync<Pod>("low", pod => pod.Status.Phase == PodPhases.Running);
        await cluster.UntilAsync<Pod>("middle", pod => pod.Status.Phase == PodPhases.Running);

        // One that waits rather than disturb others disturbs nobody, however important it is.
        await cluster.CreatePodAsync("patient", memory: "500Mi", priorityClass: "patient");
        var patient = await cluster.UntilAsync<Pod>("patient", pod => pod.Status.Conditions.Count > 0);
        Assert.Null(patient.Status.NominatedNodeName);
        Assert.Equal((2000, PreemptionPolicies.Never), (patient.Spec.Priority, patient.Spec.PreemptionPolicy));
        await cluster.Client.For<Pod>().TryDeleteAsync(ResourceKey.Of(patient), new DeleteOptions(), Stopping);

        await cluster.CreatePodAsync("high", memory: "500Mi", priorityClass: "high");
        var high = await cluster.UntilAsync<Pod>("high", pod => pod.Status.Phase == PodPhases.Running);
        Assert.Equal("node-1", high.Spec.NodeName);
        Assert.Equal("Preempted by pod default/high on node node-1", (await cluster.EventAsync("Preempted", "low")).Message);
        await cluster.UntilGoneAsync<Pod>("low");
        Assert.Null((await cluster.Client.For<Pod>().GetAsync(new ResourceKey("default", "middle"), Stopping)).Metadata.DeletionTimestamp);

        // A guest has no priority that anybody could be above.
        await cluster.AddNodeAsync("node-2", memory: "1Gi");
        await cluster.CreateVmAsync("guest", memory: "600Mi");
        await cluster.UntilAsync<VirtualMachineInstance>("guest", vmi => vmi.Status.NodeName == "node-2");
        await cluster.CreatePodAsync("critical", memory: "900Mi", priorityClass: "system-node-critical");
        await cluster.UntilAsync<Pod>("critical", pod => pod.Spec.NodeName == "node-1");
        await cluster.UntilGoneAsync<Pod>("high");
        Assert.Null((await cluster.Client.For<VirtualMachineInstance>().GetAsync(new ResourceKey("default", "guest"), Stopping)).Metadata.DeletionTimestamp);
    }

    [Fact]
    public async Task Hundreds_that_fit_nowhere_keep_nobody_waiting_and_get_room_when_there_is_some()
    {
        await using var cluster = await TestCluster.StartAsync(cidr: "10.77.0.0/21");
        await Task.WhenAll(Enumerable.Range(0, PodRoundPlanner.PodsMax + 20).Select(number => cluster.CreatePodAsync($"large-{number}", memory: "2Gi")));
        await cluster.CreatePodAsync("small", memory: "100Mi"); // The youngest, so behind all others.
        await cluster.AddNodeAsync("node-1", memory: "1Gi");
        await cluster.UntilAsync<Pod>("small", pod => pod.Status.Phase == PodPhases.Running);

        await cluster.AddNodeAsync("node-2", memory: "3Gi");
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)).Count(pod => pod.Spec.NodeName == "node-2") == 1, () => "none of them got the room");
    }

    private static bool IsDecided(Pod pod) => pod.Spec.NodeName is not null || pod.Status.Conditions.Any(condition => condition is { Type: PodConditionTypes.PodScheduled, Status: "False" });

    private static async Task<IReadOnlyList<Pod>> PodsAsync(TestCluster cluster) => (await cluster.Client.For<Pod>().ListAsync(ListOptions.All, Stopping)).Items;
}
