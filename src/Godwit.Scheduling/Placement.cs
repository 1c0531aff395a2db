using System.Text;

namespace Godwit.Scheduling;

/// <summary>Where a guest is to run, or why nowhere.</summary>
public abstract record Placement
{
    private Placement()
    {
    }

    public sealed record Chosen(string NodeName) : Placement;

    /// <summary>No node fits; one refusal for each node, by name.</summary>
    public sealed record Nowhere(IReadOnlyList<NodeRefusal> Refusals) : Placement
    {
        /// <summary>For people: <c>0 of 2 nodes fit: node-1: is cordoned; node-2: needs 512Mi memory, 200Mi free</c>.</summary>
        public string Explain() => Refusals.Count == 0
            ? "there is no node"
            : $"0 of {Refusals.Count} nodes fit: {string.Join("; ", Refusals.Select(refusal => refusal.Explain()))}";
    }

    /// <summary>
    /// Chooses the node that keeps the largest share of its memory free; before that, one that is not to be avoided
    /// (PreferNoSchedule). Equals are told apart by name, so the same cluster always gives the same answer.
    /// </summary>
    /// <param name="guest">What the guest needs.</param>
    /// <param name="cluster">The cluster now.</param>
    /// <param name="objection">More obstacles for a node, for example those of a move; null means none.</param>
    public static Placement For(GuestNeeds guest, ClusterSnapshot cluster, Func<NodeFacts, IEnumerable<Obstacle>>? objection = null)
    {
        var refusals = new List<NodeRefusal>();
        NodeFacts? best = null;
        var bestRank = (IsAvoided: true, UsedShare: double.PositiveInfinity);
        foreach (var node in cluster.Nodes) // By name: of equals the first stays.
        {
            var obstacles = NodeCheck.FindObstacles(guest, node, cluster.FreeOn(node)).Concat(objection?.Invoke(node) ?? []).ToList();
            if (obstacles.Count > 0)
            {
                refusals.Add(new NodeRefusal(node.Name, obstacles));
                continue;
            }

            var rank = RankOf(guest, node, cluster);
            if (best is null || rank.CompareTo(bestRank) < 0)
            {
                (best, bestRank) = (node, rank);
            }
        }

        return best is null ? new Nowhere(refusals) : new Chosen(best.Name);
    }

    private static (bool IsAvoided, double UsedShare) RankOf(GuestNeeds guest, NodeFacts node, ClusterSnapshot cluster)
    {
        var isAvoided = node.Taints.Any(taint => taint.Effect == TaintEffects.PreferNoSchedule && !NodeCheck.Tolerates(guest, taint));
        var used = cluster.ReservedOn(node.Name).MemoryBytes + guest.Amount.MemoryBytes;
        return (isAvoided, (double)used / Math.Max(1, node.Allocatable.MemoryBytes));
    }
}

/// <summary>Why one node does not fit.</summary>
public sealed record NodeRefusal(string NodeName, IReadOnlyList<Obstacle> Obstacles)
{
    public string Explain()
    {
        var text = new StringBuilder(NodeName).Append(": ");
        return text.AppendJoin(", ", Obstacles.Select(obstacle => obstacle.Message)).ToString();
    }
}
