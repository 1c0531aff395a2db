using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds;

/// <summary>Namespaces, settings and events.</summary>
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

    public static ResourceDefinition EventDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "Event",
        Plural = "events",
        Singular = "event",
        ShortNames = ["ev"],
        Namespaced = true,
        Schema = CoreSchemas.Event,
        Strategy = new PlainStrategy(),
        NameColumnFirst = false,
        Columns = EventColumns.All,
        SelectableFields = Fields.Of(
            ("involvedObject.kind", ["involvedObject", "kind"]),
            ("involvedObject.namespace", ["involvedObject", "namespace"]),
            ("involvedObject.name", ["involvedObject", "name"]),
            ("involvedObject.uid", ["involvedObject", "uid"]),
            ("involvedObject.apiVersion", ["involvedObject", "apiVersion"]),
            ("involvedObject.resourceVersion", ["involvedObject", "resourceVersion"]),
            ("involvedObject.fieldPath", ["involvedObject", "fieldPath"]),
            ("reason", ["reason"]),
            ("reportingComponent", ["reportingComponent"]),
            ("source", ["source", "component"]),
            ("type", ["type"])),
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

/// <summary>The columns of <c>kubectl get events</c>.</summary>
internal static class EventColumns
{
    public static IReadOnlyList<TableColumn> All { get; } =
    [
        new("Last Seen", "string", "How long ago it last happened.", (resource, now) => HumanDuration.Since(LastSeen(resource), now)),
        Columns.Text("Type", "Normal or Warning.", "type"),
        Columns.Text("Reason", "Why, as one word.", "reason"),
        Columns.Computed("Object", "What it happened to.", Involved),
        Columns.WideText("Subobject", "The part of the object.", "involvedObject", "fieldPath"),
        Columns.Computed("Source", "Who reports.", Source, priority: 1),
        Columns.Computed("Message", "What happened.", resource => resource.TextAt("message")?.Trim()),
        new("First Seen", "string", "How long ago it first happened.", (resource, now) => HumanDuration.Since(FirstSeen(resource), now), Priority: 1),
        new("Count", "string", "How often it happened.", (resource, _) => Count(resource), Priority: 1),
        Columns.WideText("Name", "The event's own name.", "metadata", "name"),
    ];

    private static string? FirstSeen(JsonObject resource) => resource.TextAt("firstTimestamp") ?? resource.TextAt("eventTime");

    private static string? LastSeen(JsonObject resource) =>
        resource.TextAt("series", "lastObservedTime") ?? resource.TextAt("lastTimestamp") ?? FirstSeen(resource);

    private static long Count(JsonObject resource) =>
        JsonAccess.AsInt64(resource.At("series", "count")) ?? JsonAccess.AsInt64(resource["count"]) ?? 1;

    private static string Involved(JsonObject resource) =>
        $"{resource.TextAt("involvedObject", "kind")?.ToLowerInvariant()}/{resource.TextAt("involvedObject", "name")}";

    private static string Source(JsonObject resource)
    {
        var component = resource.TextAt("source", "component") ?? resource.TextAt("reportingComponent") ?? "";
        var host = resource.TextAt("source", "host") ?? resource.TextAt("reportingInstance") ?? "";
        return host.Length == 0 ? component : $"{component}, {host}";
    }
}
