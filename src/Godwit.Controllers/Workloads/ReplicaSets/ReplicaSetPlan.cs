using Godwit.Api.Apps.V1;

namespace Godwit.Controllers.Workloads.ReplicaSets;

/// <summary>What is to be done for a replica set now.</summary>
/// <param name="Adopt">Pods that it selects and that nobody controls.</param>
/// <param name="Release">Pods that it controls and no longer selects.</param>
/// <param name="CreateCount">So many pods are missing.</param>
/// <param name="Delete">These are too many.</param>
/// <param name="Status">What it is.</param>
/// <param name="NextAvailable">After this time a pod counts as available by time alone.</param>
internal sealed record ReplicaSetPlan(
    IReadOnlyList<Pod> Adopt, IReadOnlyList<Pod> Release, int CreateCount, IReadOnlyList<Pod> Delete, ReplicaSetStatus Status, TimeSpan? NextAvailable);

/// <summary>Keeps so many pods of a template.</summary>
internal static class ReplicaSetPlanner
{
    /// <summary>So many pods are made or deleted in one look.</summary>
    public const int StepMax = 500;

    /// <param name="set">The replica set.</param>
    /// <param name="pods">All pods of its namespace.</param>
    /// <param name="now">For readiness that has to last.</param>
    public static ReplicaSetPlan For(ReplicaSet set, IEnumerable<Pod> pods, DateTimeOffset now)
    {
        var (own, adopt, release) = Ownership.Sort(set, PodTemplates.SelectorOf(set.Spec.Selector), pods);
        var active = own.Concat(adopt).Where(PodFacts.IsActive).ToList();
        var missing = (set.Spec.Replicas ?? 1) - active.Count;
        var isEnding = set.Metadata.DeletionTimestamp is not null;
        return new ReplicaSetPlan(
            isEnding ? [] : adopt,
            release,
            isEnding ? 0 : Math.Clamp(missing, 0, StepMax),
            isEnding || missing >= 0 ? [] : [.. VictimOrder.Of(active).Take(Math.Min(-missing, StepMax))],
            StatusOf(set, active, own.Count(pod => pod.Metadata.DeletionTimestamp is not null), now),
            PodFacts.NextAvailable(active, set.Spec.MinReadySeconds ?? 0, now));
    }

    private static ReplicaSetStatus StatusOf(ReplicaSet set, List<Pod> active, int terminating, DateTimeOffset now)
    {
        var labels = PodTemplates.SelectorOf(new LabelSelectorSpec { MatchLabels = set.Spec.Template?.Metadata?.Labels ?? ObjectMeta.Empty });
        return set.Status with
        {
            Replicas = active.Count,
            FullyLabeledReplicas = active.Count(pod => labels.Matches(pod.Metadata.Labels)),
            ReadyReplicas = active.Count(PodFacts.IsReady),
            AvailableReplicas = active.Count(pod => PodFacts.IsAvailable(pod, set.Spec.MinReadySeconds ?? 0, now)),
            TerminatingReplicas = terminating,
            ObservedGeneration = set.Metadata.Generation ?? 0,
        };
    }
}

/// <summary>Which pods go first when there are too many: those that are missed least.</summary>
internal static class VictimOrder
{
    private const string DeletionCost = "controller.kubernetes.io/pod-deletion-cost";

    /// <summary>
    /// Without a node before placed ones; pending before running; not ready before ready; cheap before costly by annotation; of nodes
    /// with several the crowded ones first; ready for a short time before long; often restarted first; younger before older.
    /// </summary>
    public static IEnumerable<Pod> Of(IReadOnlyCollection<Pod> pods)
    {
        var crowd = pods.Where(pod => !string.IsNullOrEmpty(pod.Spec.NodeName)).GroupBy(pod => pod.Spec.NodeName!, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal);
        return pods
            .OrderBy(pod => string.IsNullOrEmpty(pod.Spec.NodeName) ? 0 : 1)
            .ThenBy(pod => pod.Status.Phase == PodPhases.Running ? 1 : 0)
            .ThenBy(pod => PodFacts.IsReady(pod) ? 1 : 0)
            .ThenBy(CostOf)
            .ThenByDescending(pod => crowd.GetValueOrDefault(pod.Spec.NodeName ?? ""))
            .ThenByDescending(pod => PodFacts.ReadyCondition(pod)?.LastTransitionTime)
            .ThenByDescending(pod => pod.Status.ContainerStatuses.Select(status => status.RestartCount).DefaultIfEmpty().Max())
            .ThenByDescending(pod => pod.Metadata.CreationTimestamp)
            .ThenBy(ResourceKey.Of);
    }

    private static int CostOf(Pod pod) => int.TryParse(pod.Metadata.Annotations.GetValueOrDefault(DeletionCost), out var cost) ? cost : 0;
}
