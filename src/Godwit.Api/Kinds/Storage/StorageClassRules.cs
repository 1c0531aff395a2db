using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Storage.V1;

namespace Godwit.Api.Kinds.Storage;

internal sealed class StorageClassRules : ResourceStrategy
{
    private static readonly string[] Fixed = ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"];

    public override bool TracksGeneration => false;

    public override void ApplyDefaults(JsonObject resource)
    {
        resource.TryAdd("reclaimPolicy", ReclaimPolicies.Delete);
        resource.TryAdd("volumeBindingMode", VolumeBindingModes.Immediate);
    }

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var kind = GodwitJson.FromNode<StorageClass>(resource);
        if (kind.Provisioner.Length == 0)
        {
            yield return FieldError.Required("provisioner", $"who makes its volumes: {StorageClassNames.LocalProvisioner}, {StorageClassNames.NoProvisioner}, or somebody outside");
        }
        else if (Names.CheckQualifiedName(kind.Provisioner) is { } wrong)
        {
            yield return FieldError.Invalid("provisioner", kind.Provisioner, wrong);
        }

        if (kind.Provisioner == StorageClassNames.LocalProvisioner && kind.Parameters.Count > 0)
        {
            yield return FieldError.Forbidden("parameters", $"{StorageClassNames.LocalProvisioner} takes no parameters");
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing) =>
        from field in Fixed
        where !JsonNode.DeepEquals(updated[field], existing[field])
        select FieldError.Forbidden(field, $"updates to {field} are forbidden.");
}
