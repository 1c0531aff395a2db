using System.Text.Json.Nodes;
using Godwit.Api.Batch.V1;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Workloads;

/// <summary>A job finds its pods by its own uid, which the server writes into selector and template, unless the user asked to choose himself.</summary>
internal sealed class JobRules : ResourceStrategy
{
    private const string UidLabel = "batch.kubernetes.io/controller-uid";
    private const string NameLabel = "batch.kubernetes.io/job-name";

    // The same by their names of before 1.27, by which much still looks.
    private const string OldUidLabel = "controller-uid";
    private const string OldNameLabel = "job-name";
    private const int NamedIndexLengthMax = 63;

    public static string[] RestartPolicies { get; } = ["OnFailure", "Never"];

    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        if (!spec.ContainsKey("completions") && !spec.ContainsKey("parallelism"))
        {
            spec["completions"] = 1;
        }

        spec.TryAdd("parallelism", 1);
        spec.TryAdd("backoffLimit", spec.ContainsKey("backoffLimitPerIndex") ? int.MaxValue : 6);
        spec.TryAdd("completionMode", "NonIndexed");
        spec.TryAdd("suspend", false);
        spec.TryAdd("manualSelector", false);
        spec.TryAdd("podReplacementPolicy", spec.ContainsKey("podFailurePolicy") ? "Failed" : "TerminatingOrFailed");
        var template = spec.GetOrAddObject("template");
        WorkloadRules.ApplyTemplateDefaults(template);
        if (resource.TextAt("metadata", "uid") is not { Length: > 0 } uid || JsonAccess.AsBoolean(spec["manualSelector"]) == true || spec.ContainsKey("selector"))
        {
            return;
        }

        var labels = template.GetOrAddObject("metadata").GetOrAddObject("labels");
        foreach (var (name, value) in new[] { (UidLabel, uid), (OldUidLabel, uid), (NameLabel, resource.TextAt("metadata", "name")), (OldNameLabel, resource.TextAt("metadata", "name")) })
        {
            labels[name] = value;
        }

        spec["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { [UidLabel] = uid } };
    }

    public override void PrepareForCreate(JsonObject resource)
    {
        resource.Remove("status");
        var spec = resource.GetOrAddObject("spec");
        if (JsonAccess.AsBoolean(spec["manualSelector"]) == true)
        {
            return;
        }

        // A job that was read and is made again must not find the pods of the one before.
        spec.Remove("selector");
        foreach (var label in new[] { UidLabel, OldUidLabel, NameLabel, OldNameLabel })
        {
            spec.ObjectAt("template", "metadata", "labels")?.Remove(label);
        }
    }

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var job = GodwitJson.FromNode<Job>(resource);
        if (job.Spec.Selector is null)
        {
            yield return FieldError.Required("spec.selector", "a job with manualSelector names the labels of its pods");
        }

        foreach (var error in ValidateSpec(job.Spec, "spec"))
        {
            yield return error;
        }

        if (job.Spec.CompletionMode == "Indexed" && job.Spec.Completions is { } completions && $"{job.Metadata.Name}-{completions - 1}".Length > NamedIndexLengthMax)
        {
            yield return FieldError.Invalid("metadata.name", job.Metadata.Name, $"is too long for the host names of its pods, which end in the index: at most {NamedIndexLengthMax} characters in all");
        }
    }

    /// <summary>Rules of a job's spec, and of a template of jobs.</summary>
    public static IEnumerable<FieldError> ValidateSpec(JobSpec spec, string path)
    {
        var errors = WorkloadRules.ValidateTemplate(spec.Selector, spec.Template, RestartPolicies, path).Concat(WorkloadRules.ValidateCounts(
            ($"{path}.parallelism", spec.Parallelism), ($"{path}.completions", spec.Completions), ($"{path}.backoffLimit", spec.BackoffLimit), ($"{path}.backoffLimitPerIndex", spec.BackoffLimitPerIndex),
            ($"{path}.maxFailedIndexes", spec.MaxFailedIndexes), ($"{path}.ttlSecondsAfterFinished", spec.TtlSecondsAfterFinished), ($"{path}.activeDeadlineSeconds", spec.ActiveDeadlineSeconds)));
        foreach (var error in errors)
        {
            yield return error;
        }

        var indexed = spec.CompletionMode == "Indexed";
        if (indexed && spec.Completions is null)
        {
            yield return FieldError.Required($"{path}.completions", "when completion mode is Indexed");
        }

        // A promise that is taken and not kept would run, fail or end a job otherwise than was asked for.
        var refused = new (string Field, bool IsSaid)[]
        {
            ("podFailurePolicy", spec.PodFailurePolicy is not null), ("successPolicy", spec.SuccessPolicy is not null),
            ("backoffLimitPerIndex", spec.BackoffLimitPerIndex is not null), ("maxFailedIndexes", spec.MaxFailedIndexes is not null),
        };
        foreach (var (field, _) in refused.Where(each => each.IsSaid))
        {
            yield return FieldError.Forbidden($"{path}.{field}", "no controller follows it yet; backoffLimit and activeDeadlineSeconds end a job");
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        var unchanged = WorkloadRules.ValidateUnchanged(
            updated, existing, ["spec", "selector"], ["spec", "completionMode"], ["spec", "podFailurePolicy"], ["spec", "backoffLimitPerIndex"], ["spec", "managedBy"], ["spec", "successPolicy"]);
        var isElastic = updated.TextAt("spec", "completionMode") == "Indexed" && JsonNode.DeepEquals(updated.At("spec", "completions"), updated.At("spec", "parallelism"));
        var isWaiting = JsonAccess.AsBoolean(existing.At("spec", "suspend")) == true && existing.At("status", "startTime") is null;
        return unchanged
            .Concat(isElastic ? [] : WorkloadRules.ValidateUnchanged(updated, existing, ["spec", "completions"]))
            .Concat(isWaiting ? [] : WorkloadRules.ValidateUnchanged(updated, existing, ["spec", "template"]));
    }
}

internal sealed class CronJobRules : ResourceStrategy
{
    /// <summary>Eleven less than a label: so much is appended to make the names of jobs.</summary>
    private const int NameLengthMax = 52;

    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        spec.TryAdd("concurrencyPolicy", "Allow");
        spec.TryAdd("suspend", false);
        spec.TryAdd("successfulJobsHistoryLimit", 3);
        spec.TryAdd("failedJobsHistoryLimit", 1);
        WorkloadRules.ApplyTemplateDefaults(spec.GetOrAddObject("jobTemplate").GetOrAddObject("spec").GetOrAddObject("template"));
    }

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var job = GodwitJson.FromNode<CronJob>(resource);
        var spec = job.Spec;
        if (job.Metadata.Name.Length > NameLengthMax)
        {
            yield return FieldError.Invalid("metadata.name", job.Metadata.Name, $"must be no more than {NameLengthMax} characters");
        }

        if (CheckSchedule(spec.Schedule) is { } wrong)
        {
            yield return FieldError.Invalid("spec.schedule", spec.Schedule, wrong);
        }

        if (spec.TimeZone is { Length: > 0 } zone && !TimeZoneInfo.TryFindSystemTimeZoneById(zone, out _))
        {
            yield return FieldError.Invalid("spec.timeZone", zone, $"unknown time zone {zone}");
        }

        var errors = JobRules.ValidateSpec(spec.JobTemplate.Spec, "spec.jobTemplate.spec").Concat(WorkloadRules.ValidateCounts(
            ("spec.startingDeadlineSeconds", spec.StartingDeadlineSeconds), ("spec.successfulJobsHistoryLimit", spec.SuccessfulJobsHistoryLimit), ("spec.failedJobsHistoryLimit", spec.FailedJobsHistoryLimit)));
        foreach (var error in errors)
        {
            yield return error;
        }

        if (spec.JobTemplate.Spec.ManualSelector == true)
        {
            yield return FieldError.NotSupported("spec.jobTemplate.spec.manualSelector", true, "false");
        }
    }

    private static string? CheckSchedule(string text)
    {
        if (text.Contains("TZ", StringComparison.Ordinal))
        {
            return "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        }

        try
        {
            CronSchedule.Parse(text);
            return null;
        }
        catch (FormatException error)
        {
            return error.Message;
        }
    }
}
