using System.Text.Json.Nodes;
using Godwit.Api.Apps.V1;
using Godwit.Controllers.Workloads;
using Godwit.Controllers.Workloads.Deployments;

namespace Godwit.Controllers.Tests.Loops;

public sealed class DeploymentTests
{
    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task A_deployment_makes_its_pods_scales_and_renews_them_and_goes_back()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await CreateAsync(cluster, replicas: 3);

        var made = await cluster.UntilAsync<Deployment>("web", IsDone(3));
        Assert.Equal("1", made.Metadata.Annotations[DeploymentPlanner.RevisionAnnotation]);
        var first = Assert.Single(await SetsAsync(cluster));

        await ChangeAsync(cluster, spec => spec with { Replicas = 5 });
        await cluster.UntilAsync<Deployment>("web", IsDone(5));

        await ChangeAsync(cluster, spec => spec with { Template = TemplateOf("tiny:2") });
        await cluster.UntilAsync<Deployment>("web", deployment => IsDone(5)(deployment) && deployment.Metadata.Annotations[DeploymentPlanner.RevisionAnnotation] == "2");
        await UntilPodsAsync(cluster, "tiny:2", 5); // A pod that was told to go counts no more, and may still be there.
        await UntilPodsAsync(cluster, "tiny:1", 0);

        // kubectl rollout undo asks for the old template again.
        await ChangeAsync(cluster, spec => spec with { Template = TemplateOf("tiny:1") });
        await cluster.UntilAsync<Deployment>("web", deployment => IsDone(5)(deployment) && deployment.Metadata.Annotations[DeploymentPlanner.RevisionAnnotation] == "3");
        var sets = await SetsAsync(cluster);
        Assert.Equal(2, sets.Count);
        Assert.Equal(5, sets.Single(set => set.Metadata.Uid == first.Metadata.Uid).Spec.Replicas);
    }

    [Fact]
    public async Task A_set_that_is_to_have_no_pods_says_that_it_has_none_and_no_look_at_it_fails()
    {
        await using var cluster = await TestCluster.StartAsync();
        await CreateAsync(cluster, replicas: 0);
        await cluster.UntilAsync<Deployment>("web", deployment => deployment.Status.ObservedGeneration == 1);
        await Eventually.HoldsAsync(async () => (await SetsAsync(cluster)) is [{ Status.ObservedGeneration: 1 }], () => "its set says nothing of itself");
        Assert.Equal(0, cluster.Counts["replicaset"].Failures);
    }

    [Fact]
    public async Task A_rollout_to_what_never_gets_ready_stops_within_its_bounds_and_goes_on_once_it_does()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await CreateAsync(cluster, replicas: 4);
        await cluster.UntilAsync<Deployment>("web", IsDone(4));

        cluster.Pods.BecomesReady = pod => pod.Spec.Containers[0].Image != "tiny:bad";
        await ChangeAsync(cluster, spec => spec with { Template = TemplateOf("tiny:bad") });

        // A quarter more (1) and a quarter fewer (1): two new ones are tried while three old ones serve.
        var stuck = await cluster.UntilAsync<Deployment>("web", deployment => deployment.Status is { UpdatedReplicas: 2, Replicas: 5, AvailableReplicas: 3 });
        Assert.Contains(stuck.Status.Conditions, condition => condition is { Type: "Available", Status: "True" });
        await UntilPodsAsync(cluster, "tiny:1", 3);

        cluster.Pods.BecomesReady = _ => true;
        cluster.Pods.LookAgain();
        await cluster.UntilAsync<Deployment>("web", IsDone(4));
    }

    [Fact]
    public async Task A_paused_deployment_renews_nothing_until_it_is_resumed_but_scales()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await CreateAsync(cluster, replicas: 2);
        await cluster.UntilAsync<Deployment>("web", IsDone(2));

        await ChangeAsync(cluster, spec => spec with { Paused = true, Template = TemplateOf("tiny:2"), Replicas = 3 });
        await cluster.UntilAsync<Deployment>("web", deployment => deployment.Status is { AvailableReplicas: 3, UpdatedReplicas: 0 });
        Assert.Single(await SetsAsync(cluster));

        await ChangeAsync(cluster, spec => spec with { Paused = null });
        await cluster.UntilAsync<Deployment>("web", IsDone(3));
        Assert.Equal(2, (await SetsAsync(cluster)).Count);
    }

    [Fact]
    public async Task Recreate_starts_nothing_new_before_all_that_is_old_has_gone()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await CreateAsync(cluster, replicas: 3, strategy: DeploymentStrategies.Recreate);
        await cluster.UntilAsync<Deployment>("web", IsDone(3));

        cluster.Pods.Silent = new HashSet<string> { "node-1" }; // What is deleted stays until its node lets go of it.
        await ChangeAsync(cluster, spec => spec with { Template = TemplateOf("tiny:2") });
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)).All(pod => pod.Metadata.DeletionTimestamp is not null), () => "the old pods were not deleted");
        await cluster.UntilAsync<Deployment>("web", deployment => deployment.Status.AvailableReplicas == 0 && deployment.Metadata.Annotations[DeploymentPlanner.RevisionAnnotation] == "2");
        Assert.DoesNotContain(await PodsAsync(cluster), pod => pod.Spec.Containers[0].Image == "tiny:2");

        cluster.Pods.Silent = new HashSet<string>();
        cluster.Pods.LookAgain();
        await cluster.UntilAsync<Deployment>("web", IsDone(3));
    }

    [Fact]
    public async Task A_pod_that_is_deleted_is_replaced_and_all_go_with_the_deployment()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await CreateAsync(cluster, replicas: 2);
        await cluster.UntilAsync<Deployment>("web", IsDone(2));
        var victim = (await PodsAsync(cluster))[0];

        await cluster.Client.For<Pod>().DeleteAsync(ResourceKey.Of(victim), new DeleteOptions(), Stopping);
        await Eventually.HoldsAsync(
            async () => await PodsAsync(cluster) is { Count: 2 } pods && pods.All(pod => pod.Metadata.Uid != victim.Metadata.Uid && PodFacts.IsReady(pod)), () => "the pod was not replaced");

        await cluster.Client.For<Deployment>().DeleteAsync(new ResourceKey("default", "web"), new DeleteOptions(), Stopping);
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)).Count == 0 && (await SetsAsync(cluster)).Count == 0, () => "pods or sets are still there");
    }

    [Fact]
    public async Task A_pod_without_an_owner_is_taken_and_one_whose_labels_no_longer_fit_is_let_go_and_replaced()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await CreateAsync(cluster, replicas: 1);
        await cluster.UntilAsync<Deployment>("web", IsDone(1));
        var pod = Assert.Single(await PodsAsync(cluster));

        await cluster.Client.For<Pod>().PatchAsync(ResourceKey.Of(pod), new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["app"] = "debug" } } }, Stopping);
        await cluster.UntilAsync<Pod>(pod.Metadata.Name, loose => loose.Metadata.OwnerReferences.Count == 0);
        await Eventually.HoldsAsync(async () => (await PodsAsync(cluster)).Count == 2, () => "it was not replaced");
        await cluster.UntilAsync<Deployment>("web", IsDone(1));

        // Back again: two are one too many.
        await cluster.Client.For<Pod>().PatchAsync(ResourceKey.Of(pod), new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["app"] = "web" } } }, Stopping);
        await Eventually.HoldsAsync(
            async () => await PodsAsync(cluster) is [var left] && PodFacts.ControllerOf(left)?.Name.StartsWith("web", StringComparison.Ordinal) is true,
            () => "two pods are left, or one that nobody has");
    }

    private static Func<Deployment, bool> IsDone(int replicas) => deployment =>
        deployment.Status.ObservedGeneration >= deployment.Metadata.Generation
        && deployment.Status.Replicas == replicas && deployment.Status.UpdatedReplicas == replicas && deployment.Status.AvailableReplicas == replicas
        && deployment.Status.Conditions.Any(condition => condition is { Type: "Progressing", Reason: "NewReplicaSetAvailable" });

    private static Task<Deployment> CreateAsync(TestCluster cluster, int replicas, string? strategy = null) => cluster.Client.For<Deployment>().CreateAsync(
        new Deployment
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = "web" },
            Spec = new DeploymentSpec
            {
                Replicas = replicas,
                Selector = new LabelSelectorSpec { MatchLabels = new Dictionary<string, string> { ["app"] = "web" } },
                Template = TemplateOf("tiny:1"),
                Strategy = strategy is null ? null : new DeploymentStrategy { Type = strategy },
            },
        },
        Stopping);

    private static PodTemplate TemplateOf(string image) => new()
    {
        Metadata = new ObjectMeta { Labels = new Dictionary<string, string> { ["app"] = "web" } },
        Spec = new PodSpec { Containers = [new Container { Name = "main", Image = image }] },
    };

    private static async Task ChangeAsync(TestCluster cluster, Func<DeploymentSpec, DeploymentSpec> change)
    {
        var deployments = cluster.Client.For<Deployment>();
        await Eventually.HoldsAsync(
            async () =>
            {
                var now = await deployments.GetAsync(new ResourceKey("default", "web"), Stopping);
                try
                {
                    await deployments.UpdateAsync(now with { Spec = change(now.Spec) }, Stopping);
                    return true;
                }
                catch (ApiException error) when (error.IsConflict)
                {
                    return false;
                }
            },
            () => "the deployment was changed by others all the time");
    }

    private static async Task<IReadOnlyList<ReplicaSet>> SetsAsync(TestCluster cluster) => (await cluster.Client.For<ReplicaSet>().ListAsync(ListOptions.All, Stopping)).Items;

    private static Task UntilPodsAsync(TestCluster cluster, string image, int count) => Eventually.HoldsAsync(
        async () => (await PodsAsync(cluster)).Count(pod => pod.Spec.Containers[0].Image == image) == count,
        () => $"there are not {count} pods of {image}");

    private static async Task<IReadOnlyList<Pod>> PodsAsync(TestCluster cluster) => (await cluster.Client.For<Pod>().ListAsync(ListOptions.All, Stopping)).Items;
}
