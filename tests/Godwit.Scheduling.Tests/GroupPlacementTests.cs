using CsCheck;

namespace Godwit.Scheduling.Tests;

public sealed class GroupPlacementTests
{
    private static readonly Gen<NodeFacts[]> Nodes = Gen.Select(Gen.Int[0, 4096], Gen.Int[0, 4000], Gen.Bool).Array[0, 5].Select(
        all => all.Select((node, i) => Build.Node($"node-{i}", node.Item1, node.Item2) with { IsCordoned = node.Item3 && i > 0 }).ToArray());

    private static readonly Gen<GuestNeeds[]> Guests = Gen.Select(Gen.Int[1, 2048], Gen.Int[1, 1000]).Array[0, 12].Select(
        all => all.Select((amount, i) => Build.Guest(amount.Item1, amount.Item2) with { Guest = $"ns/guest-{i}" }).ToArray());

    [Fact]
    public void Every_guest_gets_one_place_or_a_reason_for_every_node_and_what_is_placed_fits_beside_each_other() =>
        Gen.Select(Nodes, Guests, Guests).Sample((nodes, guests, others) =>
        {
            var taken = others.Select((guest, i) => new Reservation($"node-{i % 5}", "ns/other", guest.Amount)).ToList();
            var cluster = new ClusterSnapshot(nodes, taken);

            var places = GroupPlacement.For(guests.Select(guest => new GroupGuest(guest)), cluster);

            Assert.Equal(guests.Select(guest => guest.Guest).Order(), places.Select(place => place.Guest.Guest).Order());
            var chosen = places.Where(place => place.Placement is Placement.Chosen).Select(place => new Reservation(((Placement.Chosen)place.Placement).NodeName, place.Guest.Guest, place.Guest.Amount)).ToList();
            var end = new ClusterSnapshot(nodes, [.. taken, .. chosen]);
            Assert.All(chosen, reservation =>
            {
                var node = end.Find(reservation.NodeName)!;
                Assert.False(node.IsCordoned);
                Assert.True(end.FreeOn(node) is { MemoryBytes: >= 0, Millicores: >= 0 });
            });
            Assert.All(places.Select(place => place.Placement).OfType<Placement.Nowhere>(), nowhere =>
            {
                Assert.Equal(nodes.Select(node => node.Name), nowhere.Refusals.Select(refusal => refusal.NodeName));
                Assert.All(nowhere.Refusals, refusal => Assert.NotEmpty(refusal.Obstacles));
            });
        });

    [Fact]
    public void The_order_in_which_guests_are_listed_does_not_matter() => Gen.Select(Nodes, Guests, Gen.Int).Sample((nodes, guests, seed) =>
    {
        var shuffled = guests.ToArray();
        new Random(seed).Shuffle(shuffled);
        var cluster = new ClusterSnapshot(nodes, []);

        Assert.Equal(Described(guests, cluster), Described(shuffled, cluster));
    });

    [Fact]
    public void An_objection_holds_for_its_own_guest_only()
    {
        var cluster = new ClusterSnapshot([Build.Node("a"), Build.Node("b")], []);
        var one = Build.Guest() with { Guest = "ns/one" };
        var two = Build.Guest() with { Guest = "ns/two" };

        var places = GroupPlacement.For([new GroupGuest(one, node => node.Name == "a" ? [new Obstacle("R", "runs it already", "f")] : []), new GroupGuest(two)], cluster);

        Assert.Equal([new Placement.Chosen("b"), new Placement.Chosen("a")], places.Select(place => place.Placement));
    }

    private static IEnumerable<string> Described(IEnumerable<GuestNeeds> guests, ClusterSnapshot cluster) =>
        GroupPlacement.For(guests.Select(guest => new GroupGuest(guest)), cluster)
            .Select(place => $"{place.Guest.Guest}: {(place.Placement is Placement.Chosen chosen ? chosen.NodeName : ((Placement.Nowhere)place.Placement).Explain())}");
}
