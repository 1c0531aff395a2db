using System.Text.Json;

namespace Godwit.ApiServer.Requests;

/// <summary>
/// A request that is answered with a <c>Status</c>: Kubernetes' form of an error. Thrown where the refusal is found,
/// written once, by <see cref="StatusWriter"/>, at the request's boundary.
/// </summary>
internal sealed class StatusException : Exception
{
    private StatusException(int code, string reason, string message, Exception? inner = null)
        : base(message, inner)
    {
        Code = code;
        Reason = reason;
    }

    public int Code { get; }

    /// <summary>Kubernetes' machine-readable word, such as <c>AlreadyExists</c>.</summary>
    public string Reason { get; }

    /// <summary>What the error is about, where it is about an object.</summary>
    public StatusDetails? Details { get; private init; }

    public static StatusException BadRequest(string message, Exception? inner = null) => new(400, "BadRequest", message, inner);

    public static StatusException Unauthorized() => new(401, "Unauthorized", "Unauthorized");

    public static StatusException Forbidden(StatusSubject subject, string why, params IReadOnlyList<StatusCause> causes) =>
        new(403, "Forbidden", $"{subject.Describe()} is forbidden: {why}") { Details = subject.ToDetails() with { Causes = causes } };

    public static StatusException NotFound(StatusSubject subject) =>
        new(404, "NotFound", $"{subject.Describe()} not found") { Details = subject.ToDetails() };

    public static StatusException UnknownPath() => new(404, "NotFound", "the server could not find the requested resource")
    {
        Details = new StatusDetails(),
    };

    public static StatusException TooSlow(string message, Exception inner) => new(408, "Timeout", message, inner);

    public static StatusException MethodNotAllowed(string method) =>
        new(405, "MethodNotAllowed", $"the server does not allow {method} on the requested resource") { Details = new StatusDetails() };

    public static StatusException AlreadyExists(StatusSubject subject) =>
        new(409, "AlreadyExists", $"{subject.Describe()} already exists") { Details = subject.ToDetails() };

    public static StatusException Conflict(StatusSubject subject, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {subject.Describe()}: {why}") { Details = subject.ToDetails() };

    /// <summary>Fields that others set would change; each is a cause.</summary>
    public static StatusException ApplyConflict(string message, IReadOnlyList<StatusCause> causes, Exception inner) =>
        new(409, "Conflict", message, inner) { Details = new StatusDetails { Causes = causes } };

    public static StatusException Expired(string message) => new(410, "Expired", message);

    public static StatusException TooLarge(long bytesMax) =>
        new(413, "RequestEntityTooLarge", $"the request is larger than this server takes: limit is {bytesMax} bytes");

    public static StatusException UnsupportedMediaType(string message) => new(415, "UnsupportedMediaType", message);

    public static StatusException NotAcceptable(string message) => new(406, "NotAcceptable", message);

    public static StatusException Invalid(StatusSubject subject, string why, IReadOnlyList<StatusCause> causes) =>
        new(422, "Invalid", $"{subject.DescribeKind()} is invalid: {why}") { Details = subject.ToKindDetails() with { Causes = causes } };

    public static StatusException TooManyRequests(string message, int retryAfterSeconds, params IReadOnlyList<StatusCause> causes) =>
        new(429, "TooManyRequests", message) { Details = new StatusDetails { RetryAfterSeconds = retryAfterSeconds, Causes = causes } };

    public static StatusException Internal(string message, Exception? inner = null) => new(500, "InternalError", message, inner);

    public static StatusException ServiceUnavailable(string message, Exception? inner = null) =>
        new(503, "ServiceUnavailable", message, inner) { Details = new StatusDetails { RetryAfterSeconds = 1 } };

    public static StatusException ResourceVersionTooLarge(long asked, long current) =>
        new(504, "Timeout", $"Too large resource version: {asked}, current: {current}")
        {
            Details = new StatusDetails { RetryAfterSeconds = 1, Causes = [new StatusCause("ResourceVersionTooLarge", "Too large resource version", "")] },
        };

    public static StatusException GatewayTimeout(string message) =>
        new(504, "Timeout", message) { Details = new StatusDetails { RetryAfterSeconds = 1 } };

    public static StatusException BadGateway(string message, Exception? inner = null) => new(502, "BadGateway", message, inner);

    /// <summary>The error as the wire form, <c>kind: Status</c>.</summary>
    public void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("kind"u8, "Status"u8);
        writer.WriteString("apiVersion"u8, "v1"u8);
        writer.WriteStartObject("metadata"u8);
        writer.WriteEndObject();
        writer.WriteString("status"u8, "Failure"u8);
        writer.WriteString("message"u8, Message);
        writer.WriteString("reason"u8, Reason);
        if (Details is not null)
        {
            writer.WritePropertyName("details"u8);
            Details.WriteTo(writer);
        }

        writer.WriteNumber("code"u8, Code);
        writer.WriteEndObject();
    }
}

/// <summary>The object that a <c>Status</c> speaks of.</summary>
internal readonly record struct StatusSubject(string Group, string Plural, string Name, string Kind = "")
{
    public string Resource => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    public string Describe() => Name.Length == 0 ? Resource : $"{Resource} \"{Name}\"";

    /// <summary>Who speaks of an object's content speaks of its kind, not of its resource.</summary>
    public string DescribeKind() => Kind.Length == 0 ? Describe() : $"{Kind}{(Group.Length == 0 ? "" : "." + Group)} \"{Name}\"";

    public StatusDetails ToDetails() => new() { Name = Name, Group = Group, Kind = Plural };

    public StatusDetails ToKindDetails() => ToDetails() with { Kind = Kind.Length == 0 ? Plural : Kind };
}

/// <summary>One reason among several: <paramref name="Field"/> is a path such as <c>spec.domain.cpu.cores</c>, or empty.</summary>
internal sealed record StatusCause(string Reason, string Message, string Field);

/// <summary>The <c>details</c> of a Status; what is empty is left out.</summary>
internal sealed record StatusDetails
{
    public string Name { get; init; } = "";

    public string Group { get; init; } = "";

    /// <summary>The plural resource name; Kubernetes calls it kind here.</summary>
    public string Kind { get; init; } = "";

    public string Uid { get; init; } = "";

    public IReadOnlyList<StatusCause> Causes { get; init; } = [];

    public int RetryAfterSeconds { get; init; }

    public void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        WriteNonEmpty(writer, "name", Name);
        WriteNonEmpty(writer, "group", Group);
        WriteNonEmpty(writer, "kind", Kind);
        WriteNonEmpty(writer, "uid", Uid);
        if (Causes.Count > 0)
        {
            writer.WriteStartArray("causes"u8);
            foreach (var cause in Causes)
            {
                writer.WriteStartObject();
                WriteNonEmpty(writer, "reason", cause.Reason);
                WriteNonEmpty(writer, "message", cause.Message);
                WriteNonEmpty(writer, "field", cause.Field);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        if (RetryAfterSeconds > 0)
        {
            writer.WriteNumber("retryAfterSeconds"u8, RetryAfterSeconds);
        }

        writer.WriteEndObject();
    }

    private static void WriteNonEmpty(Utf8JsonWriter writer, string name, string value)
    {
        if (value.Length > 0)
        {
            writer.WriteString(name, value);
        }
    }
}
