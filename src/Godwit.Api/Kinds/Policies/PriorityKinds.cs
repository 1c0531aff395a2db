using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;
using Godwit.Api.Scheduling.V1;

namespace Godwit.Api.Kinds.Policies;

/// <summary>How important pods are.</summary>
internal static class PriorityKinds
{
    public static ResourceDefinition PriorityClassDefinition { get; } = new()
    {
        Group = PriorityClass.Type.Group,
        Version = PriorityClass.Type.Version,
        Kind = PriorityClass.Type.Kind,
        Plural = PriorityClass.Type.Plural,
        Singular = "priorityclass",
        ShortNames = ["pc"],
        Namespaced = false,
        RefusesUnknownFields = true,
        Schema = PrioritySchemas.PriorityClass,
        Strategy = new PriorityClassRules(),
        Columns =
        [
            new("Value", "integer", "Higher goes first.", (resource, _) => JsonAccess.AsInt64(resource["value"]) ?? 0),
            new("Global-Default", "boolean", "Whether it is the class of pods that name none.", (resource, _) => JsonAccess.AsBoolean(resource["globalDefault"]) ?? false),
            Columns.Age(),
            Columns.Text("PreemptionPolicy", "Whether others are taken down to make room.", "preemptionPolicy"),
        ],
    };
}

internal sealed class PriorityClassRules : ResourceStrategy
{
    public override void ApplyDefaults(JsonObject resource) => resource.TryAdd("preemptionPolicy", PreemptionPolicies.LowerPriority);

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var asked = GodwitJson.FromNode<PriorityClass>(resource);
        if (asked.Metadata.Name.StartsWith(SystemPriorities.Prefix, StringComparison.Ordinal))
        {
            if (SystemPriorities.Classes.FirstOrDefault(known => known.Metadata.Name == asked.Metadata.Name) is not { } known)
            {
                yield return Reserved($"{asked.Metadata.Name} is not a known system priority class");
            }
            else if (known.Value != asked.Value || asked.GlobalDefault == true)
            {
                yield return Reserved($"value of {known.Metadata.Name} PriorityClass must be {known.Value}, and globalDefault must be false");
            }
        }
        else if (asked.Value > SystemPriorities.UserMax)
        {
            yield return FieldError.Forbidden("value", $"maximum allowed value of a user defined priority is {SystemPriorities.UserMax}");
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        if ((JsonAccess.AsInt64(updated["value"]) ?? 0) != (JsonAccess.AsInt64(existing["value"]) ?? 0))
        {
            yield return FieldError.Forbidden("value", "may not be changed in an update.");
        }

        if (updated.TextAt("preemptionPolicy") != existing.TextAt("preemptionPolicy"))
        {
            yield return FieldError.Invalid("preemptionPolicy", updated["preemptionPolicy"], "field is immutable");
        }
    }

    private static FieldError Reserved(string why) => FieldError.Forbidden("metadata.name", $"priority class names with '{SystemPriorities.Prefix}' prefix are reserved for system use only. error: {why}");
}
