namespace Godwit.Controllers.Workloads;

/// <summary>What a pod's object says about it, as those need to know who keep pods.</summary>
internal static class PodFacts
{
    /// <summary>True while it counts as one of those that are kept: not ended, not being deleted.</summary>
    public static bool IsActive(Pod pod) => pod.Metadata.DeletionTimestamp is null && !PodPhases.IsFinal(pod.Status.Phase);

    public static bool IsReady(Pod pod) => ReadyCondition(pod)?.Status == ConditionStatuses.True;

    /// <summary>Ready for so long that it can be built upon. Where no time is asked for none is looked at: it was read off the node's clock, which may be ahead of ours.</summary>
    public static bool IsAvailable(Pod pod, int minReadySeconds, DateTimeOffset now) => IsReady(pod) && (minReadySeconds <= 0 || ReadyFor(pod, now) >= TimeSpan.FromSeconds(minReadySeconds));

    /// <summary>When the first of these becomes available by time alone; null when none will.</summary>
    public static TimeSpan? NextAvailable(IEnumerable<Pod> pods, int minReadySeconds, DateTimeOffset now)
    {
        TimeSpan? next = null;
        foreach (var pod in pods.Where(pod => IsReady(pod) && !IsAvailable(pod, minReadySeconds, now)))
        {
            var rest = TimeSpan.FromSeconds(minReadySeconds) - ReadyFor(pod, now);
            next = next is null || rest < next ? rest : next;
        }

        return next;
    }

    public static OwnerReference? ControllerOf(Resource resource) => resource.Metadata.OwnerReferences.FirstOrDefault(owner => owner.Controller == true);

    public static PodCondition? ReadyCondition(Pod pod) => pod.Status.Conditions.FirstOrDefault(condition => condition.Type == PodConditionTypes.Ready);

    private static TimeSpan ReadyFor(Pod pod, DateTimeOffset now) => ReadyCondition(pod)?.LastTransitionTime is { } since ? now - since : TimeSpan.Zero;
}
