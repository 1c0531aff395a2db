using Godwit.Api.Batch.V1;

namespace Godwit.Controllers.Workloads.Jobs;

/// <summary>What is to be done for a job now, in the order of the parameters.</summary>
/// <param name="Status">What it is; written before everything else, because a finalizer may go only after what it stands for is written down.</param>
/// <param name="Untrack">Pods whose end is written down: their finalizer comes off.</param>
/// <param name="Adopt">Pods that it selects and that nobody controls.</param>
/// <param name="Release">Pods that it controls and no longer selects.</param>
/// <param name="Withdraw">Pods that are not wanted, and that do not count as failed: the finalizer comes off, then they are deleted.</param>
/// <param name="Stop">Pods of a job that fails: deleted, and counted as failed.</param>
/// <param name="Create">Pods that are missing, each with its index, or without one.</param>
/// <param name="IsExpired">It has ended for as long as it was to be kept: it is deleted.</param>
/// <param name="Next">After this time something is to be done by time alone.</param>
internal sealed record JobPlan(
    JobStatus Status,
    IReadOnlyList<Pod> Untrack,
    IReadOnlyList<Pod> Adopt,
    IReadOnlyList<Pod> Release,
    IReadOnlyList<Pod> Withdraw,
    IReadOnlyList<Pod> Stop,
    IReadOnlyList<int?> Create,
    bool IsExpired,
    TimeSpan? Next);

/// <summary>
/// Runs pods of a template until enough have succeeded. A job runs, or is suspended, or winds up (a condition says to which end; its pods
/// are ended and counted), or is finished; from winding up on it never goes back.
/// </summary>
internal static class JobPlanner
{
    /// <param name="job">The job.</param>
    /// <param name="pods">All pods of its namespace.</param>
    /// <param name="now">The leader's time; a job's start is written by the same clock.</param>
    public static JobPlan For(Job job, IEnumerable<Pod> pods, DateTimeOffset now)
    {
        var (own, adopt, release) = Ownership.Sort(job, PodTemplates.SelectorOf(job.Spec.Selector ?? new LabelSelectorSpec()), pods);
        var (counted, untrack) = JobTracking.Count(job, own);
        var kept = new JobPods(job, own);
        var plan = new JobPlan(counted, untrack, [], release, [], [], [], false, null);
        if (IsFinished(job.Status))
        {
            return Finished(job, plan, now);
        }

        if (job.Metadata.DeletionTimestamp is not null)
        {
            return plan with { Status = kept.Told(counted) };
        }

        if (Verdict(job, counted, kept, now) is { } verdict)
        {
            return WindUp(plan, kept, verdict, now);
        }

        plan = plan with { Adopt = adopt };
        return job.Spec.Suspend == true ? Suspend(plan, kept, now) : Run(job, plan, kept, adopt.Count, now);
    }

    public static bool IsFinished(JobStatus status) => Has(status, JobNames.Complete) || Has(status, JobNames.Failed);

    public static JobCondition? Find(JobStatus status, string type) => status.Conditions.FirstOrDefault(condition => condition.Type == type);

    public static bool Has(JobStatus status, string type) => Find(status, type)?.Status == ConditionStatuses.True;

    private static JobPlan Finished(Job job, JobPlan plan, DateTimeOffset now)
    {
        if (job.Spec.TtlSecondsAfterFinished is not { } seconds || job.Metadata.DeletionTimestamp is not null)
        {
            return plan;
        }

        var since = job.Status.Conditions.First(each => each.Type is JobNames.Complete or JobNames.Failed && each.Status == ConditionStatuses.True).LastTransitionTime ?? now;
        var left = since + TimeSpan.FromSeconds(seconds) - now;
        return left > TimeSpan.Zero ? plan with { Next = left } : plan with { IsExpired = true };
    }

    /// <summary>The end to which the job winds up, or null while it goes on.</summary>
    private static JobCondition? Verdict(Job job, JobStatus counted, JobPods kept, DateTimeOffset now)
    {
        if ((Find(job.Status, JobNames.FailureTarget) ?? Find(job.Status, JobNames.SuccessCriteriaMet)) is { } known)
        {
            return known;
        }

        var limit = job.Spec.BackoffLimit ?? 6;
        if (JobPods.FailedOf(counted) > limit || (kept.Restarts > 0 && kept.Restarts >= limit))
        {
            return Condition(JobNames.FailureTarget, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        }

        if (job.Spec.Suspend != true && DeadlineLeft(job, now) is { } left && left <= TimeSpan.Zero)
        {
            return Condition(JobNames.FailureTarget, "DeadlineExceeded", "Job was active longer than specified deadline");
        }

        var succeeded = JobPods.SucceededOf(counted);
        var isEnough = job.Spec.Completions is { } completions ? succeeded >= completions : succeeded > 0 && kept.Active.Count == 0;
        return isEnough ? Condition(JobNames.SuccessCriteriaMet, "CompletionsReached", "Reached expected number of succeeded pods") : null;
    }

    private static JobPlan WindUp(JobPlan plan, JobPods kept, JobCondition verdict, DateTimeOffset now)
    {
        var status = With(kept.Told(plan.Status), verdict, now);
        var isFailing = verdict.Type == JobNames.FailureTarget;
        if (kept.IsSettled && status.UncountedTerminatedPods is null)
        {
            status = With(status, Condition(isFailing ? JobNames.Failed : JobNames.Complete, verdict.Reason, verdict.Message), now);
            status = isFailing ? status : status with { CompletionTime = now };
        }

        return plan with { Status = status, Stop = isFailing ? kept.Tracked : [], Withdraw = isFailing ? kept.Loose : kept.Active };
    }

    private static JobPlan Suspend(JobPlan plan, JobPods kept, DateTimeOffset now)
    {
        var status = With(kept.Told(plan.Status), Condition(JobNames.Suspended, "JobSuspended", "Job suspended"), now) with { StartTime = null };
        return plan with { Status = status, Withdraw = kept.Active };
    }

    private static JobPlan Run(Job job, JobPlan plan, JobPods kept, int adopted, DateTimeOffset now)
    {
        var status = kept.Told(plan.Status);
        status = status with { StartTime = status.StartTime ?? now };
        if (Has(status, JobNames.Suspended))
        {
            status = With(status, Condition(JobNames.Suspended, "JobResumed", "Job resumed") with { Status = ConditionStatuses.False }, now);
        }

        // What was just taken is not placed yet among the others: the next look counts it.
        var (create, excess) = adopted > 0 ? ([], []) : kept.Compare(plan.Status);
        var wait = create.Count == 0 ? null : kept.BackoffLeft(now);
        return plan with
        {
            Status = status,
            Withdraw = [.. kept.Loose, .. excess],
            Create = wait is null ? create : [],
            Next = Earlier(wait, DeadlineLeft(job with { Status = status }, now)),
        };
    }

    private static TimeSpan? DeadlineLeft(Job job, DateTimeOffset now) =>
        job is { Spec.ActiveDeadlineSeconds: { } seconds, Status.StartTime: { } start } ? start + TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue)) - now : null;

    private static TimeSpan? Earlier(TimeSpan? one, TimeSpan? other) => one is null ? other : other is null || one < other ? one : other;

    private static JobCondition Condition(string type, string? reason, string? message) => new() { Type = type, Status = ConditionStatuses.True, Reason = reason, Message = message };

    private static JobStatus With(JobStatus status, JobCondition wanted, DateTimeOffset now)
    {
        var known = Find(status, wanted.Type);
        return known?.Status == wanted.Status && known?.Reason == wanted.Reason
            ? status
            : status with { Conditions = [.. status.Conditions.Where(each => each.Type != wanted.Type), wanted with { LastProbeTime = now, LastTransitionTime = now }] };
    }
}
