using Godwit.Api.Batch.V1;

namespace Godwit.Controllers.Workloads.Jobs;

/// <summary>
/// Counts each pod's end once, whatever dies when. A pod bears a finalizer from its making, so it cannot vanish uncounted. Its end takes
/// three writes, in this order:
/// <list type="number">
/// <item>its uid goes into the job's <c>uncountedTerminatedPods</c>;</item>
/// <item>its finalizer is taken off;</item>
/// <item>the uid leaves the list and the count grows, in one write.</item>
/// </list>
/// A uid in the list whose pod still has its finalizer is at the second step, any other at the third. An index that succeeded needs only
/// the first two: writing it down again changes nothing.
/// </summary>
internal static class JobTracking
{
    /// <summary>So many ends are taken up in one look; the rest in the next.</summary>
    public const int EndsMax = 500;

    /// <param name="job">The job.</param>
    /// <param name="own">All pods that it controls.</param>
    /// <returns>The status to be written first, and the pods whose finalizer comes off after that.</returns>
    public static (JobStatus Status, IReadOnlyList<Pod> Untrack) Count(Job job, IReadOnlyList<Pod> own)
    {
        var status = job.Status;
        var tracked = own.Where(IsTracked).ToDictionary(pod => pod.Metadata.Uid, StringComparer.Ordinal);
        var (listedSucceeded, listedFailed) = (status.UncountedTerminatedPods?.Succeeded ?? [], status.UncountedTerminatedPods?.Failed ?? []);
        var succeeded = listedSucceeded.Where(tracked.ContainsKey).ToList();
        var failed = listedFailed.Where(tracked.ContainsKey).ToList();
        var counted = (Succeeded: status.Succeeded + listedSucceeded.Count - succeeded.Count, Failed: status.Failed + listedFailed.Count - failed.Count);
        var completed = JobIndexes.Parse(status.CompletedIndexes, job.Spec.Completions ?? 0);
        var isIndexed = IsIndexed(job);
        var known = new HashSet<string>(succeeded.Concat(failed), StringComparer.Ordinal);
        var untrack = known.Select(uid => tracked[uid]).ToList();
        foreach (var pod in tracked.Values.Where(pod => HasEnded(job, pod) && !known.Contains(pod.Metadata.Uid)).OrderBy(ResourceKey.Of).Take(EndsMax))
        {
            untrack.Add(pod);
            if (pod.Status.Phase != PodPhases.Succeeded)
            {
                failed.Add(pod.Metadata.Uid);
            }
            else if (!isIndexed)
            {
                succeeded.Add(pod.Metadata.Uid);
            }
            else if (JobIndexes.Of(pod) is { } index && index < job.Spec.Completions)
            {
                completed.Add(index);
            }
        }

        return (
            status with
            {
                Succeeded = isIndexed ? completed.Count : counted.Succeeded,
                Failed = counted.Failed,
                CompletedIndexes = isIndexed ? JobIndexes.Format(completed) : null,
                UncountedTerminatedPods = succeeded.Count + failed.Count == 0 ? null : new UncountedTerminatedPods { Succeeded = succeeded, Failed = failed },
            },
            untrack);
    }

    public static bool IsIndexed(Job job) => job.Spec.CompletionMode == JobNames.Indexed;

    public static bool IsTracked(Pod pod) => pod.Metadata.Finalizers.Contains(JobNames.TrackingFinalizer, StringComparer.Ordinal);

    /// <summary>A pod that is being deleted has failed; where only what has failed is replaced, not before its node has let go of it.</summary>
    private static bool HasEnded(Job job, Pod pod) =>
        PodPhases.IsFinal(pod.Status.Phase)
        || (pod.Metadata.DeletionTimestamp is not null
            && (job.Spec.PodReplacementPolicy != JobNames.ReplaceFailed || !pod.Metadata.Finalizers.Contains(FinalizerNames.Agent, StringComparer.Ordinal)));
}
