using System.Text.Json.Nodes;
using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Tests.Loops;

/// <summary>What becomes of a stateful set's claims where shrinking and deleting say different things.</summary>
public sealed class ClaimRetentionTests
{
    private const string Retain = "Retain";
    private const string Delete = "Delete";

    [Theory]
    [InlineData(Retain, Delete)]
    [InlineData(Delete, Retain)]
    public async Task Shrinking_takes_the_claims_that_whenScaled_says_and_the_set_going_those_that_whenDeleted_says(string whenDeleted, string whenScaled)
    {
        await using var cluster = await StartAsync(whenDeleted, whenScaled);
        await ScaleAsync(cluster, 1);
        if (whenScaled == Delete)
        {
            await UntilClaimsAsync(cluster, "data-db-0");
        }

        await cluster.UntilAsync<StatefulSet>("db", set => set.Status is { Replicas: 1 } && set.Status.ObservedGeneration == set.Metadata.Generation);
        Assert.Equal(whenScaled == Delete ? ["data-db-0"] : ["data-db-0", "data-db-1", "data-db-2"], await ClaimsAsync(cluster));

        await Sets(cluster).DeleteAsync(Key("db"), new DeleteOptions(), TestCluster.Stopping);
        await cluster.UntilGoneAsync<Pod>("db-0");
        if (whenDeleted == Delete)
        {
            await UntilClaimsAsync(cluster);
        }

        await UntilCollectedAsync(cluster);
        Assert.Equal(whenDeleted == Delete ? [] : ["data-db-0"], await ClaimsAsync(cluster));
    }

    [Theory]
    [InlineData(Retain, Delete)]
    [InlineData(Delete, Retain)]
    public async Task A_set_that_goes_without_having_shrunk_takes_its_claims_by_whenDeleted_alone(string whenDeleted, string whenScaled)
    {
        await using var cluster = await StartAsync(whenDeleted, whenScaled);

        await Sets(cluster).DeleteAsync(Key("db"), new DeleteOptions { PropagationPolicy = PropagationPolicies.Foreground }, TestCluster.Stopping);
        await cluster.UntilGoneAsync<StatefulSet>("db");
        if (whenDeleted == Delete)
        {
            await UntilClaimsAsync(cluster);
        }

        await UntilCollectedAsync(cluster);
        Assert.Equal(whenDeleted == Delete ? [] : ["data-db-0", "data-db-1", "data-db-2"], await ClaimsAsync(cluster));
    }

    [Fact]
    public async Task A_set_that_goes_while_pods_that_are_too_many_still_end_takes_their_claims_and_keeps_the_others()
    {
        await using var cluster = await StartAsync(Retain, Delete);
        cluster.Pods.Silent = new HashSet<string> { "node-1" }; // Nothing ends.
        await ScaleAsync(cluster, 1);
        await cluster.UntilAsync<Pod>("db-2", pod => pod.Metadata.DeletionTimestamp is not null);

        await Sets(cluster).DeleteAsync(Key("db"), new DeleteOptions(), TestCluster.Stopping);
        await cluster.UntilGoneAsync<StatefulSet>("db");
        Assert.Equal(["data-db-0", "data-db-1", "data-db-2"], await ClaimsAsync(cluster));
        EndPods(cluster);

        await UntilClaimsAsync(cluster, "data-db-0");
        await cluster.UntilGoneAsync<Pod>("db-0");
        await UntilCollectedAsync(cluster);
        Assert.Equal(["data-db-0"], await ClaimsAsync(cluster));
    }

    [Fact]
    public async Task A_number_that_is_wanted_again_before_its_pod_has_gone_keeps_its_claim()
    {
        await using var cluster = await StartAsync(Retain, Delete);
        var (claim, pod) = (await cluster.UntilAsync<PersistentVolumeClaim>("data-db-2", _ => true), await cluster.UntilAsync<Pod>("db-2", _ => true));
        cluster.Pods.Silent = new HashSet<string> { "node-1" };
        await ScaleAsync(cluster, 2);
        await cluster.UntilAsync<PersistentVolumeClaim>("data-db-2", found => found.Metadata.OwnerReferences is [{ Kind: "Pod" } owner] && owner.Uid == pod.Metadata.Uid);
        await ScaleAsync(cluster, 3);
        await cluster.UntilAsync<PersistentVolumeClaim>("data-db-2", found => found.Metadata.OwnerReferences.Count == 0);
        EndPods(cluster);

        await cluster.UntilAsync<Pod>("db-2", found => found.Metadata.Uid != pod.Metadata.Uid && found.Status.Phase == PodPhases.Running);
        Assert.Equal(claim.Metadata.Uid, (await cluster.UntilAsync<PersistentVolumeClaim>("data-db-2", _ => true)).Metadata.Uid);
    }

    [Fact]
    public async Task A_number_whose_claim_is_going_waits_until_it_has_gone_and_starts_with_a_new_one()
    {
        await using var cluster = await StartAsync(Retain, Delete);
        var claim = await cluster.UntilAsync<PersistentVolumeClaim>("data-db-2", _ => true);
        const string Held = "example.org/held"; // As by a backup of it that is not done.
        await cluster.Client.For<PersistentVolumeClaim>().PatchAsync(
            ResourceKey.Of(claim), new JsonObject { ["metadata"] = new JsonObject { ["finalizers"] = new JsonArray([.. claim.Metadata.Finalizers.Append(Held).Select(name => (JsonNode?)name)]) } }, TestCluster.Stopping);
        await ScaleAsync(cluster, 2);
        await cluster.UntilAsync<PersistentVolumeClaim>("data-db-2", found => found.Metadata.DeletionTimestamp is not null && found.Metadata.Finalizers is [Held]);
        await ScaleAsync(cluster, 3);
        await cluster.UntilAsync<StatefulSet>("db", set => set.Status.ObservedGeneration == set.Metadata.Generation);
        Assert.Null(await cluster.Client.For<Pod>().FindAsync(Key("db-2"), TestCluster.Stopping));

        await cluster.Client.For<PersistentVolumeClaim>().PatchAsync(ResourceKey.Of(claim), new JsonObject { ["metadata"] = new JsonObject { ["finalizers"] = new JsonArray() } }, TestCluster.Stopping);

        await cluster.UntilAsync<Pod>("db-2", pod => pod.Status.Phase == PodPhases.Running);
        Assert.NotEqual(claim.Metadata.Uid, (await cluster.UntilAsync<PersistentVolumeClaim>("data-db-2", _ => true)).Metadata.Uid);
    }

    private static ResourceClient<StatefulSet> Sets(TestCluster cluster) => cluster.Client.For<StatefulSet>();

    private static ResourceKey Key(string name) => new("default", name);

    /// <summary>A set of three that run.</summary>
    private static async Task<TestCluster> StartAsync(string whenDeleted, string whenScaled)
    {
        var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        var labels = new Dictionary<string, string> { ["app"] = "db" };
        await Sets(cluster).CreateAsync(
            new StatefulSet
            {
                Metadata = new ObjectMeta { Namespace = "default", Name = "db" },
                Spec = new StatefulSetSpec
                {
                    Replicas = 3,
                    ServiceName = "db",
                    PersistentVolumeClaimRetentionPolicy = new StatefulSetPersistentVolumeClaimRetentionPolicy { WhenDeleted = whenDeleted, WhenScaled = whenScaled },
                    Selector = new LabelSelectorSpec { MatchLabels = labels },
                    Template = new PodTemplate { Metadata = new ObjectMeta { Labels = labels }, Spec = new PodSpec { Containers = [new Container { Name = "main", Image = "tiny" }] } },
                    VolumeClaimTemplates =
                    [
                        new PersistentVolumeClaim
                        {
                            Metadata = new ObjectMeta { Name = "data" },
                            Spec = new PersistentVolumeClaimSpec { AccessModes = [VolumeAccessModes.ReadWriteOnce], Resources = new ContainerResources { Requests = new Dictionary<string, Quantity> { ["storage"] = Quantity.Parse("1Gi") } } },
                        },
                    ],
                },
            },
            TestCluster.Stopping);
        await cluster.UntilAsync<StatefulSet>("db", set => set.Status.ReadyReplicas == 3);
        return cluster;
    }

    private static Task<StatefulSet> ScaleAsync(TestCluster cluster, int replicas) => Sets(cluster).PatchAsync(Key("db"), new JsonObject { ["spec"] = new JsonObject { ["replicas"] = replicas } }, TestCluster.Stopping);

    private static void EndPods(TestCluster cluster)
    {
        cluster.Pods.Silent = new HashSet<string>();
        cluster.Pods.LookAgain();
    }

    /// <summary>The collector has looked at all there was to look at by now: at something, too, that goes after it.</summary>
    private static async Task UntilCollectedAsync(TestCluster cluster)
    {
        var owner = await cluster.Client.For<Service>().CreateAsync(new Service { Metadata = new ObjectMeta { Namespace = "default", Name = "last" }, Spec = new ServiceSpec { Ports = [new ServicePort { Port = 80 }] } }, TestCluster.Stopping);
        await cluster.Client.For<PersistentVolumeClaim>().CreateAsync(
            new PersistentVolumeClaim
            {
                Metadata = new ObjectMeta { Namespace = "default", Name = "last", OwnerReferences = [new OwnerReference { ApiVersion = owner.ApiVersion, Kind = owner.Kind, Name = "last", Uid = owner.Metadata.Uid }] },
                Spec = new PersistentVolumeClaimSpec { AccessModes = [VolumeAccessModes.ReadWriteOnce], Resources = new ContainerResources { Requests = new Dictionary<string, Quantity> { ["storage"] = Quantity.Parse("1Gi") } } },
            },
            TestCluster.Stopping);
        await cluster.Client.For<Service>().DeleteAsync(Key("last"), new DeleteOptions(), TestCluster.Stopping);
        await cluster.UntilGoneAsync<PersistentVolumeClaim>("last");
    }

    private static async Task<string[]> ClaimsAsync(TestCluster cluster) =>
        [.. (await cluster.Client.For<PersistentVolumeClaim>().ListAsync(ListOptions.All, TestCluster.Stopping)).Items.Where(claim => claim.Metadata.DeletionTimestamp is null).Select(claim => claim.Metadata.Name).Order(StringComparer.Ordinal)];

    private static Task UntilClaimsAsync(TestCluster cluster, params string[] names) => Eventually.HoldsAsync(
        async () => (await ClaimsAsync(cluster)).SequenceEqual(names), () => $"there are other claims than {string.Join(", ", names)}");
}
