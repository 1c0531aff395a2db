using System.Text.Json.Nodes;
using Godwit.Api.Apps.V1;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds.Workloads;

/// <summary>Kinds that keep a number of pods alike: deployments, replica sets, and their forerunner.</summary>
internal static class DeploymentKinds
{
    private static readonly ScalePaths Scaled = new("spec.replicas", "status.replicas", "spec.selector");

    private static IReadOnlyDictionary<string, Func<JsonObject, string>> Counted { get; } = new Dictionary<string, Func<JsonObject, string>>(StringComparer.Ordinal)
    {
        ["status.replicas"] = resource => JsonAccess.Show(resource.At("status", "replicas")),
    };

    public static ResourceDefinition DeploymentDefinition { get; } = new()
    {
        Group = "apps",
        Version = "v1",
        Kind = "Deployment",
        Plural = "deployments",
        Singular = "deployment",
        ShortNames = ["deploy"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Scale = Scaled,
        Schema = DeploymentSchemas.Deployment,
        Strategy = new DeploymentRules(),
        Columns =
        [
            WorkloadColumns.Share("Ready", "Ready pods of those wanted.", ["status", "readyReplicas"], ["spec", "replicas"]),
            WorkloadColumns.Count("Up-to-date", "Pods of the template of now.", "status", "updatedReplicas"),
            WorkloadColumns.Count("Available", "Pods that have been ready long enough.", "status", "availableReplicas"),
            Columns.Age(),
            .. WorkloadColumns.Containers("spec", "template"),
            WorkloadColumns.Selector("spec", "selector"),
        ],
    };

    public static ResourceDefinition ReplicaSetDefinition { get; } = new()
    {
        Group = "apps",
        Version = "v1",
        Kind = "ReplicaSet",
        Plural = "replicasets",
        Singular = "replicaset",
        ShortNames = ["rs"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Scale = Scaled,
        Schema = DeploymentSchemas.ReplicaSet,
        Strategy = new ReplicaSetRules(),
        Columns = Replicas,
        SelectableFields = Counted,
    };

    public static ResourceDefinition ReplicationControllerDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "ReplicationController",
        Plural = "replicationcontrollers",
        Singular = "replicationcontroller",
        ShortNames = ["rc"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Scale = Scaled,
        Schema = ReplicationSchemas.ReplicationController,
        Strategy = new ReplicationControllerRules(),
        Columns = Replicas,
        SelectableFields = Counted,
    };

    private static IReadOnlyList<TableColumn> Replicas =>
    [
        WorkloadColumns.Count("Desired", "Pods that are wanted.", "spec", "replicas"),
        WorkloadColumns.Count("Current", "Pods that there are.", "status", "replicas"),
        WorkloadColumns.Count("Ready", "Pods that are ready.", "status", "readyReplicas"),
        Columns.Age(),
        .. WorkloadColumns.Containers("spec", "template"),
        WorkloadColumns.Selector("spec", "selector"),
    ];
}

internal sealed class DeploymentRules : ResourceStrategy
{
    private const string DefaultShare = "25%";

    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        spec.TryAdd("replicas", 1);
        spec.TryAdd("revisionHistoryLimit", 10);
        spec.TryAdd("progressDeadlineSeconds", 600);
        var strategy = spec.GetOrAddObject("strategy");
        strategy.TryAdd("type", "RollingUpdate");
        if (strategy.TextAt("type") == "RollingUpdate")
        {
            var rolling = strategy.GetOrAddObject("rollingUpdate");
            rolling.TryAdd("maxUnavailable", DefaultShare);
            rolling.TryAdd("maxSurge", DefaultShare);
        }

        WorkloadRules.ApplyTemplateDefaults(spec.GetOrAddObject("template"));
    }

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = GodwitJson.FromNode<Deployment>(resource).Spec;
        var errors = WorkloadRules.ValidateTemplate(spec.Selector, spec.Template, ["Always"])
            .Concat(WorkloadRules.ValidateCounts(("spec.replicas", spec.Replicas), ("spec.minReadySeconds", spec.MinReadySeconds), ("spec.revisionHistoryLimit", spec.RevisionHistoryLimit)))
            .Concat(ValidateStrategy(spec.Strategy));
        foreach (var error in errors)
        {
            yield return error;
        }

        if (spec.ProgressDeadlineSeconds is { } deadline && deadline <= (spec.MinReadySeconds ?? 0))
        {
            yield return FieldError.Invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds");
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing) => WorkloadRules.ValidateUnchanged(updated, existing, ["spec", "selector"]);

    private static IEnumerable<FieldError> ValidateStrategy(DeploymentStrategy? strategy)
    {
        if (strategy is { Type: "Recreate", RollingUpdate: not null })
        {
            yield return FieldError.Forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
        }

        foreach (var error in WorkloadRules.ValidateShare(strategy?.RollingUpdate?.MaxUnavailable, "spec.strategy.rollingUpdate.maxUnavailable")
            .Concat(WorkloadRules.ValidateShare(strategy?.RollingUpdate?.MaxSurge, "spec.strategy.rollingUpdate.maxSurge")))
        {
            yield return error;
        }

        if (WorkloadRules.IsNothing(strategy?.RollingUpdate?.MaxUnavailable) && WorkloadRules.IsNothing(strategy?.RollingUpdate?.MaxSurge))
        {
            yield return FieldError.Invalid("spec.strategy.rollingUpdate.maxUnavailable", 0, "may not be 0 when `maxSurge` is 0");
        }
    }
}

internal sealed class ReplicaSetRules : ResourceStrategy
{
    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        spec.TryAdd("replicas", 1);
        WorkloadRules.ApplyTemplateDefaults(spec.GetOrAddObject("template"));
    }

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = GodwitJson.FromNode<ReplicaSet>(resource).Spec;
        return WorkloadRules.ValidateTemplate(spec.Selector, spec.Template, ["Always"])
            .Concat(WorkloadRules.ValidateCounts(("spec.replicas", spec.Replicas), ("spec.minReadySeconds", spec.MinReadySeconds)));
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing) => WorkloadRules.ValidateUnchanged(updated, existing, ["spec", "selector"]);
}

internal sealed class ReplicationControllerRules : ResourceStrategy
{
    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        spec.TryAdd("replicas", 1);
        var template = spec.GetOrAddObject("template");
        WorkloadRules.ApplyTemplateDefaults(template);
        if (template.ObjectAt("metadata", "labels") is { Count: > 0 } labels)
        {
            spec.TryAdd("selector", labels.DeepClone());
            resource.GetOrAddObject("metadata").TryAdd("labels", labels.DeepClone());
        }
    }

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = GodwitJson.FromNode<ReplicationController>(resource).Spec;
        return WorkloadRules.ValidateTemplate(new() { MatchLabels = spec.Selector }, spec.Template, ["Always"])
            .Concat(WorkloadRules.ValidateCounts(("spec.replicas", spec.Replicas), ("spec.minReadySeconds", spec.MinReadySeconds)));
    }
}
