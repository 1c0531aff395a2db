using System.Text.Json.Nodes;
using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads;

namespace Godwit.Controllers.Tests.Loops;

public sealed class DaemonSetTests
{
    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task A_daemon_set_has_one_pod_on_each_node_that_fits_cordoned_ones_too()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await cluster.AddNodeAsync("node-2");
        await CordonAsync(cluster, "node-2");
        await CreateAsync(cluster);
        await cluster.UntilAsync<DaemonSet>("log", set => set.Status is { DesiredNumberScheduled: 2, NumberAvailable: 2, NumberUnavailable: 0, UpdatedNumberScheduled: 2 });
        Assert.Equal(["node-1", "node-2"], (await PodsAsync(cluster)).Select(pod => pod.Spec.NodeName).Order(StringComparer.Ordinal));

        await cluster.AddNodeAsync("node-3");
        await cluster.UntilAsync<DaemonSet>("log", set => set.Status is { DesiredNumberScheduled: 3, NumberAvailable: 3 });

        // One node is taken out of its reach by the set's own words, and the pod there goes.
        await PatchTemplateAsync(cluster, new JsonObject { ["nodeSelector"] = new JsonObject { [LabelNames.Hostname] = "node-1" } });
        await cluster.UntilAsync<DaemonSet>("log", set => set.Status is { DesiredNumberScheduled: 1, NumberAvailable: 1, UpdatedNumberScheduled: 1, NumberMisscheduled: 0 });
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)) is [{ Spec.NodeName: "node-1" }], () => "pods are on nodes that do not fit");
    }

    [Fact]
    public async Task A_changed_template_comes_to_all_nodes_one_after_the_other_and_can_be_taken_back()
    {
        await using var cluster = await TestCluster.StartAsync();
        foreach (var name in new[] { "node-1", "node-2", "node-3" })
        {
            await cluster.AddNodeAsync(name);
        }

        await CreateAsync(cluster);
        await cluster.UntilAsync<DaemonSet>("log", set => set.Status.NumberAvailable == 3);
        cluster.Pods.BecomesReady = pod => pod.Spec.Containers[0].Image != "tiny:bad";
        await PatchTemplateAsync(cluster, Image("tiny:bad"));
        var stuck = await cluster.UntilAsync<DaemonSet>("log", set => set.Status is { UpdatedNumberScheduled: 1, NumberAvailable: 2 } && set.Status.ObservedGeneration == set.Metadata.Generation);
        Assert.Equal(1, stuck.Status.NumberUnavailable);

        await PatchTemplateAsync(cluster, Image("tiny:1"));
        await cluster.UntilAsync<DaemonSet>("log", set => set.Status is { UpdatedNumberScheduled: 3, NumberAvailable: 3 } && set.Status.ObservedGeneration == set.Metadata.Generation);
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)) is { Count: 3 } pods && pods.All(pod => pod.Spec.Containers[0].Image == "tiny:1"), () => "old pods are left");
        var revisions = (await cluster.Client.For<ControllerRevision>().ListAsync(ListOptions.All, Stopping)).Items;
        Assert.Equal([2L, 3L], revisions.Select(revision => revision.Revision).Order());
    }

    [Fact]
    [Trait("Needs", "kubectl")]
    public async Task Kubectl_restarts_and_takes_back_a_daemon_set_and_waits_for_it()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await CreateAsync(cluster);
        await KubectlTests.RunAsync(cluster, "rollout status ds/log --timeout=60s");
        var first = Assert.Single(await PodsAsync(cluster)).Metadata.Uid;
        await KubectlTests.RunAsync(cluster, "rollout restart ds/log");
        await KubectlTests.RunAsync(cluster, "rollout status ds/log --timeout=60s");
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)) is [var pod] && pod.Metadata.Uid != first, () => "it was not restarted");
        await KubectlTests.RunAsync(cluster, "set image ds/log main=tiny:2");
        await KubectlTests.RunAsync(cluster, "rollout undo ds/log");
        await KubectlTests.RunAsync(cluster, "rollout status ds/log --timeout=60s");
        Assert.Equal("tiny:1", (await cluster.Client.For<DaemonSet>().GetAsync(new ResourceKey("default", "log"), Stopping)).Spec.Template.Spec!.Containers[0].Image);
        Assert.Matches(@"log +1 +1 +1 +1 +1 +<none> ", await KubectlTests.RunAsync(cluster, "get ds"));
        Assert.Contains("REVISION", await KubectlTests.RunAsync(cluster, "rollout history ds/log"), StringComparison.Ordinal);
        await KubectlTests.RunAsync(cluster, "delete ds log --cascade=foreground --timeout=60s");
        Assert.Empty(await PodsAsync(cluster));
    }

    private static JsonObject Image(string image) => new() { ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["image"] = image }) };

    private static Task<DaemonSet> CreateAsync(TestCluster cluster) => cluster.Client.For<DaemonSet>().CreateAsync(
        new DaemonSet
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = "log" },
            Spec = new DaemonSetSpec
            {
                Selector = new LabelSelectorSpec { MatchLabels = new Dictionary<string, string> { ["app"] = "log" } },
                Template = new PodTemplate
                {
                    Metadata = new ObjectMeta { Labels = new Dictionary<string, string> { ["app"] = "log" } },
                    Spec = new PodSpec { Containers = [new Container { Name = "main", Image = "tiny:1" }] },
                },
            },
        },
        Stopping);

    private static Task<DaemonSet> PatchTemplateAsync(TestCluster cluster, JsonObject spec) => cluster.Client.For<DaemonSet>().PatchAsync(
        new ResourceKey("default", "log"), new JsonObject { ["spec"] = new JsonObject { ["template"] = new JsonObject { ["spec"] = spec } } }, Stopping);

    private static Task<Node> CordonAsync(TestCluster cluster, string name) => cluster.Client.For<Node>().PatchAsync(
        new ResourceKey("", name), new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = true } }, Stopping);

    private static async Task<IReadOnlyList<Pod>> PodsAsync(TestCluster cluster) =>
        [.. (await cluster.Client.For<Pod>().ListAsync(ListOptions.All, Stopping)).Items.Where(pod => PodFacts.ControllerOf(pod)?.Kind == "DaemonSet")];
}
