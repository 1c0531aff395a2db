using CsCheck;
using Godwit.Api;
using Godwit.Api.Core.V1;

namespace Godwit.Scheduling.Tests;

public sealed class PlacementTests
{
    [Fact]
    public void The_node_that_keeps_the_larger_share_of_its_memory_free_is_chosen()
    {
        var cluster = new ClusterSnapshot(
            [Build.Node("a"), Build.Node("b")], [new Reservation("a", "ns/other", new ResourceAmount(1024 * Build.MiB, 100))]);

        Assert.Equal(new Placement.Chosen("b"), Placement.For(Build.Guest(), cluster));
    }

    [Fact]
    public void Of_equal_nodes_the_first_by_name_is_chosen() =>
        Assert.Equal(new Placement.Chosen("a"), Placement.For(Build.Guest(), new ClusterSnapshot([Build.Node("b"), Build.Node("a")], [])));

    [Fact]
    public void A_node_to_be_avoided_is_taken_only_when_no_other_fits()
    {
        var avoided = Build.Node("a") with { Taints = [new Taint { Key = "old", Effect = TaintEffects.PreferNoSchedule }] };

        Assert.Equal(new Placement.Chosen("b"), Placement.For(Build.Guest(), new ClusterSnapshot([avoided, Build.Node("b", memoryMiB: 1024)], [])));
        Assert.Equal(new Placement.Chosen("a"), Placement.For(Build.Guest(), new ClusterSnapshot([avoided], [])));
    }

    [Fact]
    public void The_refusals_are_sentences_that_a_person_understands()
    {
        var cluster = new ClusterSnapshot(
            [
                Build.Node("node-1") with { IsCordoned = true },
                Build.Node("node-2", memoryMiB: 700, millicores: 50),
                Build.Node("node-3") with { IsReady = false, NotReadyMessage = "its agent is silent for 50 s" },
            ],
            [new Reservation("node-2", "ns/other", new ResourceAmount(500 * Build.MiB, 0))]);

        var nowhere = Assert.IsType<Placement.Nowhere>(Placement.For(Build.Guest(), cluster));

        Assert.Equal(
            "0 of 3 nodes fit: node-1: is cordoned; node-2: needs 512Mi memory, 200Mi free, needs 100m CPU, 50m free; "
            + "node-3: is not ready (its agent is silent for 50 s)",
            nowhere.Explain());
    }

    [Fact]
    public void Without_nodes_it_says_so() =>
        Assert.Equal("there is no node", Assert.IsType<Placement.Nowhere>(Placement.For(Build.Guest(), new ClusterSnapshot([], []))).Explain());

    public static TheoryData<string, NodeFacts, GuestNeeds> Unfit => new()
    {
        { ObstacleReasons.TargetNotReady, Build.Node("n") with { IsReady = false }, Build.Guest() },
        { ObstacleReasons.TargetUnschedulable, Build.Node("n") with { IsCordoned = true }, Build.Guest() },
        {
            ObstacleReasons.TargetUnschedulable,
            Build.Node("n") with { Taints = [new Taint { Key = "k", Value = "v", Effect = TaintEffects.NoSchedule }] },
            Build.Guest() with { Tolerations = [new Toleration { Key = "k", Value = "other" }] }
        },
        { ObstacleReasons.TargetMemoryShort, Build.Node("n", memoryMiB: 511), Build.Guest() },
        { ObstacleReasons.TargetCpuShort, Build.Node("n", millicores: 99), Build.Guest() },
        { ObstacleReasons.TargetNotSelected, Build.Node("n"), Build.Guest() with { NodeSelector = new Dictionary<string, string> { ["disk"] = "fast" } } },
        { ObstacleReasons.MachineTypeMissing, Build.Node("n") with { MachineTypes = new HashSet<string> { "pc-q35-9.0" } }, Build.Guest() with { MachineType = "pc-q35-10.0" } },
        { ObstacleReasons.ImageMissing, Build.Node("n") with { Images = new HashSet<string> { "debian" } }, Build.Guest() with { Images = ["tiny"] } },
        { ObstacleReasons.NetworkMissing, Build.Node("n") with { HasNetwork = false }, Build.Guest() },
    };

    [Theory]
    [MemberData(nameof(Unfit))]
    public void An_unfit_node_is_refused_for_its_one_reason(string reason, NodeFacts node, GuestNeeds guest)
    {
        var obstacle = Assert.Single(NodeCheck.FindObstacles(guest, node, node.Allocatable));

        Assert.Equal(reason, obstacle.Reason);
        Assert.NotEmpty(obstacle.Fix);
    }

    [Theory]
    [InlineData("k", null, "v", null)]
    [InlineData("k", "Exists", null, null)]
    [InlineData(null, "Exists", null, null)]
    [InlineData("k", "Equal", "v", TaintEffects.NoSchedule)]
    public void A_tolerated_taint_is_no_obstacle(string? key, string? @operator, string? value, string? effect)
    {
        var node = Build.Node("n") with { Taints = [new Taint { Key = "k", Value = "v", Effect = TaintEffects.NoSchedule }] };
        var guest = Build.Guest() with { Tolerations = [new Toleration { Key = key, Operator = @operator, Value = value, Effect = effect }] };

        Assert.Empty(NodeCheck.FindObstacles(guest, node, node.Allocatable));
    }

    [Fact]
    public void What_a_node_has_not_reported_is_no_obstacle()
    {
        var guest = Build.Guest() with { Images = ["tiny"], MachineType = "pc-q35-10.0" };

        Assert.Empty(NodeCheck.FindObstacles(guest, Build.Node("n"), Build.Node("n").Allocatable));
    }

    private static readonly Gen<NodeFacts[]> Nodes =
        from count in Gen.Int[0, 5]
        from memory in Gen.Int[0, 4096].Array[count]
        from millicores in Gen.Int[0, 4000].Array[count]
        from ready in Gen.Bool.Array[count]
        select Enumerable.Range(0, count).Select(i => Build.Node($"node-{i}", memory[i], millicores[i]) with { IsReady = ready[i] || i == 0 }).ToArray();

    private static readonly Gen<GuestNeeds[]> Guests =
        Gen.Select(Gen.Int[1, 2048], Gen.Int[1, 1000]).Array[0, 12].Select(
            all => all.Select((amount, i) => Build.Guest(amount.Item1, amount.Item2) with { Guest = $"ns/guest-{i}" }).ToArray());

    [Fact]
    public void However_many_guests_are_placed_no_node_is_overcommitted() => Gen.Select(Nodes, Guests).Sample((nodes, guests) =>
    {
        var reservations = new List<Reservation>();
        foreach (var guest in guests)
        {
            if (Placement.For(guest, new ClusterSnapshot(nodes, reservations)) is Placement.Chosen chosen)
            {
                reservations.Add(new Reservation(chosen.NodeName, guest.Guest, guest.Amount));
            }
        }

        var end = new ClusterSnapshot(nodes, reservations);
        Assert.All(end.Nodes.Where(node => reservations.Any(taken => taken.NodeName == node.Name)), node =>
        {
            Assert.True(node.IsReady);
            Assert.True(end.FreeOn(node).MemoryBytes >= 0);
            Assert.True(end.FreeOn(node).Millicores >= 0);
        });
    });

    [Fact]
    public void The_order_of_nodes_and_reservations_does_not_matter() => Gen.Select(Nodes, Guests, Gen.Int).Sample((nodes, guests, seed) =>
    {
        var reservations = guests.Select((guest, i) => new Reservation($"node-{i % 3}", guest.Guest, guest.Amount)).ToList();
        var shuffle = new Random(seed);
        var one = Placement.For(Build.Guest(), new ClusterSnapshot(nodes, reservations));
        var other = Placement.For(
            Build.Guest(), new ClusterSnapshot(nodes.OrderBy(_ => shuffle.Next()), reservations.OrderBy(_ => shuffle.Next())));

        Assert.Equal(Text(one), Text(other));
    });

    [Fact]
    public void It_says_nowhere_only_when_every_node_has_an_obstacle() => Gen.Select(Nodes, Guests).Sample((nodes, guests) =>
    {
        var cluster = new ClusterSnapshot(nodes, guests.Select((guest, i) => new Reservation($"node-{i % 3}", guest.Guest, guest.Amount)));
        var fits = cluster.Nodes.Where(node => !NodeCheck.FindObstacles(Build.Guest(), node, cluster.FreeOn(node)).Any()).ToList();

        switch (Placement.For(Build.Guest(), cluster))
        {
            case Placement.Chosen chosen:
                Assert.Contains(fits, node => node.Name == chosen.NodeName);
                break;
            case Placement.Nowhere nowhere:
                Assert.Empty(fits);
                Assert.Equal(nodes.Length, nowhere.Refusals.Count);
                break;
        }
    });

    private static string Text(Placement placement) => placement is Placement.Nowhere nowhere ? nowhere.Explain() : placement.ToString();
}
