using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Pods;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Storage;

internal sealed class PersistentVolumeRules : ResourceStrategy
{
    private static readonly string[] Sources = ["hostPath", "local"];

    public override bool TracksGeneration => false;

    public override void ApplyDefaults(JsonObject resource)
    {
        var spec = resource.GetOrAddObject("spec");
        spec.TryAdd("persistentVolumeReclaimPolicy", ReclaimPolicies.Retain);
        spec.TryAdd("volumeMode", "Filesystem");
        (spec["hostPath"] as JsonObject)?.TryAdd("type", "");
        resource.GetOrAddObject("status").TryAdd("phase", VolumePhases.Pending);
    }

    public override void PrepareForCreate(JsonObject resource)
    {
        resource["status"] = new JsonObject { ["phase"] = VolumePhases.Pending };
        StorageFinalizers.Add(resource, FinalizerNames.VolumeProtection);
    }

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var spec = GodwitJson.FromNode<PersistentVolume>(resource).Spec;
        foreach (var error in AccessModeRules.Validate(spec.AccessModes, spec.VolumeMode, spec.StorageClassName, "spec")
            .Concat(AccessModeRules.ValidateSize(spec.Capacity, "spec.capacity"))
            .Concat(PodVolumeRules.ValidateHostPath(spec.HostPath, "spec.hostPath"))
            .Concat(ValidateLocal(spec))
            .Concat(ValidateAffinity(spec)))
        {
            yield return error;
        }

        switch (spec)
        {
            case { HostPath: null, Local: null }:
                yield return FieldError.Required("spec", $"must specify a volume type; Godwit has {string.Join(" and ", Sources)}");
                break;
            case { HostPath: not null, Local: not null }:
                yield return FieldError.Forbidden("spec.local", "may not specify more than 1 volume type");
                break;
        }

        if (spec.ClaimRef is { } claim && (string.IsNullOrEmpty(claim.Name) || string.IsNullOrEmpty(claim.Namespace)))
        {
            yield return FieldError.Required(string.IsNullOrEmpty(claim.Name) ? "spec.claimRef.name" : "spec.claimRef.namespace", "the claim that the volume is kept for");
        }
    }

    /// <summary>What a volume is stays; where it can be reached may be said once.</summary>
    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        var (spec, there) = (updated.ObjectAt("spec") ?? [], existing.ObjectAt("spec") ?? []);
        if (Sources.Any(source => !JsonNode.DeepEquals(spec[source], there[source])))
        {
            yield return FieldError.Forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation");
        }

        if (!JsonNode.DeepEquals(spec["volumeMode"], there["volumeMode"]))
        {
            yield return FieldError.Invalid("spec.volumeMode", spec["volumeMode"], "field is immutable");
        }

        if (there["nodeAffinity"] is { } affinity && !JsonNode.DeepEquals(spec["nodeAffinity"], affinity))
        {
            yield return FieldError.Invalid("spec.nodeAffinity", null, "field is immutable, except for updating from nothing");
        }
    }

    private static IEnumerable<FieldError> ValidateLocal(PersistentVolumeSpec spec)
    {
        if (spec.Local is not { } local)
        {
            yield break;
        }

        if (local.Path.Length == 0)
        {
            yield return FieldError.Required("spec.local.path", "the path on the node");
        }
        else if (VolumeRules.CheckAbsolutePath(local.Path) is { } wrong)
        {
            yield return FieldError.Invalid("spec.local.path", local.Path, wrong);
        }

        if (spec.NodeAffinity?.Required is null)
        {
            yield return FieldError.Required("spec.nodeAffinity", "Local volume requires node affinity");
        }
    }

    private static IEnumerable<FieldError> ValidateAffinity(PersistentVolumeSpec spec)
    {
        if (spec.NodeAffinity is null)
        {
            return [];
        }

        const string path = "spec.nodeAffinity";
        return spec.NodeAffinity.Required is null
            ? [FieldError.Required($"{path}.required", "must specify required node constraints")]
            : PodRules.ValidateNodeTerms(spec.NodeAffinity.Required, $"{path}.required");
    }
}

/// <summary>Finalizers that the server puts on storage when it is made, so that there is no moment without them.</summary>
internal static class StorageFinalizers
{
    public static void Add(JsonObject resource, string finalizer)
    {
        var metadata = resource.GetOrAddObject("metadata");
        if (metadata["finalizers"] is not JsonArray finalizers)
        {
            metadata["finalizers"] = finalizers = [];
        }

        if (!finalizers.Any(each => JsonAccess.AsText(each) == finalizer))
        {
            finalizers.Add((JsonNode)finalizer);
        }
    }
}
