namespace Godwit.Scheduling;

/// <summary>One of several guests that are placed together.</summary>
/// <param name="Needs">What it needs.</param>
/// <param name="Objection">More obstacles for a node, for example those of its move; null means none.</param>
public sealed record GroupGuest(GuestNeeds Needs, Func<NodeFacts, IEnumerable<Obstacle>>? Objection = null);

/// <summary>Where one of them is to run, or why nowhere.</summary>
public sealed record GroupPlace(GuestNeeds Guest, Placement Placement);

/// <summary>
/// Places several guests so that all fit beside each other. The largest is placed first, while there is most choice, and
/// each that is placed holds its room against the next. What the guests leave behind is not counted as free: a guest that
/// moves needs its room at both ends until it has arrived. The same cluster gives the same answer, however the guests are listed.
/// </summary>
public static class GroupPlacement
{
    /// <summary>One place for each guest, the largest guest first.</summary>
    public static IReadOnlyList<GroupPlace> For(IEnumerable<GroupGuest> guests, ClusterSnapshot cluster)
    {
        var places = new List<GroupPlace>();
        var ordered = guests
            .OrderByDescending(guest => guest.Needs.Amount.MemoryBytes)
            .ThenByDescending(guest => guest.Needs.Amount.Millicores)
            .ThenBy(guest => guest.Needs.Guest, StringComparer.Ordinal);
        foreach (var guest in ordered)
        {
            var placement = Placement.For(guest.Needs, cluster, guest.Objection);
            if (placement is Placement.Chosen chosen)
            {
                cluster = cluster.With(new Reservation(chosen.NodeName, guest.Needs.Guest, guest.Needs.Amount));
            }

            places.Add(new GroupPlace(guest.Needs, placement));
        }

        return places;
    }
}
