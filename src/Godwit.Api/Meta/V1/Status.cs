using System.Text.Json;
using System.Text.Json.Serialization;

namespace Godwit.Api.Meta.V1;

/// <summary>How a request ended, when no object is the answer.</summary>
public sealed record Status
{
    public string ApiVersion { get; } = "v1";

    public string Kind { get; } = "Status";

    public ListMeta Metadata { get; init => field = value ?? new(); } = new();

    /// <summary><c>Success</c> or <c>Failure</c>.</summary>
    [JsonPropertyName("status")]
    public string? Outcome { get; init; }

    /// <summary>For people.</summary>
    public string? Message { get; init; }

    /// <summary>For programs: one of <see cref="StatusReasons"/>.</summary>
    public string? Reason { get; init; }

    public StatusDetails? Details { get; init; }

    /// <summary>The HTTP status.</summary>
    public int Code { get; init; }
}

/// <summary>What a <see cref="Status"/> is about.</summary>
public sealed record StatusDetails
{
    public string? Name { get; init; }

    public string? Group { get; init; }

    /// <summary>The plural of the resource, or its kind where Kubernetes says so (invalid objects).</summary>
    public string? Kind { get; init; }

    public string? Uid { get; init; }

    public IReadOnlyList<StatusCause> Causes { get; init => field = value ?? []; } = [];

    public int? RetryAfterSeconds { get; init; }
}

/// <summary>One of several causes, usually one wrong field.</summary>
public sealed record StatusCause
{
    /// <summary>For programs, for example <c>FieldValueInvalid</c>.</summary>
    public string? Reason { get; init; }

    public string? Message { get; init; }

    /// <summary>The path of the field, for example <c>spec.domain.cpu.cores</c>.</summary>
    public string? Field { get; init; }
}

/// <summary>Kubernetes' machine-readable reasons of failure.</summary>
public static class StatusReasons
{
    public const string BadRequest = "BadRequest";
    public const string Unauthorized = "Unauthorized";
    public const string Forbidden = "Forbidden";
    public const string NotFound = "NotFound";
    public const string AlreadyExists = "AlreadyExists";
    public const string Conflict = "Conflict";
    public const string Gone = "Gone";
    public const string Expired = "Expired";
    public const string Invalid = "Invalid";
    public const string MethodNotAllowed = "MethodNotAllowed";
    public const string NotAcceptable = "NotAcceptable";
    public const string UnsupportedMediaType = "UnsupportedMediaType";
    public const string RequestEntityTooLarge = "RequestEntityTooLarge";
    public const string TooManyRequests = "TooManyRequests";
    public const string InternalError = "InternalError";
    public const string ServiceUnavailable = "ServiceUnavailable";
    public const string Timeout = "Timeout";
    public const string ServerTimeout = "ServerTimeout";
}

/// <summary>One line of a watch: <see cref="Type"/> says how <see cref="Object"/> is to be read.</summary>
public sealed record WatchEvent
{
    /// <summary>One of <see cref="WatchEventTypes"/>.</summary>
    public string Type { get; init => field = value ?? ""; } = "";

    /// <summary>The object after the change (the last state, for a deletion), or a <see cref="Status"/> for ERROR.</summary>
    public JsonElement Object { get; init; }
}

public static class WatchEventTypes
{
    public const string Added = "ADDED";
    public const string Modified = "MODIFIED";
    public const string Deleted = "DELETED";

    /// <summary>Carries a resourceVersion alone: everything up to it has been sent.</summary>
    public const string Bookmark = "BOOKMARK";
    public const string Error = "ERROR";
}
