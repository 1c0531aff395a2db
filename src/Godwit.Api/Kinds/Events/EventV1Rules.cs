using System.Text.Json.Nodes;
using Godwit.Api.Core.V1;
using Godwit.Api.Events.V1;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Events;

/// <summary>
/// Rules of events in the newer form, as Kubernetes has them: a new one is whole, and of one that is there only the series goes on. One that was made in the form of core may be shorter, and
/// may be labelled all the same.
/// </summary>
internal sealed class EventV1Rules : ResourceStrategy
{
    private const int WordCharsMax = 128;
    private const int NoteCharsMax = 1024;
    private const int SeriesCountMin = 2;

    private static readonly string[] Deprecated = ["deprecatedSource", "deprecatedFirstTimestamp", "deprecatedLastTimestamp", "deprecatedCount"];

    private static readonly string[] Fixed =
    [
        "regarding", "reason", "note", "type", "eventTime", "action", "related", "reportingController", "reportingInstance", .. Deprecated,
    ];

    public override bool TracksGeneration => false;

    public override IEnumerable<FieldError> ValidateCreate(JsonObject resource)
    {
        var told = GodwitJson.FromNode<EventV1>(resource);
        if (told.EventTime is null)
        {
            yield return FieldError.Required("eventTime", "");
        }

        if (told.Severity is not (EventTypes.Normal or EventTypes.Warning))
        {
            yield return FieldError.Invalid("type", told.Severity, $"has invalid value: {told.Severity}");
        }

        foreach (var (field, word) in new[] { ("reportingController", told.ReportingController), ("reportingInstance", told.ReportingInstance), ("action", told.Action), ("reason", told.Reason) })
        {
            if (string.IsNullOrEmpty(word))
            {
                yield return FieldError.Required(field, "");
            }
            else if (word.Length > WordCharsMax)
            {
                yield return FieldError.Invalid(field, word[..WordCharsMax], $"can have at most {WordCharsMax} characters");
            }
        }

        if (told.Note is { Length: > NoteCharsMax })
        {
            yield return FieldError.Invalid("note", "", $"can have at most {NoteCharsMax} characters");
        }

        // What has no namespace is told of in the default one, or in that of the system.
        if ((told.Regarding.Namespace ?? "") is var about && about != told.Metadata.Namespace && !(about.Length == 0 && told.Metadata.Namespace is NamespaceNames.Default or NamespaceNames.KubeSystem))
        {
            yield return FieldError.Invalid("regarding.namespace", about, "does not match event.namespace");
        }

        foreach (var field in Deprecated.Where(resource.ContainsKey))
        {
            yield return FieldError.Invalid(field, "", "needs to be unset");
        }

        foreach (var error in ValidateSeries(told.Series))
        {
            yield return error;
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing) => Fixed.Where(field => !JsonNode.DeepEquals(updated[field], existing[field]))
        .Select(field => FieldError.Invalid(field, updated[field], "field is immutable"))
        .Concat(JsonNode.DeepEquals(updated["series"], existing["series"]) ? [] : ValidateSeries(GodwitJson.FromNode<EventV1>(updated).Series));

    private static IEnumerable<FieldError> ValidateSeries(EventSeries? series)
    {
        if (series is { Count: null or < SeriesCountMin })
        {
            yield return FieldError.Invalid("series.count", series.Count, $"should be at least {SeriesCountMin}");
        }

        if (series is { LastObservedTime: null })
        {
            yield return FieldError.Required("series.lastObservedTime", "");
        }
    }
}
