using Godwit.Api.Machinery.Selectors;
using Godwit.Api.Policy.V1;

namespace Godwit.Scheduling.Pods;

/// <summary>How many pods of a namespace that a selector matches may go now.</summary>
public sealed record DisruptionRoom(string Namespace, LabelSelector? Selector, int Allowed)
{
    public static DisruptionRoom Of(PodDisruptionBudget budget) =>
        new(budget.Metadata.Namespace, Selectors.Compile(budget.Spec.Selector), budget.Status.DisruptionsAllowed);

    internal DisruptionRoom After(IReadOnlyList<PodNeeds> gone) => this with { Allowed = Allowed - gone.Count(Covers) };

    internal bool Covers(PodNeeds pod) => pod.Namespace == Namespace && Selector?.Matches(pod.Labels) == true;
}

/// <summary>
/// Where room can be made for a pod that fits nowhere, by taking down pods of lower priority. On each node it is found out whether the pod would fit without all of these; then as many as can
/// stay are put back, those first that a disruption budget protects, then the more important and the older. Of the nodes that one is taken where, in this order, the fewest budgets are
/// broken, the most important victim is least important, the victims' priorities sum up to least, and there are the fewest.
/// <para>Pods that are ending already free their room by themselves: they are no victims, and a node where only these are in the way wins. So a pod for which room is being made
/// has nothing more taken down while it waits.</para>
/// Source of the order: Kubernetes documentation, "Pod Priority and Preemption".
/// </summary>
/// <param name="NodeName">Where the pod will fit.</param>
/// <param name="Victims">Who must be taken down for it; none when it is enough to wait for those that are ending.</param>
public sealed record Preemption(string NodeName, IReadOnlyList<PodNeeds> Victims)
{
    /// <summary>So many nodes are looked at closely for one pod; beyond that a better choice is not worth the time.</summary>
    public const int NodesMax = 100;

    /// <summary>Null when no node has room even so, or the pod may not have others taken down.</summary>
    public static Preemption? For(PodNeeds pod, ClusterSnapshot cluster, IReadOnlyList<DisruptionRoom> budgets)
    {
        if (!pod.MayPreempt)
        {
            return null;
        }

        Candidate? best = null;
        var looked = 0;
        for (var index = 0; index < cluster.Nodes.Count && looked < NodesMax; index++)
        {
            var lower = cluster.LoadAt(index).Pods.Where(other => other.Priority < pod.Priority).ToList();
            if (lower.Count == 0 || pod.Volumes?.FindObstacle(cluster.Nodes[index], cluster.Promised) is not null || PodCheck.FindObstacles(pod, cluster.Nodes[index], cluster.LoadAt(index).Without(lower)).Count > 0)
            {
                continue;
            }

            looked++;
            if (Choose(pod, cluster, index, lower, budgets) is { } candidate && (best is null || candidate.CompareTo(best) < 0))
            {
                best = candidate;
            }
        }

        return best is null ? null : new Preemption(cluster.Nodes[best.Index].Name, best.Victims);
    }

    private static Candidate? Choose(PodNeeds pod, ClusterSnapshot cluster, int index, List<PodNeeds> lower, IReadOnlyList<DisruptionRoom> budgets)
    {
        var without = cluster.Without(index, lower);
        if (!Fits(pod, without, index))
        {
            return null;
        }

        var victims = new List<PodNeeds>();
        var broken = 0;
        foreach (var (other, isProtected) in InOrder(lower.Where(other => !other.IsEnding), budgets))
        {
            var with = without.With(Reservation.Of(other, cluster.Nodes[index].Name));
            if (Fits(pod, with, index))
            {
                without = with;
            }
            else
            {
                victims.Add(other);
                broken += isProtected ? 1 : 0;
            }
        }

        return new Candidate(index, victims, broken);
    }

    /// <summary>Who is put back first. A pod is protected when its budget has no room for one more, those counted that would go before it: the least important go first.</summary>
    private static IEnumerable<(PodNeeds Pod, bool IsProtected)> InOrder(IEnumerable<PodNeeds> pods, IReadOnlyList<DisruptionRoom> budgets)
    {
        var left = budgets.Select(budget => budget.Allowed).ToArray();
        var judged = new List<(PodNeeds Pod, bool IsProtected)>();
        foreach (var pod in pods.OrderBy(pod => pod.Priority).ThenByDescending(pod => pod.Since).ThenBy(pod => pod.Name, StringComparer.Ordinal))
        {
            var isProtected = false;
            for (var i = 0; i < left.Length; i++)
            {
                isProtected |= budgets[i].Covers(pod) && --left[i] < 0;
            }

            judged.Add((pod, isProtected));
        }

        judged.Reverse();
        return judged.OrderByDescending(each => each.IsProtected);
    }

    private static bool Fits(PodNeeds pod, ClusterSnapshot cluster, int index) =>
        PodCheck.FindObstacles(pod, cluster.Nodes[index], cluster.LoadAt(index)).Count == 0 && Neighbourhood.Of(pod, cluster).FindObstacle(cluster.Nodes[index]) is null;

    private sealed record Candidate(int Index, IReadOnlyList<PodNeeds> Victims, int BrokenBudgets) : IComparable<Candidate>
    {
        private readonly int most = Victims.Count == 0 ? int.MinValue : Victims.Max(victim => victim.Priority);
        private readonly long sum = Victims.Sum(victim => (long)victim.Priority - int.MinValue);

        public int CompareTo(Candidate? other) =>
            (BrokenBudgets, most, sum, Victims.Count, Index).CompareTo((other!.BrokenBudgets, other.most, other.sum, other.Victims.Count, other.Index));
    }
}
