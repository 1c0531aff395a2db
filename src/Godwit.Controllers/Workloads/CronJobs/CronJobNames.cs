using System.Globalization;
using Godwit.Api.Batch.V1;

namespace Godwit.Controllers.Workloads.CronJobs;

/// <summary>Names and values of a cron job's objects, Kubernetes' own.</summary>
internal static class CronJobNames
{
    /// <summary>On a job: the start that it stands for, in the hours of its schedule.</summary>
    public const string ScheduledTimestamp = "batch.kubernetes.io/cronjob-scheduled-timestamp";

    /// <summary>On a job: with the value <see cref="Manual"/>, a person started it.</summary>
    public const string Instantiate = "cronjob.kubernetes.io/instantiate";

    public const string Manual = "manual";

    public const string Forbid = "Forbid";
    public const string Replace = "Replace";

    /// <summary>The same minute has the same name, so the server takes it once.</summary>
    public static string JobFor(CronJob cron, DateTimeOffset due) => string.Create(CultureInfo.InvariantCulture, $"{cron.Metadata.Name}-{due.ToUnixTimeSeconds() / 60}");
}
