using System.Collections.Immutable;
using System.Globalization;
using Godwit.Scheduling.Volumes;

namespace Godwit.Scheduling.Pods;

/// <summary>Where a pod is to run, or why nowhere.</summary>
public abstract record PodPlacement
{
    private PodPlacement()
    {
    }

    /// <summary>For so many pods at a time room is made; the others' turn comes when it is known what came of these.</summary>
    public const int PreemptionsMax = 50;

    public sealed record Chosen(string NodeName) : PodPlacement;

    /// <param name="NodeCount">How many nodes there are.</param>
    /// <param name="Obstacles">Each obstacle with the number of nodes that it stands against.</param>
    public sealed record Nowhere(int NodeCount, IReadOnlyDictionary<string, int> Obstacles) : PodPlacement
    {
        /// <summary>Where room is to be made for it; null where none can be.</summary>
        public Preemption? Preemption { get; init; }

        /// <summary>What stands against every node, whatever node it is; null: nothing.</summary>
        public string? Everywhere { get; init; }

        /// <summary>For people, as they know it: <c>0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.</c></summary>
        public string Explain()
        {
            IEnumerable<string> parts = Everywhere is { } all
                ? [all]
                : Obstacles.Select(pair => $"{pair.Value.ToString(CultureInfo.InvariantCulture)} {pair.Key}").Order(StringComparer.Ordinal);
            return NodeCount == 0 ? "no nodes available to schedule pods" : $"0/{NodeCount.ToString(CultureInfo.InvariantCulture)} nodes are available: {string.Join(", ", parts)}.";
        }
    }

    /// <summary>The same cluster and pod always give the same answer; equals are told apart by name.</summary>
    public static PodPlacement For(PodNeeds pod, ClusterSnapshot cluster)
    {
        if (FindEverywhere(pod, cluster) is { } everywhere)
        {
            return new Nowhere(cluster.Nodes.Count, ImmutableDictionary<string, int>.Empty) { Everywhere = everywhere };
        }

        var neighbours = Neighbourhood.Of(pod, cluster);
        var candidates = new List<int>(cluster.Nodes.Count);
        Dictionary<string, int>? obstacles = null;
        for (var i = 0; i < cluster.Nodes.Count; i++)
        {
            var found = PodCheck.FindObstacles(pod, cluster.Nodes[i], cluster.LoadAt(i));
            if (found.Count == 0 && pod.Volumes?.FindObstacle(cluster.Nodes[i], cluster.Promised) is { } volumes)
            {
                found = [volumes];
            }

            if (found.Count == 0 && neighbours.FindObstacle(cluster.Nodes[i]) is { } obstacle)
            {
                found = [obstacle];
            }

            if (found.Count == 0)
            {
                candidates.Add(i);
                continue;
            }

            obstacles ??= new(StringComparer.Ordinal);
            foreach (var each in found)
            {
                obstacles[each] = obstacles.GetValueOrDefault(each) + 1;
            }
        }

        return candidates.Count > 0
            ? new Chosen(cluster.Nodes[PodScore.Best(pod, cluster, neighbours, candidates)].Name)
            : new Nowhere(cluster.Nodes.Count, obstacles ?? []);
    }

    /// <summary>What a pod's claims say before any node is looked at.</summary>
    private static string? FindEverywhere(PodNeeds pod, ClusterSnapshot cluster)
    {
        if (pod.Volumes is not { } volumes || volumes.Obstacle is not null || volumes.Exclusive.Count == 0)
        {
            return pod.Volumes?.Obstacle;
        }

        for (var i = 0; i < cluster.Nodes.Count; i++)
        {
            if (cluster.LoadAt(i).Pods.Any(other => other.Namespace == pod.Namespace && other.Claims.Any(volumes.Exclusive.Contains)))
            {
                return VolumeNeeds.ExclusiveConflict;
            }
        }

        return null;
    }

    /// <summary>
    /// Places one after the other, each on the cluster that the ones before it leave. The order is the caller's: priority first. Where room is made for a pod, that room is its own for those
    /// after it, though it waits: they would take it away while its victims end.
    /// </summary>
    /// <param name="pods">Those without a node.</param>
    /// <param name="cluster">What there is.</param>
    /// <param name="budgets">What may be disrupted; null to take nobody down.</param>
    public static IEnumerable<(PodNeeds Pod, PodPlacement Placement)> ForAll(IEnumerable<PodNeeds> pods, ClusterSnapshot cluster, IReadOnlyList<DisruptionRoom>? budgets = null)
    {
        var preemptions = 0;
        NodeRanking? ranking = null;
        foreach (var pod in pods)
        {
            ranking = ranking?.IsOf(pod) == true ? ranking : NodeRanking.Of(pod, cluster);
            var placement = ranking?.Best() is { } best ? new Chosen(cluster.Nodes[best].Name) : For(pod, cluster);
            if (placement is Chosen chosen)
            {
                cluster = cluster.With(Reservation.Of(pod, chosen.NodeName));
                ranking?.Judge(cluster.IndexOf(chosen.NodeName), cluster);
            }
            else if (placement is Nowhere { Everywhere: null } nowhere && budgets is not null && preemptions < PreemptionsMax && Preemption.For(pod, cluster, budgets) is { } preemption)
            {
                preemptions++;
                placement = nowhere with { Preemption = preemption };
                cluster = cluster.With(Reservation.Of(pod, preemption.NodeName));
                ranking?.Judge(cluster.IndexOf(preemption.NodeName), cluster);
                budgets = [.. budgets.Select(budget => budget.After(preemption.Victims))];
            }

            yield return (pod, placement);
        }
    }
}
