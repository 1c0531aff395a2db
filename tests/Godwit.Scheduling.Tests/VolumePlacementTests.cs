using CsCheck;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Api.Storage.V1;
using Godwit.Base;
using Godwit.Scheduling.Pods;
using Godwit.Scheduling.Volumes;
using static Godwit.Scheduling.Tests.PodBuild;

namespace Godwit.Scheduling.Tests;

/// <summary>What claims mean for where a pod runs, and the words for it.</summary>
public sealed class VolumePlacementTests
{
    private static readonly StorageClass Waiting = new() { Metadata = new ObjectMeta { Name = "local" }, Provisioner = StorageClassNames.LocalProvisioner, VolumeBindingMode = VolumeBindingModes.WaitForFirstConsumer };
    private static readonly StorageClass Static = Waiting with { Metadata = new ObjectMeta { Name = "static" }, Provisioner = StorageClassNames.NoProvisioner };
    private static readonly StorageClass AtOnce = Waiting with { Metadata = new ObjectMeta { Name = "now" }, VolumeBindingMode = VolumeBindingModes.Immediate };

    [Fact]
    public void Without_its_claim_a_pod_runs_nowhere_and_the_reason_names_the_claim()
    {
        var cluster = Cluster([Node("a"), Node("b")]);
        Assert.Equal("0/2 nodes are available: persistentvolumeclaim \"data\" not found.", Explain(cluster, View([])));
        Assert.Equal("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.", Explain(cluster, View([Claim("data", "now")])));
        Assert.Equal("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.", Explain(cluster, View([Claim("data", null)])));
        var going = Claim("data", "local");
        Assert.Equal("0/2 nodes are available: persistentvolumeclaim \"data\" is being deleted.", Explain(cluster, View([going with { Metadata = going.Metadata with { DeletionTimestamp = DateTimeOffset.UnixEpoch } }])));
        Assert.Equal("0/2 nodes are available: persistentvolumeclaim \"data\" bound to non-existent persistentvolume \"v\".", Explain(cluster, View([Bound("data", "v")])));
    }

    [Fact]
    public void A_pod_goes_where_its_volume_is_and_nowhere_else()
    {
        var cluster = Cluster([Node("a"), Node("b"), Node("c")]);
        var view = View([Bound("data", "v")], Volume("v", "1Gi", "local", "c"));
        Assert.Equal("c", Place(cluster, view));
        Assert.Equal("0/2 nodes are available: 2 node(s) had volume node affinity conflict.", Explain(Cluster([Node("a"), Node("b")]), view));
        Assert.Equal("a", Place(cluster, View([Bound("data", "v")], Volume("v", "1Gi", "local"))));
    }

    [Fact]
    public void A_claim_that_waits_for_its_pod_counts_nodes_that_have_a_volume_or_can_make_one()
    {
        var nodes = new[] { Node("a"), Node("b") with { VolumesFolder = "/volumes" }, Node("c") };
        Assert.Equal("b", Place(Cluster(nodes), View([Claim("data", "local")])));
        Assert.Equal("c", Place(Cluster(nodes), View([Claim("data", "static")], Volume("small", "1Mi", "static", "a"), Volume("fits", "2Gi", "static", "c"))));
        Assert.Equal("0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.", Explain(Cluster(nodes), View([Claim("data", "static")], Volume("other", "2Gi", "local", "c"))));
        Assert.Equal("0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.", Explain(Cluster(nodes), View([Claim("data", "local", VolumeAccessModes.ReadWriteMany)])));
    }

    [Fact]
    public void The_node_that_was_chosen_for_a_claim_stays_chosen()
    {
        var claim = Claim("data", "local");
        claim = claim with { Metadata = claim.Metadata with { Annotations = new Dictionary<string, string> { [AnnotationNames.SelectedNode] = "c" } } };
        var nodes = new[] { Node("a") with { VolumesFolder = "/volumes" }, Node("c") with { VolumesFolder = "/volumes" } };
        Assert.Equal("c", Place(Cluster(nodes), View([claim])));
    }

    [Fact]
    public void Two_claims_of_one_pod_need_two_volumes_on_its_node()
    {
        var pod = Using("one", "data", "more");
        var cluster = Cluster([Node("a"), Node("b")]);
        var claims = new[] { Claim("data", "static", size: "2Gi"), Claim("more", "static") };
        var view = View(claims, Volume("a-1", "2Gi", "static", "a"), Volume("b-1", "1Gi", "static", "b"), Volume("b-2", "2Gi", "static", "b"));
        Assert.Equal("b", Assert.IsType<PodPlacement.Chosen>(PodPlacement.For(PodNeeds.Of(pod, view), cluster)).NodeName);
    }

    [Fact]
    public void A_claim_for_one_pod_at_a_time_is_used_by_one_wherever_the_other_runs()
    {
        var view = View([Bound("data", "v", VolumeAccessModes.ReadWriteOncePod)], Volume("v", "1Gi", "local"));
        var first = Using("one", "data").With(spec => spec with { NodeName = "a" });
        Assert.Equal($"0/2 nodes are available: {VolumeNeeds.ExclusiveConflict}.", Assert.IsType<PodPlacement.Nowhere>(PodPlacement.For(PodNeeds.Of(Using("two", "data"), view), Cluster([Node("a"), Node("b")], first))).Explain());

        // And of two in one round the first.
        var round = PodPlacement.ForAll([PodNeeds.Of(Using("one", "data"), view), PodNeeds.Of(Using("two", "data"), view)], Cluster([Node("a"), Node("b")])).Select(each => each.Placement).ToList();
        Assert.IsType<PodPlacement.Chosen>(round[0]);
        Assert.IsType<PodPlacement.Nowhere>(round[1]);
    }

    [Fact]
    public void A_claim_takes_what_is_kept_for_it_and_else_the_smallest_that_fits()
    {
        var claim = Claim("data", "static", size: "2Gi");
        var volumes = new[] { Volume("huge", "9Gi", "static"), Volume("fits", "2Gi", "static"), Volume("small", "1Gi", "static") };
        Assert.Equal(["fits", "huge"], Candidates(claim, volumes));
        var kept = volumes[0] with { Spec = volumes[0].Spec with { ClaimRef = new ObjectReference { Namespace = "ns", Name = "data" } } };
        Assert.Equal(["huge", "fits"], Candidates(claim, kept, volumes[1]));
        var others = kept with { Spec = kept.Spec with { ClaimRef = kept.Spec.ClaimRef! with { Uid = "another" } } };
        Assert.Equal(["fits"], Candidates(claim, others, volumes[1]));
        var labelled = volumes[1] with { Metadata = volumes[1].Metadata with { Labels = new Dictionary<string, string> { ["app"] = "db" } } };
        Assert.Equal(["fits"], Candidates(claim with { Spec = claim.Spec with { Selector = App("db") } }, volumes[0], labelled));
        Assert.Empty(Candidates(claim with { Spec = claim.Spec with { AccessModes = [VolumeAccessModes.ReadWriteMany] } }, volumes));
    }

    [Fact]
    public void Of_two_pods_in_one_round_each_is_sent_after_a_volume_of_its_own()
    {
        var cluster = Cluster([Node("a"), Node("b")]);
        var view = View([Claim("one", "static"), Claim("two", "static"), Claim("three", "static")], Volume("a-1", "1Gi", "static", "a"), Volume("b-1", "1Gi", "static", "b"));
        var round = PodPlacement.ForAll(new[] { "one", "two", "three" }.Select(name => PodNeeds.Of(Using(name, name), view)), cluster).Select(each => each.Placement).ToList();
        Assert.Equal(["a", "b"], round.OfType<PodPlacement.Chosen>().Select(chosen => chosen.NodeName).Order(StringComparer.Ordinal));
        Assert.Equal("0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.", Assert.IsType<PodPlacement.Nowhere>(round[2]).Explain());
    }

    [Fact]
    public void Pods_that_share_a_claim_go_where_the_first_of_them_goes_and_need_one_volume()
    {
        var cluster = Cluster([Node("a"), Node("b", millicores: 9000)]);
        var view = View([Claim("data", "static"), Claim("other", "static")], Volume("a-1", "1Gi", "static", "a"), Volume("a-2", "1Gi", "static", "a"), Volume("b-1", "1Gi", "static", "b"));
        var round = PodPlacement.ForAll([PodNeeds.Of(Using("one", "data"), view), PodNeeds.Of(Using("two", "data"), view), PodNeeds.Of(Using("three", "other", "data"), view)], cluster)
            .Select(each => each.Placement).ToList();
        var first = Assert.IsType<PodPlacement.Chosen>(round[0]).NodeName;
        Assert.Equal(first, Assert.IsType<PodPlacement.Chosen>(round[1]).NodeName);
        Assert.Equal(first == "a", round[2] is PodPlacement.Chosen { NodeName: "a" }); // It needs a second one there.
    }

    [Fact]
    public void However_many_are_placed_in_one_round_no_volume_is_promised_twice() =>
        Gen.Select(Gen.Int[0, 2].Array[0, 6], Gen.Int[1, 3].Array[1, 6]).Sample((volumes, pods) =>
        {
            var nodes = new[] { Node("node-0"), Node("node-1"), Node("node-2") };
            var view = View(
                pods.SelectMany((claims, pod) => Enumerable.Range(0, claims).Select(claim => Claim($"{pod}-{claim}", "static"))),
                [.. volumes.Select((node, number) => Volume($"v{number}", "1Gi", "static", $"node-{node}"))]);
            var wanted = pods.Select((claims, pod) => PodNeeds.Of(Using($"pod-{pod}", [.. Enumerable.Range(0, claims).Select(claim => $"{pod}-{claim}")]), view));
            var round = PodPlacement.ForAll(wanted, Cluster(nodes)).ToList();
            for (var node = 0; node < nodes.Length; node++)
            {
                var (there, used) = (volumes.Count(each => each == node), round.Where(each => each.Placement is PodPlacement.Chosen chosen && chosen.NodeName == $"node-{node}").Sum(each => each.Pod.Claims.Count));
                Assert.True(used <= there, $"{used} claims are sent to node-{node}, which has {there} volumes");
                Assert.All(round.Where(each => each.Placement is PodPlacement.Nowhere), each => Assert.True(each.Pod.Claims.Count > there - used, $"{each.Pod.Name} would have had its volumes on node-{node}"));
            }
        });

    private static IEnumerable<string> Candidates(PersistentVolumeClaim claim, params PersistentVolume[] volumes) => VolumeMatch.CandidatesOf(claim, volumes.Select(VolumeFacts.Of)).Select(each => each.Name);

    private static string Place(ClusterSnapshot cluster, StorageView view) => Assert.IsType<PodPlacement.Chosen>(PodPlacement.For(PodNeeds.Of(Using("pod", "data"), view), cluster)).NodeName;

    private static string Explain(ClusterSnapshot cluster, StorageView view) => Assert.IsType<PodPlacement.Nowhere>(PodPlacement.For(PodNeeds.Of(Using("pod", "data"), view), cluster)).Explain();

    private static StorageView View(IEnumerable<PersistentVolumeClaim> claims, params PersistentVolume[] volumes) => new(claims, volumes, [Waiting, Static, AtOnce]);

    private static Pod Using(string name, params string[] claims) => Pod(name).With(spec => spec with
    {
        Volumes = [.. claims.Select(claim => new PodVolume { Name = claim, PersistentVolumeClaim = new PersistentVolumeClaimVolumeSource { ClaimName = claim } })],
    });

    private static PersistentVolumeClaim Claim(string name, string? kind, string mode = VolumeAccessModes.ReadWriteOnce, string size = "1Gi") => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name, Uid = "uid-" + name },
        Spec = new PersistentVolumeClaimSpec { AccessModes = [mode], StorageClassName = kind, Resources = new ContainerResources { Requests = Amounts(("storage", size)) } },
        Status = new PersistentVolumeClaimStatus { Phase = ClaimPhases.Pending },
    };

    private static PersistentVolumeClaim Bound(string name, string volume, string mode = VolumeAccessModes.ReadWriteOnce)
    {
        var claim = Claim(name, "local", mode);
        return claim with { Spec = claim.Spec with { VolumeName = volume }, Status = new PersistentVolumeClaimStatus { Phase = ClaimPhases.Bound } };
    }

    private static PersistentVolume Volume(string name, string size, string kind, string? node = null) => new()
    {
        Metadata = new ObjectMeta { Name = name },
        Spec = new PersistentVolumeSpec
        {
            Capacity = new Dictionary<string, Quantity> { ["storage"] = Quantity.Parse(size) },
            AccessModes = [VolumeAccessModes.ReadWriteOnce],
            StorageClassName = kind,
            NodeAffinity = node is null ? null : new VolumeNodeAffinity
            {
                Required = new NodeSelector { NodeSelectorTerms = [new NodeSelectorTerm { MatchExpressions = [new NodeSelectorRequirement { Key = LabelNames.Hostname, Operator = "In", Values = [node] }] }] },
            },
        },
    };
}
