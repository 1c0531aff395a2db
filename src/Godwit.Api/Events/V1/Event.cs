using System.Text.Json.Serialization;
using Godwit.Api.Core.V1;

namespace Godwit.Api.Events.V1;

/// <summary>The newer form of <see cref="Event"/>: the same objects, by other names of their fields.</summary>
public sealed record EventV1() : Resource(Type), IResource<EventV1>
{
    public static ResourceType Type { get; } = new("events.k8s.io", "v1", "Event", "events", Namespaced: true);

    /// <summary>When it first happened, to the microsecond.</summary>
    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? EventTime { get; init; }

    public EventSeries? Series { get; init; }

    public string? ReportingController { get; init; }

    public string? ReportingInstance { get; init; }

    public string? Action { get; init; }

    /// <summary>Why, as one word in CamelCase.</summary>
    public string? Reason { get; init; }

    public ObjectReference Regarding { get; init => field = value ?? new(); } = new();

    public ObjectReference? Related { get; init; }

    /// <summary>What happened, in words.</summary>
    public string? Note { get; init; }

    /// <summary>One of <see cref="EventTypes"/>.</summary>
    [JsonPropertyName("type")]
    public string? Severity { get; init; }

    public EventSource? DeprecatedSource { get; init; }

    public DateTimeOffset? DeprecatedFirstTimestamp { get; init; }

    public DateTimeOffset? DeprecatedLastTimestamp { get; init; }

    public int? DeprecatedCount { get; init; }
}
