using Godwit.Scheduling.Pods;
using Godwit.Scheduling.Volumes;

namespace Godwit.Controllers.Placements;

/// <summary>What one round over the waiting pods decides, in the order in which it was decided.</summary>
/// <param name="Pod">The pod.</param>
/// <param name="Placement">Where it is to run, or why nowhere.</param>
/// <param name="Pending">Claims that are to be told the node, and to get their volumes, before the pod is bound.</param>
internal sealed record PodDecision(Pod Pod, PodPlacement Placement, IReadOnlyList<PendingClaim> Pending);

/// <summary>
/// Chooses nodes for all waiting pods at once, on one snapshot that each choice changes for the next: higher priority first,
/// then the older. A function of what is given; the writes are <see cref="PodBinder"/>'s.
/// </summary>
internal static class PodRoundPlanner
{
    /// <summary>So many pods a round; what is left waits for the next one, which sees what came of these.</summary>
    public const int PodsMax = 500;

    /// <summary>True when it is for this scheduler to find a node for the pod.</summary>
    public static bool IsWaiting(Pod pod) =>
        string.IsNullOrEmpty(pod.Spec.NodeName)
        && pod.Metadata.DeletionTimestamp is null
        && pod.Status.Phase is not (PodPhases.Succeeded or PodPhases.Failed)
        && pod.Spec.SchedulerName is null or "" or "default-scheduler";

    /// <summary>A pod has its address before it has its node, unless it uses the host's.</summary>
    public static bool HasAddress(Pod pod) => pod.Spec.HostNetwork == true || !string.IsNullOrEmpty(pod.Status.PodIP);

    public static IReadOnlyList<PodDecision> For(
        IEnumerable<Pod> waiting, Scheduling.ClusterSnapshot cluster, StorageView storage, IReadOnlyList<DisruptionRoom> budgets)
    {
        var pods = waiting
            .OrderByDescending(pod => pod.Spec.Priority ?? 0)
            .ThenBy(pod => pod.Metadata.CreationTimestamp)
            .ThenBy(ResourceKey.Of)
            .Take(PodsMax)
            .ToList();
        return [.. PodPlacement.ForAll(pods.Select(pod => PodNeeds.Of(pod, storage)), cluster, budgets)
            .Zip(pods, (decided, pod) => new PodDecision(pod, decided.Placement, decided.Pod.Volumes?.Pending ?? []))];
    }
}
