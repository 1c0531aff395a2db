using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Events.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds.Events;

/// <summary>What happened to objects: stored in the form of core, and served as <c>events.k8s.io/v1</c> too.</summary>
internal static class EventKinds
{
    public static ResourceDefinition EventDefinition { get; } = new()
    {
        Group = Event.Type.Group,
        Version = Event.Type.Version,
        Kind = Event.Type.Kind,
        Plural = Event.Type.Plural,
        Singular = "event",
        ShortNames = ["ev"],
        Namespaced = true,
        Schema = EventSchemas.Event,
        Strategy = new PlainStrategy(),
        NameColumnFirst = false,
        Columns = EventColumns.Of(resource => resource),
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

    public static ResourceDefinition EventV1Definition { get; } = EventDefinition with
    {
        Group = EventV1.Type.Group,
        Version = EventV1.Type.Version,
        Schema = EventSchemas.EventV1,
        Strategy = new EventV1Rules(),
        Columns = EventColumns.Of(EventConversion.AsStored),
        SelectableFields = Fields.Of(
            ("regarding.kind", ["regarding", "kind"]),
            ("regarding.namespace", ["regarding", "namespace"]),
            ("regarding.name", ["regarding", "name"]),
            ("regarding.uid", ["regarding", "uid"]),
            ("regarding.apiVersion", ["regarding", "apiVersion"]),
            ("regarding.resourceVersion", ["regarding", "resourceVersion"]),
            ("regarding.fieldPath", ["regarding", "fieldPath"]),
            ("reason", ["reason"]),
            ("reportingController", ["reportingController"]),
            ("type", ["type"])),
        Conversion = new VersionConversion(EventDefinition, EventConversion.ToStored, EventConversion.FromStored),
    };
}

/// <summary>Both forms have the same fields under different names, so nothing is lost either way.</summary>
internal static class EventConversion
{
    private static readonly (string Stored, string Served)[] Renamed =
    [
        ("involvedObject", "regarding"),
        ("message", "note"),
        ("reportingComponent", "reportingController"),
        ("source", "deprecatedSource"),
        ("firstTimestamp", "deprecatedFirstTimestamp"),
        ("lastTimestamp", "deprecatedLastTimestamp"),
        ("count", "deprecatedCount"),
    ];

    /// <summary>The same event in the stored form, for those that only look.</summary>
    public static JsonObject AsStored(JsonObject resource)
    {
        var stored = resource.DeepClone().AsObject();
        ToStored(stored);
        return stored;
    }

    public static void ToStored(JsonObject resource)
    {
        foreach (var (stored, served) in Renamed)
        {
            Rename(resource, served, stored);
        }

        resource.TryAdd("involvedObject", new JsonObject()); // Which that form must have.
    }

    public static void FromStored(JsonObject resource)
    {
        foreach (var (stored, served) in Renamed)
        {
            Rename(resource, stored, served);
        }
    }

    private static void Rename(JsonObject resource, string from, string to)
    {
        if (resource.Remove(from, out var value))
        {
            resource[to] = value;
        }
    }
}

/// <summary>The columns of <c>kubectl get events</c>.</summary>
internal static class EventColumns
{
    /// <param name="stored">Makes the stored form of an event.</param>
    public static IReadOnlyList<TableColumn> Of(Func<JsonObject, JsonObject> stored) => [.. All.Select(column => column with { Cell = (resource, now) => column.Cell(stored(resource), now) })];

    private static IReadOnlyList<TableColumn> All =>
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
