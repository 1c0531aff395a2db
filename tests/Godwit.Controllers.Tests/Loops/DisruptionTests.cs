using System.Net;
using System.Text.Json.Nodes;
using Godwit.Api.Policy.V1;

namespace Godwit.Controllers.Tests.Loops;

public sealed class DisruptionTests
{
    private static CancellationToken Stopping => TestCluster.Stopping;

    private const string Owner = """
        apiVersion: v1
        kind: ReplicationController
        metadata: {name: web}
        spec:
          replicas: 3
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: main, image: tiny}]}
        """;

    [Fact]
    [Trait("Needs", "kubectl")]
    public async Task A_budget_lets_go_of_as_many_pods_as_it_says_and_of_more_once_others_are_ready()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await KubectlTests.RunAsync(cluster, "apply -f -", Owner);
        await cluster.UntilAsync<ReplicationController>("web", owner => owner.Status is { Replicas: 3, ReadyReplicas: 3, AvailableReplicas: 3, ObservedGeneration: 1 });
        await KubectlTests.RunAsync(cluster, "create pdb few --selector=app=web --min-available=2");
        var ready = await cluster.UntilAsync<PodDisruptionBudget>("few", budget => budget.Status.DisruptionsAllowed == 1);
        Assert.Equal((3, 2, 3), (ready.Status.CurrentHealthy, ready.Status.DesiredHealthy, ready.Status.ExpectedPods));
        Assert.Matches(@"few +2 +N/A +1 ", await KubectlTests.RunAsync(cluster, "get pdb"));

        var names = (await cluster.Client.For<Pod>().ListAsync(ListOptions.All, Stopping)).Items.Select(pod => pod.Metadata.Name).ToList();
        cluster.Pods.BecomesReady = pod => names.Contains(pod.Metadata.Name); // Who comes in the place of another is not ready for now.
        await EvictAsync(cluster, names[0]);
        await cluster.UntilAsync<PodDisruptionBudget>("few", budget => budget.Status is { DisruptionsAllowed: 0, CurrentHealthy: 2 });
        var refused = await Assert.ThrowsAsync<ApiException>(() => EvictAsync(cluster, names[1]));
        Assert.Equal((int)HttpStatusCode.TooManyRequests, refused.Code);
        Assert.Contains(refused.Status.Details?.Causes ?? [], cause => cause.Reason == "DisruptionBudget");

        cluster.Pods.BecomesReady = _ => true;
        cluster.Pods.LookAgain();
        await cluster.UntilAsync<PodDisruptionBudget>("few", budget => budget.Status is { DisruptionsAllowed: 1, CurrentHealthy: 3 });
        await EvictAsync(cluster, names[1]);
        await KubectlTests.RunAsync(cluster, "scale rc web --replicas=1");
        await cluster.UntilAsync<ReplicationController>("web", owner => owner.Status is { Replicas: 1, ReadyReplicas: 1 });
        await KubectlTests.RunAsync(cluster, "delete rc web --cascade=foreground --timeout=60s");
    }

    private static Task EvictAsync(TestCluster cluster, string name) => cluster.Client.For<Pod>().PostAsync(
        new ResourceKey("default", name),
        "eviction",
        new JsonObject { ["apiVersion"] = "policy/v1", ["kind"] = "Eviction", ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "default" } },
        Stopping);
}
