using System.Buffers;
using System.Text.Json;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Auditing;

/// <summary>
/// Writes down who asked for what and what came of it, as the policy says: events in the form of <c>audit.k8s.io/v1</c> Event (Kubernetes documentation,
/// "Auditing"). Of the address that was asked for only the path is told, because a query may hold what a program in a pod is to be given.
/// </summary>
internal sealed class AuditTrail(AuditPolicy policy, AuditLog log, TimeProvider clock) : IAsyncDisposable
{
    private const int AgentLengthMax = 256;

    public long LostCount => log.LostCount;

    public AuditedRequest Begin(string id, HttpContext http) => new(this, id, http, clock.GetUtcNow());

    public ValueTask DisposeAsync() => log.DisposeAsync();

    internal ValueTask RecordAsync(AuditedRequest request, string stage, int? code) =>
        request.Info is { } info && policy.Records(request.User, info, stage) ? log.AddAsync(Write(request, info, stage, code)) : ValueTask.CompletedTask;

    private byte[] Write(AuditedRequest request, RequestInfo info, string stage, int? code)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            json.WriteString("kind", "Event");
            json.WriteString("apiVersion", "audit.k8s.io/v1");
            json.WriteString("level", "Metadata");
            json.WriteString("auditID", request.Id);
            json.WriteString("stage", stage);
            json.WriteString("requestURI", info.Path);
            json.WriteString("verb", info.Verb);
            WriteUser(json, "user", request.Asker);
            if (!ReferenceEquals(request.User, request.Asker))
            {
                WriteUser(json, "impersonatedUser", request.User);
            }

            json.WriteStartArray("sourceIPs");
            json.WriteStringValue(request.Http.Connection.RemoteIpAddress?.ToString() ?? "");
            json.WriteEndArray();
            var agent = request.Http.Request.Headers.UserAgent.ToString();
            json.WriteString("userAgent", agent.Length <= AgentLengthMax ? agent : agent[..AgentLengthMax]);
            WriteObject(json, info);
            if (code is { } answered)
            {
                json.WriteStartObject("responseStatus");
                json.WriteNumber("code", answered);
                json.WriteEndObject();
            }

            json.WriteString("requestReceivedTimestamp", Text(request.ReceivedAt));
            json.WriteString("stageTimestamp", Text(clock.GetUtcNow()));
            if (request.IsAllowed is { } allowed)
            {
                json.WriteStartObject("annotations");
                json.WriteString("authorization.k8s.io/decision", allowed ? "allow" : "forbid");
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        output.Write("\n"u8);
        return output.WrittenSpan.ToArray();
    }

    private static void WriteUser(Utf8JsonWriter json, string field, User user)
    {
        json.WriteStartObject(field);
        json.WriteString("username", user.Name);
        if (user.Uid.Length > 0)
        {
            json.WriteString("uid", user.Uid);
        }

        json.WriteStartArray("groups");
        foreach (var group in user.Groups)
        {
            json.WriteStringValue(group);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteObject(Utf8JsonWriter json, RequestInfo info)
    {
        if (!info.IsResource)
        {
            return;
        }

        json.WriteStartObject("objectRef");
        foreach (var (field, value) in new[]
                 {
                     ("resource", info.Resource), ("namespace", info.Namespace), ("name", info.Name), ("apiGroup", info.Group), ("apiVersion", info.Version), ("subresource", info.Subresource),
                 })
        {
            if (value.Length > 0)
            {
                json.WriteString(field, value);
            }
        }

        json.WriteEndObject();
    }

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>One request as far as it is known: it is filled as the request makes its way.</summary>
internal sealed class AuditedRequest(AuditTrail trail, string id, HttpContext http, DateTimeOffset receivedAt)
{
    public string Id => id;

    public HttpContext Http => http;

    public DateTimeOffset ReceivedAt => receivedAt;

    public RequestInfo? Info { get; set; }

    /// <summary>Who sent it; nobody while that is not known, and when it could not be found out.</summary>
    public User Asker { get; private set; } = User.Anonymous;

    /// <summary>As whom it is carried out.</summary>
    public User User { get; private set; } = User.Anonymous;

    /// <summary>Null: it never came so far that this was asked.</summary>
    public bool? IsAllowed { get; set; }

    /// <summary>From here on it may be refused for who asks.</summary>
    public void Knows(User asker, User user) => (Asker, User, IsAllowed) = (asker, user, false);

    public ValueTask RecordAsync(string stage, int? code) => trail.RecordAsync(this, stage, code);
}
