using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of events. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c> and <c>api/events/v1/generated.proto</c>.</summary>
internal static class EventSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";
    private const string PrefixV1 = "io.k8s.api.events.v1.";

    private static readonly ObjectSchema EventSource = new(
        Prefix + "EventSource",
        "Who reports.",
        Field(1, "component", Text, "The program."),
        Field(2, "host", Text, "The node."));

    private static readonly ObjectSchema EventSeries = new(
        Prefix + "EventSeries",
        "An event that goes on happening.",
        Field(1, "count", Integer32, "How often so far."),
        Field(2, "lastObservedTime", MicroTime, "When last."));

    public static ObjectSchema Event { get; } = Kind(
        Prefix + "Event",
        "A report of something that happened to an object. Kept for a while only; nothing may depend on it.",
        Field(2, "involvedObject", CoreSchemas.ObjectReference, "What it happened to.").Required(),
        Field(3, "reason", Text, "Why, as one word in CamelCase."),
        Field(4, "message", Text, "What happened, in words."),
        Field(5, "source", EventSource, "Who reports."),
        Field(6, "firstTimestamp", Time, "When it first happened."),
        Field(7, "lastTimestamp", Time, "When it last happened."),
        Field(8, "count", Integer32, "How often it happened."),
        Field(9, "type", Text, "Normal or Warning."),
        Field(10, "eventTime", MicroTime, "When it first happened, in the newer form."),
        Field(11, "series", EventSeries, "Present when it goes on happening."),
        Field(12, "action", Text, "What was being done."),
        Field(13, "related", CoreSchemas.ObjectReference, "A second object that it is about."),
        Field(14, "reportingComponent", Text, "Who reports, in the newer form."),
        Field(15, "reportingInstance", Text, "Which instance of it."));

    public static ObjectSchema EventV1 { get; } = Kind(
        PrefixV1 + "Event",
        "A report of something that happened to an object. Kept for a while only; nothing may depend on it.",
        Field(2, "eventTime", MicroTime, "When it first happened; required of a new one."),
        Field(3, "series", new ObjectSchema(
            PrefixV1 + "EventSeries",
            "An event that goes on happening.",
            Field(1, "count", Integer32, "How often so far.").Required(),
            Field(2, "lastObservedTime", MicroTime, "When last.").Required()), "Present when it goes on happening."),
        Field(4, "reportingController", Text, "Who reports."),
        Field(5, "reportingInstance", Text, "Which instance of it."),
        Field(6, "action", Text, "What was being done."),
        Field(7, "reason", Text, "Why, as one word in CamelCase."),
        Field(8, "regarding", CoreSchemas.ObjectReference, "What it happened to."),
        Field(9, "related", CoreSchemas.ObjectReference, "A second object that it is about."),
        Field(10, "note", Text, "What happened, in words."),
        Field(11, "type", Text, "Normal or Warning."),
        Field(12, "deprecatedSource", EventSource, "Who reports, in the form of core."),
        Field(13, "deprecatedFirstTimestamp", Time, "When it first happened, in the form of core."),
        Field(14, "deprecatedLastTimestamp", Time, "When it last happened, in the form of core."),
        Field(15, "deprecatedCount", Integer32, "How often it happened, in the form of core."));
}
