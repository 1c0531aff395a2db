using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads;

namespace Godwit.Controllers.Tests.Loops;

[Trait("Needs", "kubectl")]
public sealed class StatefulSetTests
{
    private const string Database = """
        apiVersion: apps/v1
        kind: StatefulSet
        metadata: {name: db}
        spec:
          replicas: 3
          serviceName: db
          selector: {matchLabels: {app: db}}
          template:
            metadata: {labels: {app: db}}
            spec: {containers: [{name: main, image: "tiny:1"}]}
        """;

    [Fact]
    public async Task Kubectl_makes_scales_renews_and_takes_back_a_stateful_set()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await KubectlTests.RunAsync(cluster, "apply -f -", Database);
        await KubectlTests.RunAsync(cluster, "rollout status sts/db --timeout=60s");
        var pods = await PodsAsync(cluster);
        Assert.Equal([("db-0", "db-0", "db"), ("db-1", "db-1", "db"), ("db-2", "db-2", "db")], pods.Select(pod => (pod.Metadata.Name, pod.Spec.Hostname!, pod.Spec.Subdomain!)));
        Assert.True(pods[0].Metadata.CreationTimestamp <= pods[2].Metadata.CreationTimestamp);
        Assert.Matches(@"db +3/3 ", await KubectlTests.RunAsync(cluster, "get sts"));

        await KubectlTests.RunAsync(cluster, "set image sts/db main=tiny:2");
        await KubectlTests.RunAsync(cluster, "rollout status sts/db --timeout=60s");
        Assert.All(await PodsAsync(cluster), pod => Assert.Equal("tiny:2", pod.Spec.Containers[0].Image));
        await KubectlTests.RunAsync(cluster, "rollout undo sts/db");
        await KubectlTests.RunAsync(cluster, "rollout status sts/db --timeout=60s");
        Assert.All(await PodsAsync(cluster), pod => Assert.Equal("tiny:1", pod.Spec.Containers[0].Image));

        await KubectlTests.RunAsync(cluster, "scale sts db --replicas=1");
        await cluster.UntilAsync<StatefulSet>("db", set => set.Status is { Replicas: 1, ReadyReplicas: 1 });
        Assert.Equal("db-0", Assert.Single(await PodsAsync(cluster)).Metadata.Name);
        await KubectlTests.RunAsync(cluster, "delete sts db --cascade=foreground --timeout=60s");
        Assert.Empty(await PodsAsync(cluster));
    }

    [Fact]
    public async Task A_pod_that_does_not_get_ready_holds_back_those_after_it()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        cluster.Pods.BecomesReady = pod => pod.Metadata.Name != "db-1";
        await KubectlTests.RunAsync(cluster, "apply -f -", Database);
        await cluster.UntilAsync<StatefulSet>("db", set => set.Status is { Replicas: 2, ReadyReplicas: 1 });
        Assert.Equal(["db-0", "db-1"], (await PodsAsync(cluster)).Select(pod => pod.Metadata.Name));

        cluster.Pods.BecomesReady = _ => true;
        cluster.Pods.LookAgain();
        await cluster.UntilAsync<StatefulSet>("db", set => set.Status is { Replicas: 3, ReadyReplicas: 3, CurrentReplicas: 3 });
    }

    private static async Task<IReadOnlyList<Pod>> PodsAsync(TestCluster cluster) =>
        [.. (await cluster.Client.For<Pod>().ListAsync(ListOptions.All, TestCluster.Stopping)).Items.Where(pod => PodFacts.ControllerOf(pod)?.Kind == "StatefulSet").OrderBy(pod => pod.Metadata.Name, StringComparer.Ordinal)];
}
