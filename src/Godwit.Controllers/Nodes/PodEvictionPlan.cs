using Godwit.Scheduling;

namespace Godwit.Controllers.Nodes;

/// <summary>
/// How long a pod may stay on a node that has a <c>NoExecute</c> taint: as long as its tolerations say, the shortest of those that fit. A pod that says nothing of a node
/// that is silent or not ready stays for five minutes, as Kubernetes' defaults have it; of any other such taint, not at all. An evicted pod is deleted, and its
/// object stays until its node has let go of it, or until its node was removed: so a number of a stateful set never runs twice, and a node that comes
/// back finds what it is to stop.
/// </summary>
internal static class PodEvictionPlanner
{
    /// <summary>For nodes that are silent or not ready, where a pod says nothing.</summary>
    public static readonly TimeSpan DefaultToleration = TimeSpan.FromSeconds(300);

    /// <summary>When the pod has to go; null when it may stay. A time that has passed means now.</summary>
    public static DateTimeOffset? Deadline(Pod pod, IReadOnlyList<Taint> taints, DateTimeOffset now)
    {
        if (pod.Metadata.DeletionTimestamp is not null || PodPhases.IsFinal(pod.Status.Phase))
        {
            return null;
        }

        DateTimeOffset? deadline = null;
        foreach (var taint in taints.Where(taint => taint.Effect == TaintEffects.NoExecute))
        {
            if (StayOn(pod.Spec.Tolerations.Where(each => TolerationCheck.Tolerates(each, taint)).ToList(), taint) is { } stay)
            {
                var until = (taint.TimeAdded ?? now) + stay;
                deadline = deadline is null || until < deadline ? until : deadline;
            }
        }

        return deadline;
    }

    private static TimeSpan? StayOn(List<Toleration> fitting, Taint taint)
    {
        if (fitting.Count == 0)
        {
            return taint.Key is TaintKeys.Unreachable or TaintKeys.NotReady ? DefaultToleration : TimeSpan.Zero;
        }

        var seconds = fitting.Select(each => each.TolerationSeconds).Min(); // Those without a number stand for ever, and are passed over by Min.
        return seconds is { } number ? TimeSpan.FromSeconds(Math.Clamp(number, 0, int.MaxValue)) : null;
    }
}
