using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds.Workloads;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Storage;

/// <summary>What a claim must say; of claims, and of the templates of claims in a stateful set.</summary>
internal static class ClaimRules
{
    public static void ApplyDefaults(JsonObject claim)
    {
        claim.GetOrAddObject("spec").TryAdd("volumeMode", "Filesystem");
        claim.GetOrAddObject("status").TryAdd("phase", ClaimPhases.Pending);
    }

    public static IEnumerable<FieldError> Validate(PersistentVolumeClaimSpec spec, string path) =>
        AccessModeRules.Validate(spec.AccessModes, spec.VolumeMode, spec.StorageClassName, path)
            .Concat(AccessModeRules.ValidateSize(spec.Resources?.Requests ?? Quantities.None, $"{path}.resources.requests"))
            .Concat(spec.Selector is null ? [] : WorkloadRules.ValidateSelector(spec.Selector, $"{path}.selector", mayBeEmpty: true))
            .Concat(spec.VolumeName is { Length: > 0 } name && Names.CheckDnsSubdomain(name) is { } wrong ? [FieldError.Invalid($"{path}.volumeName", name, wrong)] : []);
}

internal sealed class ClaimStrategy : ResourceStrategy
{
    public override bool TracksGeneration => false;

    public override void ApplyDefaults(JsonObject resource) => ClaimRules.ApplyDefaults(resource);

    public override void PrepareForCreate(JsonObject resource)
    {
        resource["status"] = new JsonObject { ["phase"] = ClaimPhases.Pending };
        StorageFinalizers.Add(resource, FinalizerNames.ClaimProtection);
    }

    public override IEnumerable<FieldError> Validate(JsonObject resource) => ClaimRules.Validate(GodwitJson.FromNode<PersistentVolumeClaim>(resource).Spec, "spec");

    /// <summary>A claim stays as it was made, but for what it did not say (volume, class) and for growth once it has its volume. Whether its class lets it grow is for the server to look up.</summary>
    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        var (spec, there) = (GodwitJson.FromNode<PersistentVolumeClaim>(updated).Spec, GodwitJson.FromNode<PersistentVolumeClaim>(existing).Spec);
        var isBound = existing.TextAt("status", "phase") == ClaimPhases.Bound;
        var (now, before) = (spec.Resources?.Requests ?? Quantities.None, there.Resources?.Requests ?? Quantities.None);
        if (!JsonNode.DeepEquals(Fixed(updated), Fixed(existing)))
        {
            yield return FieldError.Forbidden("spec", "spec is immutable after creation except resources.requests for bound claims");
        }

        if (isBound && now.GetValueOrDefault(Quantities.Storage) < before.GetValueOrDefault(Quantities.Storage))
        {
            yield return FieldError.Forbidden("spec.resources.requests.storage", "field can not be less than previous value");
        }

        JsonObject Fixed(JsonObject claim)
        {
            var rest = claim.ObjectAt("spec")?.DeepClone() as JsonObject ?? [];
            foreach (var field in new[] { string.IsNullOrEmpty(there.VolumeName) ? "volumeName" : "", there.StorageClassName is null ? "storageClassName" : "" })
            {
                rest.Remove(field);
            }

            if (isBound)
            {
                (rest["resources"] as JsonObject)?.Remove("requests");
            }

            return rest;
        }
    }
}
