using System.Text.Json.Serialization;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Core.V1;

/// <summary>A report of something that happened to an object. Kept for a while only; nothing may depend on it.</summary>
public sealed record Event() : Resource(Type), IResource<Event>
{
    public static ResourceType Type { get; } = new("", "v1", "Event", "events", Namespaced: true);

    public ObjectReference InvolvedObject { get; init => field = value ?? new(); } = new();

    /// <summary>Why, as one word in CamelCase.</summary>
    public string? Reason { get; init; }

    public string? Message { get; init; }

    public EventSource? Source { get; init; }

    public DateTimeOffset? FirstTimestamp { get; init; }

    public DateTimeOffset? LastTimestamp { get; init; }

    /// <summary>How often it happened since <see cref="FirstTimestamp"/>.</summary>
    public int? Count { get; init; }

    /// <summary>One of <see cref="EventTypes"/>.</summary>
    [JsonPropertyName("type")]
    public string? Severity { get; init; }

    /// <summary>To the microsecond, when the reporter is of the newer events API.</summary>
    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? EventTime { get; init; }

    public EventSeries? Series { get; init; }

    public string? Action { get; init; }

    public ObjectReference? Related { get; init; }

    public string? ReportingComponent { get; init; }

    public string? ReportingInstance { get; init; }
}

public static class EventTypes
{
    public const string Normal = "Normal";
    public const string Warning = "Warning";
}

public sealed record EventSource
{
    public string? Component { get; init; }

    /// <summary>The node.</summary>
    public string? Host { get; init; }
}

public sealed record EventSeries
{
    public int? Count { get; init; }

    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? LastObservedTime { get; init; }
}

/// <summary>Names an object, or a part of it.</summary>
public sealed record ObjectReference
{
    public string? ApiVersion { get; init; }

    public string? Kind { get; init; }

    public string? Namespace { get; init; }

    public string? Name { get; init; }

    public string? Uid { get; init; }

    public string? ResourceVersion { get; init; }

    public string? FieldPath { get; init; }
}
