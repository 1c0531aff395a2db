using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds.Workloads;

/// <summary>Work that comes to an end, once and at set times.</summary>
internal static class BatchKinds
{
    public static ResourceDefinition JobDefinition { get; } = new()
    {
        Group = "batch",
        Version = "v1",
        Kind = "Job",
        Plural = "jobs",
        Singular = "job",
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = BatchSchemas.Job,
        Strategy = new JobRules(),
        Columns =
        [
            Columns.Computed("Status", "The state in one word.", Status),
            Columns.Computed("Completions", "Pods that did it, of those that are to.", Completions),
            new("Duration", "string", "How long it took, or has taken so far.", (job, now) => Duration(job, now)),
            Columns.Age(),
            .. WorkloadColumns.Containers("spec", "template"),
            WorkloadColumns.Selector("spec", "selector"),
        ],
        SelectableFields = new Dictionary<string, Func<JsonObject, string>>(StringComparer.Ordinal)
        {
            ["status.successful"] = job => (JsonAccess.AsInt64(job.At("status", "succeeded")) ?? 0).ToString(CultureInfo.InvariantCulture),
        },
    };

    public static ResourceDefinition CronJobDefinition { get; } = new()
    {
        Group = "batch",
        Version = "v1",
        Kind = "CronJob",
        Plural = "cronjobs",
        Singular = "cronjob",
        ShortNames = ["cj"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = BatchSchemas.CronJob,
        Strategy = new CronJobRules(),
        Columns =
        [
            Columns.Text("Schedule", "When.", "spec", "schedule"),
            Columns.Computed("Timezone", "In whose hours.", job => job.TextAt("spec", "timeZone") ?? WorkloadColumns.None),
            Columns.Computed("Suspend", "Whether nothing is begun.", job => JsonAccess.AsBoolean(job.At("spec", "suspend")) == true ? "True" : "False"),
            new("Active", "integer", "Jobs that run.", (job, _) => job.ArrayAt("status", "active")?.Count ?? 0),
            new("Last Schedule", "string", "How long ago one was last begun.", (job, now) => job.TextAt("status", "lastScheduleTime") is { } last ? HumanDuration.Since(last, now) : WorkloadColumns.None),
            Columns.Age(),
            .. WorkloadColumns.Containers("spec", "jobTemplate", "spec", "template"),
            WorkloadColumns.Selector("spec", "jobTemplate", "spec", "selector"),
        ],
    };

    private static string Status(JsonObject job) =>
        Is(job, "Complete") ? "Complete"
        : Is(job, "Failed") ? "Failed"
        : job.TextAt("metadata", "deletionTimestamp") is not null ? "Terminating"
        : Is(job, "Suspended") ? "Suspended"
        : Is(job, "FailureTarget") ? "FailureTarget"
        : Is(job, "SuccessCriteriaMet") ? "SuccessCriteriaMet"
        : "Running";

    private static bool Is(JsonObject job, string condition) => Columns.ConditionStatus(job, condition) == "True";

    private static string Completions(JsonObject job)
    {
        var succeeded = JsonAccess.AsInt64(job.At("status", "succeeded")) ?? 0;
        return JsonAccess.AsInt64(job.At("spec", "completions")) is { } wanted ? string.Create(CultureInfo.InvariantCulture, $"{succeeded}/{wanted}")
            : JsonAccess.AsInt64(job.At("spec", "parallelism")) is { } at and > 1 ? string.Create(CultureInfo.InvariantCulture, $"{succeeded}/1 of {at}")
            : string.Create(CultureInfo.InvariantCulture, $"{succeeded}/1");
    }

    private static string Duration(JsonObject job, DateTimeOffset now)
    {
        if (!Rfc3339.TryParse(job.TextAt("status", "startTime") ?? "", out var start))
        {
            return "";
        }

        return HumanDuration.Format((Rfc3339.TryParse(job.TextAt("status", "completionTime") ?? "", out var end) ? end : now) - start);
    }
}
