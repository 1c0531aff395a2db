using Godwit.Api.Batch.V1;
using Godwit.Controllers.Workloads.Jobs;

namespace Godwit.Controllers.Workloads.CronJobs;

/// <summary>What is to be done for a cron job now, in the order of the parameters.</summary>
/// <param name="Expired">Ended jobs beyond the bound of the history: deleted.</param>
/// <param name="Replaced">Running jobs that make room for the next: deleted.</param>
/// <param name="Create">The job that is due.</param>
/// <param name="Status">What it is, the job of <paramref name="Create"/> not yet among the active ones.</param>
/// <param name="Remarks">What people are told.</param>
/// <param name="Next">After this time something may be due.</param>
internal sealed record CronJobPlan(IReadOnlyList<Job> Expired, IReadOnlyList<Job> Replaced, Job? Create, CronJobStatus Status, IReadOnlyList<CronRemark> Remarks, TimeSpan? Next);

/// <summary>An event about a cron job.</summary>
internal sealed record CronRemark(string Severity, string Reason, string Message);

/// <summary>
/// Makes a job for the last start of a schedule that has come, and for that one only: starts that were missed before it are gone. A start
/// is settled by <c>status.lastScheduleTime</c>, which only grows, and a job's name follows from the minute of its start, so that
/// neither a death between the job and the status, nor a clock that jumps, starts a minute twice:
/// <code>
///   clock forwards    the last start in between is made, if it is within the deadline
///   clock backwards   nothing until it has passed the last start again; an event says until when
/// </code>
/// </summary>
internal static class CronJobPlanner
{
    /// <summary>A clock that jumps is noticed within so long, although nothing else calls for a look.</summary>
    public static readonly TimeSpan LookMax = TimeSpan.FromMinutes(1);

    /// <summary>What two hosts' clocks may differ by: a last start that is no further ahead is nothing to speak of.</summary>
    private static readonly TimeSpan ClocksDiffer = TimeSpan.FromMinutes(2);

    /// <param name="cron">The cron job.</param>
    /// <param name="own">The jobs that it controls, those that people started from it too.</param>
    /// <param name="now">The leader's time.</param>
    public static CronJobPlan For(CronJob cron, IEnumerable<Job> own, DateTimeOffset now)
    {
        var jobs = own.OrderBy(StartOf).ThenBy(ResourceKey.Of).ToList();
        var active = jobs.Where(job => !JobPlanner.IsFinished(job.Status) && job.Metadata.Annotations.GetValueOrDefault(CronJobNames.Instantiate) != CronJobNames.Manual).ToList();
        var plan = new CronJobPlan([], [], null, StatusOf(cron, jobs, active), Ended(cron, jobs), null);
        if (jobs.Select(job => StandsFor(cron, job)).Max() is { } made && (cron.Status.LastScheduleTime is not { } last || made > last))
        {
            // Somebody died after the job and before the status. While only the job says that this start was made, no job is deleted.
            return plan with { Status = plan.Status with { LastScheduleTime = made }, Next = TimeSpan.Zero };
        }

        plan = plan with { Expired = Expired(cron, jobs) };
        return cron.Metadata.DeletionTimestamp is not null || cron.Spec.Suspend == true ? plan : WithStart(cron, plan, active, now);
    }

    /// <summary>A job's line in the list of active ones.</summary>
    public static ObjectReference ReferenceTo(Job job) => new()
    {
        ApiVersion = job.ApiVersion,
        Kind = job.Kind,
        Namespace = job.Metadata.Namespace,
        Name = job.Metadata.Name,
        Uid = job.Metadata.Uid,
        ResourceVersion = job.Metadata.ResourceVersion,
    };

    private static CronJobPlan WithStart(CronJob cron, CronJobPlan plan, List<Job> active, DateTimeOffset now)
    {
        if (!TryRead(cron, out var schedule, out var zone, out var wrong))
        {
            return plan with { Remarks = [.. plan.Remarks, wrong] };
        }

        var since = cron.Status.LastScheduleTime ?? cron.Metadata.CreationTimestamp ?? now;
        var deadline = cron.Spec.StartingDeadlineSeconds is { } seconds ? TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue)) : (TimeSpan?)null;
        var times = CronTimes.Of(schedule, zone, since, deadline, now);
        var remarks = plan.Remarks.ToList();
        if (since - now > ClocksDiffer)
        {
            remarks.Add(new CronRemark(EventTypes.Warning, "ClockBehind", $"The last start, {Rfc3339.Format(since)}, is ahead of the clock, which went back: nothing is started before that time has passed"));
        }
        else if (times.TooLate is { } late)
        {
            remarks.Add(new CronRemark(EventTypes.Warning, "MissSchedule", $"Missed scheduled time to start a job: {Rfc3339.Format(late)}, by more than startingDeadlineSeconds ({cron.Spec.StartingDeadlineSeconds})"));
        }

        plan = plan with { Remarks = remarks, Next = times.Next is { } next && next - now < LookMax ? next - now : LookMax };
        return times.Due is { } due ? Start(cron, plan, active, due, zone, times.MissedCount) : plan;
    }

    private static CronJobPlan Start(CronJob cron, CronJobPlan plan, List<Job> active, DateTimeOffset due, TimeZoneInfo zone, int missedCount)
    {
        var remarks = plan.Remarks.ToList();
        if (missedCount > CronTimes.CountedMax)
        {
            remarks.Add(new CronRemark(EventTypes.Warning, "TooManyMissedTimes", $"More than {CronTimes.CountedMax} starts were missed: only the last, {Rfc3339.Format(due)}, is made. Set startingDeadlineSeconds, or look at the clock"));
        }

        if (active.Count > 0 && cron.Spec.ConcurrencyPolicy == CronJobNames.Forbid)
        {
            remarks.Add(new CronRemark(EventTypes.Normal, "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid"));
            return plan with { Remarks = remarks };
        }

        var replaced = cron.Spec.ConcurrencyPolicy == CronJobNames.Replace ? active.Where(job => job.Metadata.DeletionTimestamp is null).ToList() : [];
        return plan with
        {
            Replaced = replaced,
            Create = JobOf(cron, due, zone),
            Status = plan.Status with
            {
                LastScheduleTime = due,
                Active = [.. plan.Status.Active.Where(each => replaced.All(job => job.Metadata.Uid != each.Uid))],
            },
            Remarks = remarks,
        };
    }

    private static Job JobOf(CronJob cron, DateTimeOffset due, TimeZoneInfo zone)
    {
        var template = cron.Spec.JobTemplate;
        var local = TimeZoneInfo.ConvertTime(due, zone);
        var when = local.ToString(local.Offset == TimeSpan.Zero ? "yyyy-MM-dd'T'HH:mm:ss'Z'" : "yyyy-MM-dd'T'HH:mm:sszzz", System.Globalization.CultureInfo.InvariantCulture);
        return new Job
        {
            Metadata = new ObjectMeta
            {
                Namespace = cron.Metadata.Namespace,
                Name = CronJobNames.JobFor(cron, due),
                Labels = template.Metadata?.Labels ?? ObjectMeta.Empty,
                Annotations = PodTemplates.With(template.Metadata?.Annotations, new Dictionary<string, string> { [CronJobNames.ScheduledTimestamp] = when }),
                OwnerReferences = [PodTemplates.ReferenceTo(cron)],
            },
            Spec = template.Spec,
        };
    }

    private static CronJobStatus StatusOf(CronJob cron, List<Job> jobs, List<Job> active)
    {
        var successes = jobs.Where(job => JobPlanner.Has(job.Status, JobNames.Complete)).Select(job => job.Status.CompletionTime).Append(cron.Status.LastSuccessfulTime);
        var known = cron.Status.Active.Where(each => each.Uid is not null).ToDictionary(each => each.Uid!, StringComparer.Ordinal);
        return cron.Status with
        {
            Active = [.. active.Select(job => known.GetValueOrDefault(job.Metadata.Uid) ?? ReferenceTo(job))],
            LastSuccessfulTime = successes.Max(),
        };
    }

    private static List<CronRemark> Ended(CronJob cron, List<Job> jobs)
    {
        var remarks = new List<CronRemark>();
        foreach (var known in cron.Status.Active)
        {
            var job = jobs.FirstOrDefault(each => each.Metadata.Uid == known.Uid);
            if (job is null)
            {
                remarks.Add(new CronRemark(EventTypes.Normal, "MissingJob", $"Active job went missing: {known.Name}"));
            }
            else if (JobPlanner.IsFinished(job.Status))
            {
                var end = JobPlanner.Has(job.Status, JobNames.Complete) ? JobNames.Complete : JobNames.Failed;
                remarks.Add(new CronRemark(EventTypes.Normal, "SawCompletedJob", $"Saw completed job: {known.Name}, condition: {end}"));
            }
        }

        return remarks;
    }

    private static IReadOnlyList<Job> Expired(CronJob cron, List<Job> jobs) => cron.Metadata.DeletionTimestamp is not null ? [] :
    [
        .. Beyond(cron.Spec.SuccessfulJobsHistoryLimit, jobs, JobNames.Complete),
        .. Beyond(cron.Spec.FailedJobsHistoryLimit, jobs, JobNames.Failed),
    ];

    private static IEnumerable<Job> Beyond(int? limit, List<Job> jobs, string condition)
    {
        var ended = jobs.Where(job => job.Metadata.DeletionTimestamp is null && JobPlanner.Has(job.Status, condition)).ToList();
        return limit is { } count ? ended.Take(Math.Max(0, ended.Count - count)) : [];
    }

    /// <summary>The start that a job was made for; null when a person made it.</summary>
    private static DateTimeOffset? StandsFor(CronJob cron, Job job) =>
        Rfc3339.TryParse(job.Metadata.Annotations.GetValueOrDefault(CronJobNames.ScheduledTimestamp), out var due) && job.Metadata.Name == CronJobNames.JobFor(cron, due) ? due : null;

    private static DateTimeOffset StartOf(Job job) => job.Status.StartTime ?? job.Metadata.CreationTimestamp ?? DateTimeOffset.MinValue;

    /// <summary>Both were checked when they were written, but by a server that may know other zones.</summary>
    private static bool TryRead(CronJob cron, out CronSchedule schedule, out TimeZoneInfo zone, out CronRemark wrong)
    {
        (schedule, zone, wrong) = (null!, TimeZoneInfo.Utc, null!);
        if (cron.Spec.TimeZone is { Length: > 0 } name && !TimeZoneInfo.TryFindSystemTimeZoneById(name, out zone!))
        {
            wrong = new CronRemark(EventTypes.Warning, "UnknownTimeZone", $"Invalid timeZone {name}: this host knows no such zone");
            return false;
        }

        try
        {
            schedule = CronSchedule.Parse(cron.Spec.Schedule);
            return true;
        }
        catch (FormatException error)
        {
            wrong = new CronRemark(EventTypes.Warning, "UnparseableSchedule", $"Unparseable schedule {cron.Spec.Schedule}: {error.Message}");
            return false;
        }
    }
}
