using Godwit.Api.Batch.V1;

namespace Godwit.Controllers.Workloads.CronJobs;

/// <summary>Which start of a schedule is due.</summary>
/// <param name="Due">The last start that has come and was not made; null when there is none.</param>
/// <param name="Next">The first start after now; null when none ever comes.</param>
/// <param name="MissedCount">How many have come, the due one included; counted up to one more than <see cref="CountedMax"/>.</param>
/// <param name="TooLate">The last start that came and went for which the deadline is over; null when there is none.</param>
internal sealed record CronTimes(DateTimeOffset? Due, DateTimeOffset? Next, int MissedCount, DateTimeOffset? TooLate)
{
    /// <summary>So many missed starts are counted one by one; whoever was away for longer is told only that it was longer.</summary>
    public const int CountedMax = 100;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    /// <param name="schedule">When.</param>
    /// <param name="zone">In whose hours.</param>
    /// <param name="since">Everything up to then is settled: the last start, or the birth of the cron job.</param>
    /// <param name="deadline">How late a start may be; null for ever.</param>
    /// <param name="now">The time. It may lie before <paramref name="since"/> when a clock went back: then nothing is due.</param>
    public static CronTimes Of(CronSchedule schedule, TimeZoneInfo zone, DateTimeOffset since, TimeSpan? deadline, DateTimeOffset now)
    {
        var next = schedule.NextAfter(now > since ? now : since, zone);
        if (Last(schedule, zone, since, now) is not { } last)
        {
            return new CronTimes(null, next, 0, null);
        }

        if (deadline is { } bound && now - last > bound)
        {
            return new CronTimes(null, next, 0, last);
        }

        var count = 1;
        for (var each = schedule.NextAfter(since, zone); each < last && count <= CountedMax; each = schedule.NextAfter(each.Value, zone))
        {
            count++;
        }

        return new CronTimes(last, next, count, null);
    }

    /// <summary>The last time in (since, now]. Found by halving, so that years away cost no more than days.</summary>
    private static DateTimeOffset? Last(CronSchedule schedule, TimeZoneInfo zone, DateTimeOffset since, DateTimeOffset now)
    {
        var (low, high) = (since, now);
        if (high <= low || schedule.NextAfter(low, zone) is not { } found || found > now)
        {
            return null;
        }

        // What comes next after low is at or before now; what comes next after high is not.
        while (high - low > Minute)
        {
            var middle = low + (high - low) / 2;
            if (schedule.NextAfter(middle, zone) is { } later && later <= now)
            {
                (low, found) = (middle, later);
            }
            else
            {
                high = middle;
            }
        }

        return found;
    }
}
