using CsCheck;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Scheduling.Pods;

namespace Godwit.Scheduling.Tests;

/// <summary>Pods that come by the hundred: what is remembered from one to the next never changes an answer.</summary>
public sealed class NodeRankingTests
{
    private static readonly Gen<NodeFacts[]> Nodes =
        from count in Gen.Int[0, 6]
        from memory in Gen.Int[0, 4096].Array[count]
        from taint in Gen.Int[0, 12].Array[count]
        from most in Gen.Int[0, 12].Array[count]
        select Enumerable.Range(0, count).Select(i => PodBuild.Node($"node-{i}", i % 2 == 0 ? "east" : "west", memory[i]) with
        {
            HasNetwork = taint[i] > 3,
            PodsMax = most[i],
            Others = new Dictionary<string, long> { ["devices"] = most[i] / 3 },
            Taints = taint[i] switch
            {
                0 => [new Taint { Key = "k", Effect = TaintEffects.NoSchedule }],
                1 => [new Taint { Key = "k", Effect = TaintEffects.PreferNoSchedule }],
                _ => [],
            },
        }).ToArray();

    /// <summary>Some of one kind, as an owner makes them; few kinds, so that some that follow each other are nearly alike.</summary>
    private static readonly Gen<PodNeeds[]> Kind =
        from count in Gen.Int[1, 8]
        from size in Gen.Int[0, 1]
        from owner in Gen.Int[0, 2]
        from wish in Gen.Int[0, 12]
        let pod = PodBuild.Pod("pod", $"{size * 300}m", $"{size * 200}Mi", app: "web")
        let owned = pod with { Metadata = pod.Metadata with { OwnerReferences = owner == 0 ? [] : [new OwnerReference { Uid = $"owner-{owner}", Controller = true }] } }
        let wishing = wish switch
        {
            0 => owned.Away(PodBuild.Term("web")),
            1 => owned.Near(PodBuild.Term("web", PodBuild.Zone)),
            2 => owned.Spread("web", PodBuild.Zone),
            3 => owned.Spread("web", PodBuild.Zone, unsatisfiable: "ScheduleAnyway"),
            4 => owned.With(spec => spec with { NodeSelector = new Dictionary<string, string> { [PodBuild.Zone] = "east" } }),
            5 => owned.With(spec => spec with { Tolerations = [new Toleration { Key = "k", Operator = "Exists" }] }),
            6 => owned.With(spec => spec with { Containers = [spec.Containers[0] with { Ports = [new ContainerPort { Number = 80, HostPort = 80 }] }] }),
            7 => owned.With(spec => spec with { HostNetwork = true }),
            8 => owned.With(spec => spec with { Containers = [PodBuild.Container("main", "1m") with { Resources = new ContainerResources { Requests = PodBuild.Amounts(("devices", "1")) } }] }),
            _ => owned,
        }
        select Enumerable.Repeat(PodNeeds.Of(wishing), count).Select(needs => needs with { Uid = Guid.NewGuid().ToString() }).ToArray();

    private static readonly Gen<PodNeeds[]> Pods = Kind.Array[0, 6].Select(kinds => kinds.SelectMany(kind => kind).Select((pod, i) => pod with { Name = $"ns/pod-{i}" }).ToArray());

    [Fact]
    public void All_at_once_get_the_nodes_that_each_would_get_by_itself() => Gen.Select(Nodes, Pods, Pods).Sample((nodes, there, pods) =>
    {
        var cluster = there.Select((pod, i) => Reservation.Of(pod, $"node-{i % 4}")).Aggregate(new ClusterSnapshot(nodes, []), (now, each) => now.With(each));
        var together = PodPlacement.ForAll(pods, cluster).Select(each => Text(each.Placement)).ToList();

        var apart = new List<string>();
        foreach (var pod in pods)
        {
            var placement = PodPlacement.For(pod, cluster);
            apart.Add(Text(placement));
            cluster = placement is PodPlacement.Chosen chosen ? cluster.With(Reservation.Of(pod, chosen.NodeName)) : cluster;
        }

        Assert.Equal(apart, together);
    }, iter: 1000);

    [Fact]
    public void Room_that_is_made_for_a_pod_is_not_given_to_the_next_that_is_like_it()
    {
        var low = PodNeeds.Of(PodBuild.Pod("low", "3", node: "node-0")) with { Uid = "low" };
        var cluster = new ClusterSnapshot([PodBuild.Node("node-0", millicores: 3000)], [Reservation.Of(low, "node-0")]);
        var high = PodNeeds.Of(PodBuild.Pod("high", "2").With(spec => spec with { Priority = 10 }));

        var placements = PodPlacement.ForAll([high with { Name = "ns/one" }, high with { Name = "ns/two" }], cluster, []).Select(each => Assert.IsType<PodPlacement.Nowhere>(each.Placement)).ToList();

        Assert.NotNull(placements[0].Preemption);
        Assert.Null(placements[1].Preemption);
    }

    private static string Text(PodPlacement placement) => placement is PodPlacement.Nowhere nowhere ? nowhere.Explain() : placement.ToString();
}
