using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads;

namespace Godwit.Controllers.Tests.Loops;

/// <summary>What an operator does with the real kubectl to rollouts and to nodes full of pods, with real controllers behind the server.</summary>
[Trait("Needs", "kubectl")]
public sealed class KubectlOperatorTests
{
    private const string Web = """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, annotations: {kubernetes.io/change-cause: the first}}
        spec:
          replicas: 2
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: main, image: "tiny:1"}]}
        """;

    private const string Daemon = """
        apiVersion: apps/v1
        kind: DaemonSet
        metadata: {name: log}
        spec:
          selector: {matchLabels: {app: log}}
          template:
            metadata: {labels: {app: log}}
            spec: {containers: [{name: main, image: "tiny:1"}]}
        """;

    [Fact]
    public async Task A_rollout_that_is_paused_stands_still_goes_on_when_it_is_resumed_and_its_history_is_told_and_gone_back_to()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await KubectlTests.RunAsync(cluster, "apply -f -", Web);
        await KubectlTests.RunAsync(cluster, "rollout status deployment/web --timeout=60s");

        await KubectlTests.RunAsync(cluster, "rollout pause deployment/web");
        await KubectlTests.RunAsync(cluster, "set image deployment/web main=tiny:2");
        await KubectlTests.RunAsync(cluster, "annotate deployment/web kubernetes.io/change-cause=second --overwrite");
        await cluster.UntilAsync<Deployment>("web", deployment => deployment.Status.ObservedGeneration == deployment.Metadata.Generation && deployment.Status.Conditions.Any(condition => condition.Reason == "DeploymentPaused"));
        Assert.Single((await cluster.Client.For<ReplicaSet>().ListAsync(ListOptions.All, TestCluster.Stopping)).Items);

        await KubectlTests.RunAsync(cluster, "rollout resume deployment/web");
        await KubectlTests.RunAsync(cluster, "rollout status deployment/web --timeout=60s");
        Assert.Matches(@"(?s)REVISION +CHANGE-CAUSE\n1 +the first\n2 +second\n", await KubectlTests.RunAsync(cluster, "rollout history deployment/web"));
        Assert.Matches(@"(?s)revision #1.*Image:\s+tiny:1", await KubectlTests.RunAsync(cluster, "rollout history deployment/web --revision=1"));

        await KubectlTests.RunAsync(cluster, "rollout pause deployment/web");
        Assert.Contains("paused", await KubectlTests.FailAsync(cluster, "rollout undo deployment/web"), StringComparison.Ordinal);
        await KubectlTests.RunAsync(cluster, "rollout resume deployment/web");
        await KubectlTests.RunAsync(cluster, "rollout undo deployment/web --to-revision=1");
        await KubectlTests.RunAsync(cluster, "rollout status deployment/web --timeout=60s");
        Assert.Matches(@"(?s)REVISION +CHANGE-CAUSE\n2 +second\n3 +the first\n", await KubectlTests.RunAsync(cluster, "rollout history deployment/web"));
        Assert.All(await PodsAsync(cluster, "web"), pod => Assert.Equal("tiny:1", pod.Spec.Containers[0].Image));
    }

    [Fact]
    public async Task A_node_is_drained_of_its_pods_within_their_budget_and_daemons_stay()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await KubectlTests.RunAsync(cluster, "apply -f -", Web);
        await KubectlTests.RunAsync(cluster, "apply -f -", Daemon);
        await KubectlTests.RunAsync(cluster, "run alone --image=tiny:1");
        await KubectlTests.RunAsync(cluster, "rollout status deployment/web --timeout=60s");
        await KubectlTests.RunAsync(cluster, "wait pod/alone --for=condition=Ready --timeout=60s");
        await KubectlTests.RunAsync(cluster, "create pdb few --selector=app=web --min-available=2");
        await cluster.AddNodeAsync("node-2");
        await cluster.UntilAsync<DaemonSet>("log", set => set.Status.NumberAvailable == 2);

        var refused = await KubectlTests.FailAsync(cluster, "drain node-1");
        Assert.Contains("DaemonSet", refused, StringComparison.Ordinal);
        Assert.Contains("alone", refused, StringComparison.Ordinal);
        Assert.Contains("would violate the pod's disruption budget", await KubectlTests.FailAsync(cluster, "drain node-1 --ignore-daemonsets --force --timeout=8s"), StringComparison.Ordinal);
        Assert.Equal(2, (await PodsAsync(cluster, "web")).Count(PodFacts.IsReady));

        await KubectlTests.RunAsync(cluster, "scale deployment/web --replicas=3"); // The third finds its place on the other node: now one may go at a time.
        await KubectlTests.RunAsync(cluster, "rollout status deployment/web --timeout=60s");
        Assert.Contains("drained", await KubectlTests.RunAsync(cluster, "drain node-1 --ignore-daemonsets --force --timeout=50s"), StringComparison.Ordinal);
        Assert.Matches("node-1 +Ready,SchedulingDisabled ", await KubectlTests.RunAsync(cluster, "get nodes"));
        var left = (await cluster.Client.For<Pod>().ListAsync(ListOptions.All, TestCluster.Stopping)).Items.Where(pod => pod.Spec.NodeName == "node-1");
        Assert.Equal("DaemonSet", PodFacts.ControllerOf(Assert.Single(left))?.Kind);
        await cluster.UntilAsync<Deployment>("web", deployment => deployment.Status.AvailableReplicas == 3);
        Assert.All(await PodsAsync(cluster, "web"), pod => Assert.Equal("node-2", pod.Spec.NodeName));
    }

    private static async Task<IReadOnlyList<Pod>> PodsAsync(TestCluster cluster, string app) =>
        [.. (await cluster.Client.For<Pod>().ListAsync(ListOptions.All, TestCluster.Stopping)).Items.Where(pod => pod.Metadata.Labels.GetValueOrDefault("app") == app && PodFacts.IsActive(pod))];
}
