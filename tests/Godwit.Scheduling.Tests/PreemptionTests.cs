using CsCheck;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Api.Policy.V1;
using Godwit.Api.Scheduling.V1;
using Godwit.Scheduling.Pods;
using static Godwit.Scheduling.Tests.PodBuild;

namespace Godwit.Scheduling.Tests;

/// <summary>Who is taken down to make room, and who is not.</summary>
public sealed class PreemptionTests
{
    private static readonly Gen<Pod[]> Placed =
        (from node in Gen.Int[0, 3]
         from priority in Gen.Int[0, 4]
         from cpu in Gen.Int[0, 6]
         from memory in Gen.Int[0, 6]
         from app in Gen.OneOf(Gen.Const("web"), Gen.Const("cache"))
         from port in Gen.Int[0, 5]
         select (Node: $"node-{node}", priority, Cpu: cpu * 200, Memory: memory * 100, app, port)).Array[0, 16]
        .Select(all => all.Select((each, i) => Of($"pod-{i}", each.priority, each.Cpu, each.Memory, each.Node, each.app, each.port == 0)).ToArray());

    private static readonly Gen<Pod> Wanted =
        from priority in Gen.Int[0, 4]
        from cpu in Gen.Int[0, 10]
        from memory in Gen.Int[0, 10]
        from port in Gen.Int[0, 2]
        from away in Gen.Int[0, 2]
        let pod = Of("wanted", priority, cpu * 200, memory * 100, null, "web", port == 0)
        select away == 0 ? pod.Away(Term("cache")) : pod;

    private static readonly NodeFacts[] Nodes = [Node("node-0", memoryMiB: 1000, millicores: 2000), Node("node-1", memoryMiB: 2000, millicores: 1000), Node("node-2", memoryMiB: 500, millicores: 500), Node("node-3") with { IsReady = false }];

    [Fact]
    public void Whoever_is_taken_down_is_of_lower_priority_makes_room_and_could_not_have_stayed() => Gen.Select(Placed, Wanted).Sample((placed, wanted) =>
    {
        var (cluster, pod) = (Cluster(Nodes, placed), PodNeeds.Of(wanted));
        var found = Preemption.For(pod, cluster, []);
        if (found is null)
        {
            // Then nobody's leaving would have helped.
            Assert.DoesNotContain(Enumerable.Range(0, Nodes.Length), index => Lower(cluster, index, pod).Count > 0 && Fits(cluster.Without(index, Lower(cluster, index, pod)), index, pod));
            return;
        }

        var at = Array.FindIndex(Nodes, node => node.Name == found.NodeName);
        Assert.All(found.Victims, victim => Assert.True(victim.Priority < pod.Priority));
        Assert.All(found.Victims, victim => Assert.Contains(victim, cluster.LoadAt(at).Pods));
        var after = cluster.Without(at, found.Victims);
        Assert.True(Fits(after, at, pod));
        Assert.All(found.Victims, victim => Assert.False(Fits(after.With(Reservation.Of(victim, found.NodeName)), at, pod)));
    });

    [Fact]
    public void What_is_left_on_a_node_weighs_as_if_the_others_had_never_been_there() => Placed.Sample(placed =>
    {
        var here = placed.Where(pod => pod.Spec.NodeName == "node-0").ToList();
        var cluster = Cluster(Nodes, [.. here]);
        var gone = cluster.LoadAt(0).Pods.Where(pod => pod.Priority < 2).ToList();
        var (left, fresh) = (cluster.LoadAt(0).Without(gone), Cluster(Nodes, [.. here.Where(pod => pod.Spec.Priority >= 2)]).LoadAt(0));
        Assert.Equal((fresh.Reserved, fresh.Weight, fresh.Count, fresh.Pods.Length, fresh.HostPorts.Length), (left.Reserved, left.Weight, left.Count, left.Pods.Length, left.HostPorts.Length));
    });

    [Fact]
    public void The_least_important_go_the_fewest_and_where_no_budget_is_broken()
    {
        NodeFacts[] nodes = [Node("a", millicores: 1000), Node("b", millicores: 1000), Node("c", millicores: 1000)];
        var wanted = PodNeeds.Of(Of("wanted", 10, 600, 0, null));
        Pod[] two = [Of("a1", 1, 500, 0, "a"), Of("a2", 1, 500, 0, "a")];

        // Two small ones of low priority are less than one that matters more; of the same importance one is less than two.
        Assert.Equal("a", Preemption.For(wanted, Cluster(nodes, [.. two, Of("b1", 5, 800, 0, "b"), Of("c1", 5, 1000, 0, "c")]), [])!.NodeName);
        Assert.Equal("b", Preemption.For(wanted, Cluster(nodes, [.. two, Of("b1", 1, 800, 0, "b"), Of("c1", 5, 1000, 0, "c")]), [])!.NodeName);

        // A budget is honoured while there is another way, and broken when there is none.
        var budget = DisruptionRoom.Of(new PodDisruptionBudget
        {
            Metadata = new ObjectMeta { Namespace = "ns", Name = "web" },
            Spec = new PodDisruptionBudgetSpec { Selector = App("web") },
            Status = new PodDisruptionBudgetStatus { DisruptionsAllowed = 0 },
        });
        var held = Of("b1", 1, 800, 0, "b", "web");
        Assert.Equal("c", Preemption.For(wanted, Cluster(nodes, [Of("a1", 10, 1000, 0, "a"), held, Of("c1", 5, 1000, 0, "c")]), [budget])!.NodeName);
        Assert.Equal("b1", Preemption.For(wanted, Cluster([nodes[1]], held), [budget])!.Victims.Single().Name[3..]);
        Assert.Equal("b2", Preemption.For(wanted, Cluster([nodes[1]], Of("b1", 1, 400, 0, "b", "web"), Of("b2", 5, 400, 0, "b")), [budget])!.Victims.Single().Name[3..]);
    }

    [Fact]
    public void Nobody_goes_for_a_pod_that_waits_for_one_as_important_for_a_guests_room_or_when_it_would_not_help()
    {
        NodeFacts[] node = [Node("a", millicores: 1000)];
        var low = Of("low", 1, 800, 0, "a");
        Assert.NotNull(Preemption.For(PodNeeds.Of(Of("wanted", 2, 600, 0, null)), Cluster(node, low), []));
        Assert.Null(Preemption.For(PodNeeds.Of(Of("wanted", 1, 600, 0, null)), Cluster(node, low), []));
        Assert.Null(Preemption.For(PodNeeds.Of(Of("wanted", 2, 1600, 0, null)), Cluster(node, low), []));
        Assert.Null(Preemption.For(PodNeeds.Of(Of("wanted", 2, 600, 0, null).With(spec => spec with { PreemptionPolicy = PreemptionPolicies.Never })), Cluster(node, low), []));

        var guest = Build.Vmi("guest");
        var amount = new ResourceAmount(0, 800);
        var cluster = new ClusterSnapshot(node, [new Reservation("a", "guest", amount) { Occupant = PodNeeds.Of(guest, amount) }]);
        Assert.Null(Preemption.For(PodNeeds.Of(Of("wanted", 2_000_001_000, 600, 0, null)), cluster, []));
    }

    [Fact]
    public void Room_that_is_being_made_is_waited_for_and_kept_for_the_pod_that_it_is_made_for()
    {
        NodeFacts[] nodes = [Node("a", millicores: 1000), Node("b", millicores: 1000)];
        var ending = Of("ending", 1, 1000, 0, "a");
        var cluster = Cluster(nodes, ending with { Metadata = ending.Metadata with { DeletionTimestamp = DateTimeOffset.UnixEpoch } }, Of("other", 0, 500, 0, "b"));
        var waits = Preemption.For(PodNeeds.Of(Of("wanted", 5, 1000, 0, null)), cluster, [])!;
        Assert.Equal(("a", 0), (waits.NodeName, waits.Victims.Count));

        // The second has its own room made, and the third gets neither's.
        var placed = PodPlacement.ForAll(new[] { Of("first", 5, 1000, 0, null), Of("second", 4, 900, 0, null), Of("third", 0, 500, 0, null) }.Select(PodNeeds.Of), cluster, []).Select(each => each.Placement).ToList();
        Assert.Equal("a", Assert.IsType<PodPlacement.Nowhere>(placed[0]).Preemption!.NodeName);
        var second = Assert.IsType<PodPlacement.Nowhere>(placed[1]).Preemption!;
        Assert.Equal(("b", "ns/other"), (second.NodeName, second.Victims.Single().Name));
        Assert.Null(Assert.IsType<PodPlacement.Nowhere>(placed[2]).Preemption);
    }

    private static Pod Of(string name, int priority, int millicores, int memoryMiB, string? node, string? app = null, bool hasPort = false) =>
        PodBuild.Pod(name, $"{millicores}m", $"{memoryMiB}Mi", node, app).With(spec => spec with
        {
            Priority = priority,
            Containers = [.. spec.Containers.Select(container => container with { Ports = hasPort ? [new ContainerPort { Number = 80, HostPort = 80 }] : [] })],
        });

    private static List<PodNeeds> Lower(ClusterSnapshot cluster, int index, PodNeeds pod) => [.. cluster.LoadAt(index).Pods.Where(other => other.Priority < pod.Priority)];

    /// <summary>By the placement itself, on a cluster where only that node is ready.</summary>
    private static bool Fits(ClusterSnapshot cluster, int index, PodNeeds pod)
    {
        var others = Enumerable.Range(0, cluster.Nodes.Count).SelectMany(i => cluster.LoadAt(i).Pods.Select(each => Reservation.Of(each, cluster.Nodes[i].Name)));
        return PodPlacement.For(pod, new ClusterSnapshot(cluster.Nodes.Select((node, i) => i == index ? node : node with { IsReady = false }), others)) is PodPlacement.Chosen;
    }
}
