using Godwit.Scheduling.Pods;
using Godwit.Scheduling.Volumes;

namespace Godwit.Controllers.Placements;

/// <summary>What one round over the waiting pods decides, in the order in which it was decided.</summary>
/// <param name="Pod">The pod.</param>
/// <param name="Placement">Where it is to run, or why nowhere.</param>
/// <param name="Pending">Claims that are to be told the node, and to get their volumes, before the pod is bound.</param>
internal sealed record PodDecision(Pod Pod, PodPlacement Placement, IReadOnlyList<PendingClaim> Pending);

/// <summary>The pods of one round, in the order in which they are decided upon.</summary>
/// <param name="Pods">Those that keep a place that was found for them, and so many others.</param>
/// <param name="IsLast">No other pod waits for its turn.</param>
internal sealed record PodTurn(IReadOnlyList<Pod> Pods, bool IsLast);

/// <summary>
/// Chooses nodes for all waiting pods at once, on one snapshot that each choice changes for the next: first those that have their node and wait there for their volumes, for they keep their
/// room; then higher priority, then the older. A function of what is given; the writes are <see cref="PodBinder"/>'s.
/// </summary>
internal static class PodRoundPlanner
{
    /// <summary>So many pods a round beside those that keep a place; what is left waits for the next one, which sees what came of these.</summary>
    public const int PodsMax = 500;

    /// <summary>True when it is for this scheduler to find a node for the pod.</summary>
    public static bool IsWaiting(Pod pod) =>
        string.IsNullOrEmpty(pod.Spec.NodeName)
        && pod.Metadata.DeletionTimestamp is null
        && pod.Status.Phase is not (PodPhases.Succeeded or PodPhases.Failed)
        && pod.Spec.SchedulerName is null or "" or "default-scheduler";

    /// <summary>A pod has its address before it has its node, unless it uses the host's.</summary>
    public static bool HasAddress(Pod pod) => pod.Spec.HostNetwork == true || !string.IsNullOrEmpty(pod.Status.PodIP);

    /// <summary>
    /// Whose turn it is. Pods that had theirs in the rounds just before stand aside until all others have had theirs: otherwise five hundred that fit nowhere would keep all others waiting for
    /// ever. Those that keep a place are in every round, or it would be given away.
    /// </summary>
    /// <param name="waiting">Pods without a node.</param>
    /// <param name="isPromised">Whether a pod's node was chosen in a round before, and the pod waits there for its volumes.</param>
    /// <param name="isAside">Whether a pod has had its turn.</param>
    public static PodTurn TurnOf(IEnumerable<Pod> waiting, Func<Pod, bool> isPromised, Func<Pod, bool> isAside)
    {
        var (pods, others) = (new List<Pod>(), 0);
        foreach (var pod in waiting.OrderByDescending(isPromised).ThenByDescending(pod => pod.Spec.Priority ?? 0).ThenBy(pod => pod.Metadata.CreationTimestamp).ThenBy(ResourceKey.Of))
        {
            if (isPromised(pod) || !string.IsNullOrEmpty(pod.Status.NominatedNodeName))
            {
                pods.Add(pod);
            }
            else if (!isAside(pod) && ++others <= PodsMax)
            {
                pods.Add(pod);
            }
        }

        return new PodTurn(pods, others <= PodsMax);
    }

    /// <summary>Each decision is made when it is asked for, on what the ones before it leave: so those that are made already are written down while the next ones are thought about.</summary>
    /// <param name="pods">In the order in which they are decided upon.</param>
    /// <param name="cluster">What there is, without any of these.</param>
    /// <param name="storage">What their claims mean.</param>
    /// <param name="budgets">What may be disrupted.</param>
    public static IEnumerable<PodDecision> For(IReadOnlyList<Pod> pods, Scheduling.ClusterSnapshot cluster, StorageView storage, IReadOnlyList<DisruptionRoom> budgets) =>
        PodPlacement.ForAll(pods.Select(pod => PodNeeds.Of(pod, storage)), cluster, budgets)
            .Zip(pods, (decided, pod) => new PodDecision(pod, decided.Placement, decided.Pod.Volumes?.Pending ?? []));
}
