using System.Text.Json.Nodes;
using Godwit.Api.Apps.V1;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Services;
using Godwit.Api.Kinds.Storage;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds.Workloads;

/// <summary>Kinds whose pods are not alike: stateful sets, daemon sets, and the revisions of both.</summary>
internal static class SetKinds
{
    public static ResourceDefinition StatefulSetDefinition { get; } = new()
    {
        Group = "apps",
        Version = "v1",
        Kind = "StatefulSet",
        Plural = "statefulsets",
        Singular = "statefulset",
        ShortNames = ["sts"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Scale = new("spec.replicas", "status.replicas", "spec.selector"),
        Schema = SetSchemas.StatefulSet,
        Strategy = new StatefulSetRules(),
        Columns =
        [
            WorkloadColumns.Share("Ready", "Ready pods of those wanted.", ["status", "readyReplicas"], ["spec", "replicas"]),
            Columns.Age(),
            .. WorkloadColumns.Containers("spec", "template"),
        ],
    };

    public static ResourceDefinition DaemonSetDefinition { get; } = new()
    {
        Group = "apps",
        Version = "v1",
        Kind = "DaemonSet",
        Plural = "daemonsets",
        Singular = "daemonset",
        ShortNames = ["ds"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = SetSchemas.DaemonSet,
        Strategy = new DaemonSetRules(),
        Columns =
        [
            WorkloadColumns.Count("Desired", "Nodes that should have its pod.", "status", "desiredNumberScheduled"),
            WorkloadColumns.Count("Current", "Nodes that have it.", "status", "currentNumberScheduled"),
            WorkloadColumns.Count("Ready", "Nodes where it is ready.", "status", "numberReady"),
            WorkloadColumns.Count("Up-to-date", "Nodes where it is of the template of now.", "status", "updatedNumberScheduled"),
            WorkloadColumns.Count("Available", "Nodes where it has been ready long enough.", "status", "numberAvailable"),
            Columns.Computed("Node Selector", "Labels of the nodes.", set => ServiceKinds.LabelsOf(set.ObjectAt("spec", "template", "spec", "nodeSelector"))),
            Columns.Age(),
            .. WorkloadColumns.Containers("spec", "template"),
            WorkloadColumns.Selector("spec", "selector"),
        ],
    };

    public static ResourceDefinition ControllerRevisionDefinition { get; } = new()
    {
        Group = "apps",
        Version = "v1",
        Kind = "ControllerRevision",
        Plural = "controllerrevisions",
        Singular = "controllerrevision",
        Namespaced = true,
        Schema = SetSchemas.ControllerRevision,
        Strategy = new ControllerRevisionRules(),
        Columns =
        [
            Columns.Computed("Controller", "Whose revision it is.", ControllerOf),
            WorkloadColumns.Count("Revision", "Its number.", "revision"),
            Columns.Age(),
        ],
    };

    /// <summary>The owner as <c>kind.group/name</c>.</summary>
    private static string ControllerOf(JsonObject revision)
    {
        var owner = (revision.ArrayAt("metadata", "ownerReferences") ?? []).FirstOrDefault(reference => JsonAccess.AsBoolean(reference.At("controller")) == true);
        if (owner?.TextAt("kind") is not { } kind)
        {
            return WorkloadColumns.None;
        }

        var group = owner.TextAt("apiVersion") is { } version && version.Contains('/', StringComparison.Ordinal) ? "." + version[..version.IndexOf('/', StringComparison.Ordinal)] : "";
        return $"{kind.ToLowerInvariant()}{group}/{owner.TextAt("name")}";
    }
}

internal sealed class StatefulSetRules : ResourceStrategy
{
    private static readonly string[] Changeable = ["replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"];

    public override NameRule NameRule => NameRule.DnsLabel;

    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        spec.TryAdd("replicas", 1);
        spec.TryAdd("podManagementPolicy", "OrderedReady");
        spec.TryAdd("revisionHistoryLimit", 10);
        var strategy = spec.GetOrAddObject("updateStrategy");
        strategy.TryAdd("type", "RollingUpdate");
        if (strategy.TextAt("type") == "RollingUpdate")
        {
            strategy.GetOrAddObject("rollingUpdate").TryAdd("partition", 0);
        }

        var retention = spec.GetOrAddObject("persistentVolumeClaimRetentionPolicy");
        retention.TryAdd("whenDeleted", "Retain");
        retention.TryAdd("whenScaled", "Retain");
        foreach (var claim in (spec["volumeClaimTemplates"] as JsonArray ?? []).OfType<JsonObject>())
        {
            claim.TryAdd("apiVersion", PersistentVolumeClaim.Type.ApiVersion);
            claim.TryAdd("kind", PersistentVolumeClaim.Type.Kind);
            ClaimRules.ApplyDefaults(claim);
        }

        WorkloadRules.ApplyTemplateDefaults(spec.GetOrAddObject("template"));
    }

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = GodwitJson.FromNode<StatefulSet>(resource).Spec;
        var errors = WorkloadRules.ValidateTemplate(spec.Selector, ClaimTemplates.WithVolumes(spec.Template, spec.VolumeClaimTemplates), ["Always"])
            .Concat(WorkloadRules.ValidateCounts(
                ("spec.replicas", spec.Replicas), ("spec.minReadySeconds", spec.MinReadySeconds), ("spec.revisionHistoryLimit", spec.RevisionHistoryLimit),
                ("spec.updateStrategy.rollingUpdate.partition", spec.UpdateStrategy?.RollingUpdate?.Partition), ("spec.ordinals.start", spec.Ordinals?.Start)))
            .Concat(WorkloadRules.ValidateShare(spec.UpdateStrategy?.RollingUpdate?.MaxUnavailable, "spec.updateStrategy.rollingUpdate.maxUnavailable"));
        foreach (var error in errors)
        {
            yield return error;
        }

        if (spec.UpdateStrategy is { Type: "OnDelete", RollingUpdate: not null })
        {
            yield return FieldError.Invalid("spec.updateStrategy.rollingUpdate", null, "only allowed for updateStrategy 'RollingUpdate'");
        }

        foreach (var error in ClaimTemplates.Validate(spec))
        {
            yield return error;
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        var (spec, there) = (updated.ObjectAt("spec") ?? [], existing.ObjectAt("spec") ?? []);
        var names = spec.Select(field => field.Key).Union(there.Select(field => field.Key), StringComparer.Ordinal);
        return names.Any(name => !Changeable.Contains(name) && !JsonNode.DeepEquals(spec[name], there[name]))
            ? [FieldError.Forbidden("spec", $"updates to statefulset spec for fields other than {string.Join(", ", Changeable.Select(name => $"'{name}'"))} are forbidden")]
            : [];
    }
}

internal sealed class DaemonSetRules : ResourceStrategy
{
    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        spec.TryAdd("revisionHistoryLimit", 10);
        var strategy = spec.GetOrAddObject("updateStrategy");
        strategy.TryAdd("type", "RollingUpdate");
        if (strategy.TextAt("type") == "RollingUpdate")
        {
            var rolling = strategy.GetOrAddObject("rollingUpdate");
            rolling.TryAdd("maxUnavailable", 1);
            rolling.TryAdd("maxSurge", 0);
        }

        WorkloadRules.ApplyTemplateDefaults(spec.GetOrAddObject("template"));
    }

    public override void PrepareForCreate(JsonObject resource) => resource.Remove("status");

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = GodwitJson.FromNode<DaemonSet>(resource).Spec;
        var rolling = spec.UpdateStrategy?.RollingUpdate;
        var errors = WorkloadRules.ValidateTemplate(spec.Selector, spec.Template, ["Always"])
            .Concat(WorkloadRules.ValidateCounts(("spec.minReadySeconds", spec.MinReadySeconds), ("spec.revisionHistoryLimit", spec.RevisionHistoryLimit)))
            .Concat(WorkloadRules.ValidateShare(rolling?.MaxUnavailable, "spec.updateStrategy.rollingUpdate.maxUnavailable"))
            .Concat(WorkloadRules.ValidateShare(rolling?.MaxSurge, "spec.updateStrategy.rollingUpdate.maxSurge"));
        foreach (var error in errors)
        {
            yield return error;
        }

        if (rolling is not null && WorkloadRules.IsNothing(rolling.MaxUnavailable) == WorkloadRules.IsNothing(rolling.MaxSurge))
        {
            yield return FieldError.Invalid("spec.updateStrategy.rollingUpdate.maxSurge", rolling.MaxSurge?.ToString(), "exactly one of maxSurge and maxUnavailable must be more than 0");
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing) => WorkloadRules.ValidateUnchanged(updated, existing, ["spec", "selector"]);
}

internal sealed class ControllerRevisionRules : ResourceStrategy
{
    public override bool TracksGeneration => false;

    public override IEnumerable<FieldError> Validate(JsonObject resource) => WorkloadRules.ValidateCounts(("revision", JsonAccess.AsInt64(resource["revision"])));

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing) => WorkloadRules.ValidateUnchanged(updated, existing, ["data"]);
}
