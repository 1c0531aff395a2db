using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds;

/// <summary>Namespaces and settings.</summary>
internal static class CoreKinds
{
    public static ResourceDefinition NamespaceDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "Namespace",
        Plural = "namespaces",
        Singular = "namespace",
        ShortNames = ["ns"],
        Namespaced = false,
        HasStatus = true,
        Schema = CoreSchemas.Namespace,
        Strategy = new NamespaceStrategy(),
        Columns = [Columns.Text("Status", "Whether it lives or is being emptied.", "status", "phase"), Columns.Age()],
        SelectableFields = Fields.Of(("status.phase", ["status", "phase"])),
    };

    public static ResourceDefinition ConfigMapDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "ConfigMap",
        Plural = "configmaps",
        Singular = "configmap",
        ShortNames = ["cm"],
        Namespaced = true,
        Schema = CoreSchemas.ConfigMap,
        Strategy = new SettingsStrategy("data", "binaryData"),
        Columns = [DataColumn("data", "binaryData"), Columns.Age()],
    };

    public static ResourceDefinition SecretDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "Secret",
        Plural = "secrets",
        Singular = "secret",
        Namespaced = true,
        Schema = CoreSchemas.Secret,
        Strategy = new SecretStrategy(),
        Columns = [Columns.Text("Type", "What the data is for.", "type"), DataColumn("data"), Columns.Age()],
        SelectableFields = Fields.Of(("type", ["type"])),
    };

    private static TableColumn DataColumn(params string[] fields) => new(
        "Data", "integer", "How many values there are.", (resource, _) => fields.Sum(field => resource.ObjectAt(field)?.Count ?? 0));
}

/// <summary>A kind without a generation and without rules beyond its schema.</summary>
internal sealed class PlainStrategy : ResourceStrategy
{
    public override bool TracksGeneration => false;
}

internal sealed class NamespaceStrategy : ResourceStrategy
{
    public override bool TracksGeneration => false;

    public override NameRule NameRule => NameRule.DnsLabel;

    public override void ApplyDefaults(JsonObject resource)
    {
        if (resource.TextAt("metadata", "name") is { Length: > 0 } name)
        {
            resource.GetOrAddObject("metadata").GetOrAddObject("labels")[LabelNames.NamespaceName] = name;
        }

        resource.GetOrAddObject("status").TryAdd("phase", "Active");
    }

    public override void PrepareForCreate(JsonObject resource)
    {
        resource["spec"] = new JsonObject { ["finalizers"] = new JsonArray("kubernetes") };
        resource["status"] = new JsonObject { ["phase"] = "Active" };
    }
}

/// <summary>Keyed settings: keys that could be file names, a bound on the size, and the promise not to change.</summary>
internal class SettingsStrategy(string data, string? otherData) : ResourceStrategy
{
    /// <summary>All keys and values together, as written.</summary>
    public const int SizeMax = 1024 * 1024;

    public override bool TracksGeneration => false;

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var size = 0L;
        foreach (var field in new[] { data, otherData })
        {
            foreach (var (key, value) in (field is null ? null : resource.ObjectAt(field)) ?? [])
            {
                size += key.Length + Encoding.UTF8.GetByteCount(JsonAccess.AsText(value) ?? "");
                if (Names.CheckDataKey(key) is { } wrong)
                {
                    yield return FieldError.Invalid($"{field}[{key}]", key, wrong);
                }

                if (field == otherData && resource.ObjectAt(data)?.ContainsKey(key) == true)
                {
                    yield return FieldError.Duplicate($"{data}[{key}]", key);
                }
            }
        }

        if (size > SizeMax)
        {
            yield return FieldError.TooLong("", $"must have at most {SizeMax} bytes");
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        if (JsonAccess.AsBoolean(existing["immutable"]) != true)
        {
            yield break;
        }

        foreach (var field in new[] { "immutable", data, otherData })
        {
            if (field is not null && !JsonNode.DeepEquals(updated[field], existing[field]))
            {
                yield return FieldError.Forbidden(field, "field is immutable when `immutable` is set");
            }
        }
    }
}

internal sealed class SecretStrategy() : SettingsStrategy("data", null)
{
    public override void ApplyDefaults(JsonObject resource)
    {
        resource.TryAdd("type", "Opaque");
        foreach (var (key, value) in resource.ObjectAt("stringData") ?? [])
        {
            resource.GetOrAddObject("data")[key] = Convert.ToBase64String(Encoding.UTF8.GetBytes(JsonAccess.AsText(value) ?? ""));
        }

        resource.Remove("stringData");
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        var errors = base.ValidateUpdate(updated, existing);
        return updated.TextAt("type") == existing.TextAt("type")
            ? errors
            : errors.Append(FieldError.Invalid("type", updated["type"], "field is immutable"));
    }
}
