using CsCheck;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Scheduling.Pods;

namespace Godwit.Scheduling.Tests;

/// <summary>Whatever the cluster and the pods are: what a placement promises.</summary>
public sealed class PodPlacementPropertyTests
{
    private static readonly Gen<NodeFacts[]> Nodes =
        from count in Gen.Int[0, 6]
        from memory in Gen.Int[0, 2048].Array[count]
        from millicores in Gen.Int[0, 3000].Array[count]
        from zone in Gen.OneOf(Gen.Const("east"), Gen.Const("west")).Array[count]
        from state in Gen.Int[0, 9].Array[count]
        from most in Gen.Int[0, 12].Array[count]
        select Enumerable.Range(0, count).Select(i => PodBuild.Node($"node-{i}", zone[i], memory[i], millicores[i]) with
        {
            IsReady = state[i] != 0,
            IsCordoned = state[i] == 1,
            Taints = state[i] == 2 ? [new Taint { Key = "k", Effect = TaintEffects.NoSchedule }] : [],
            PodsMax = most[i],
        }).ToArray();

    private static readonly Gen<Pod> AnyPod =
        from app in Gen.OneOf(Gen.Const("web"), Gen.Const("cache"))
        from cpu in Gen.Int[0, 900]
        from memory in Gen.Int[0, 600]
        from port in Gen.Int[0, 4]
        from wish in Gen.Int[0, 8]
        let pod = PodBuild.Pod("pod", $"{cpu}m", $"{memory}Mi", app: app).With(spec => spec with
        {
            Containers = [.. spec.Containers.Select(container => container with { Ports = port == 0 ? [new ContainerPort { Number = 80, HostPort = 80 }] : [] })],
        })
        select wish switch
        {
            0 => pod.Away(PodBuild.Term(app)),
            1 => pod.Away(PodBuild.Term("cache", PodBuild.Zone)),
            2 => pod.Near(PodBuild.Term("web", PodBuild.Zone)),
            3 => pod.Spread(app, PodBuild.Zone),
            4 => pod.Spread(app, LabelNames.Hostname, maxSkew: 2),
            5 => pod.With(spec => spec with { NodeSelector = new Dictionary<string, string> { [PodBuild.Zone] = "east" } }),
            _ => pod,
        };

    private static readonly Gen<PodNeeds[]> Pods = AnyPod.Array[0, 20].Select(all => all.Select((pod, i) => PodNeeds.Of(pod) with { Name = $"ns/pod-{i}" }).ToArray());

    [Fact]
    public void However_many_pods_are_placed_no_node_is_overcommitted_and_no_port_given_twice() => Gen.Select(Nodes, Pods).Sample((nodes, pods) =>
    {
        var end = After(new ClusterSnapshot(nodes, []), pods);
        for (var i = 0; i < end.Nodes.Count; i++)
        {
            var (node, load) = (end.Nodes[i], end.LoadAt(i));
            Assert.True(load.Reserved.MemoryBytes <= node.Allocatable.MemoryBytes);
            Assert.True(load.Reserved.Millicores <= node.Allocatable.Millicores);
            Assert.True(load.Count <= node.PodsMax);
            Assert.Equal(load.HostPorts.Distinct().Count(), load.HostPorts.Length);
            Assert.True(load.Count == 0 || (node.IsReady && !node.IsCordoned && node.Taints.Count == 0));
        }
    });

    [Fact]
    public void Pods_that_must_not_be_together_never_are() => Gen.Select(Nodes, Pods).Sample((nodes, pods) =>
    {
        var end = After(new ClusterSnapshot(nodes, []), pods);
        for (var i = 0; i < end.Nodes.Count; i++)
        {
            foreach (var repeller in end.LoadAt(i).Repellers)
            {
                foreach (var term in repeller.RequiredAway)
                {
                    var place = end.Nodes[i].Labels[term.TopologyKey];
                    var near = Enumerable.Range(0, end.Nodes.Count).Where(other => end.Nodes[other].Labels[term.TopologyKey] == place).SelectMany(other => end.LoadAt(other).Pods);
                    Assert.DoesNotContain(near, other => other.Name != repeller.Name && term.Matches(other, end));
                }
            }
        }
    });

    [Fact]
    public void The_order_of_nodes_and_of_what_is_on_them_does_not_matter() => Gen.Select(Nodes, Pods, AnyPod, Gen.Int).Sample((nodes, pods, pod, seed) =>
    {
        var shuffle = new Random(seed);
        var reservations = pods.Select((each, i) => Reservation.Of(each, $"node-{i % 4}")).ToList();
        var one = PodPlacement.For(PodNeeds.Of(pod), new ClusterSnapshot(nodes, reservations));
        var other = PodPlacement.For(PodNeeds.Of(pod), new ClusterSnapshot(nodes.OrderBy(_ => shuffle.Next()), reservations.OrderBy(_ => shuffle.Next())));

        Assert.Equal(Text(one), Text(other));
    });

    [Fact]
    public void A_snapshot_that_grew_is_the_one_that_was_made_whole() => Gen.Select(Nodes, Pods, AnyPod).Sample((nodes, pods, pod) =>
    {
        var reservations = pods.Select((each, i) => Reservation.Of(each, $"node-{i % 4}")).ToList();
        var grown = reservations.Aggregate(new ClusterSnapshot(nodes, []), (cluster, each) => cluster.With(each));

        Assert.Equal(Text(PodPlacement.For(PodNeeds.Of(pod), new ClusterSnapshot(nodes, reservations))), Text(PodPlacement.For(PodNeeds.Of(pod), grown)));
    });

    [Fact]
    public void A_chosen_node_passes_every_check_and_nowhere_is_said_only_when_none_does() => Gen.Select(Nodes, Pods, AnyPod).Sample((nodes, pods, pod) =>
    {
        var cluster = After(new ClusterSnapshot(nodes, []), pods);
        var needs = PodNeeds.Of(pod);
        var neighbours = Neighbourhood.Of(needs, cluster);
        var fits = Enumerable.Range(0, cluster.Nodes.Count)
            .Where(i => PodCheck.FindObstacles(needs, cluster.Nodes[i], cluster.LoadAt(i)).Count == 0 && neighbours.FindObstacle(cluster.Nodes[i]) is null)
            .Select(i => cluster.Nodes[i].Name)
            .ToList();

        if (PodPlacement.For(needs, cluster) is PodPlacement.Chosen chosen)
        {
            Assert.Contains(chosen.NodeName, fits);
        }
        else
        {
            Assert.Empty(fits);
        }
    });

    [Fact]
    public void A_required_spread_holds_after_every_placement() => Gen.Select(Nodes, Gen.Int[1, 15]).Sample((nodes, count) =>
    {
        var pod = PodNeeds.Of(PodBuild.Pod("pod", app: "web").Spread("web", PodBuild.Zone));
        var end = After(new ClusterSnapshot(nodes, []), Enumerable.Repeat(pod, count));
        var byZone = Enumerable.Range(0, end.Nodes.Count).GroupBy(i => end.Nodes[i].Labels[PodBuild.Zone], i => end.LoadAt(i).Count).Select(zone => zone.Sum()).ToList();

        Assert.True(byZone.Count == 0 || byZone.Max() - byZone.Min() <= 1);
    });

    private static ClusterSnapshot After(ClusterSnapshot cluster, IEnumerable<PodNeeds> pods) => PodPlacement.ForAll(pods, cluster).Aggregate(
        cluster, (now, each) => each.Placement is PodPlacement.Chosen chosen ? now.With(Reservation.Of(each.Pod, chosen.NodeName)) : now);

    private static string Text(PodPlacement placement) => placement is PodPlacement.Nowhere nowhere ? nowhere.Explain() : placement.ToString();
}
