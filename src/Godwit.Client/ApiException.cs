using System.Globalization;
using System.Net;
using System.Text.Json;
using Godwit.Api.Meta.V1;

namespace Godwit.Client;

/// <summary>The server understood who we are and what we want, and said no. <see cref="Status"/> is its own account.</summary>
public sealed class ApiException : Exception
{
    private const int BodyBytesMax = 1 << 20;

    private ApiException(string message, Status status, string? requestId, TimeSpan? retryAfter)
        : base(message)
    {
        Status = status;
        RequestId = requestId;
        RetryAfter = retryAfter;
    }

    public Status Status { get; }

    /// <summary>The HTTP status code.</summary>
    public int Code => Status.Code;

    /// <summary>Kubernetes' word for it, for example <c>AlreadyExists</c>.</summary>
    public string Reason => Status.Reason ?? "";

    /// <summary>What our request was called in the header <c>X-Request-Id</c>.</summary>
    public string? RequestId { get; }

    /// <summary>How long the server asks us to wait before we try again.</summary>
    public TimeSpan? RetryAfter { get; }

    public bool IsNotFound => Code == (int)HttpStatusCode.NotFound;

    public bool IsAlreadyExists => Code == (int)HttpStatusCode.Conflict && Reason == StatusReasons.AlreadyExists;

    /// <summary>The object has changed since it was read.</summary>
    public bool IsConflict => Code == (int)HttpStatusCode.Conflict && Reason != StatusReasons.AlreadyExists;

    /// <summary>The history asked for is gone: list again.</summary>
    public bool IsExpired => Code == (int)HttpStatusCode.Gone;

    public bool IsForbidden => Code == (int)HttpStatusCode.Forbidden;

    public bool IsInvalid => Code == (int)HttpStatusCode.UnprocessableEntity;

    internal static ApiException FromStatus(ClusterRequest request, Status status, string? requestId = null, TimeSpan? retryAfter = null)
    {
        var said = string.IsNullOrEmpty(status.Message) ? status.Reason ?? $"HTTP {status.Code}" : status.Message;
        return new ApiException($"{request.Method} {PathOnly(request)}: {said}", status, requestId, retryAfter);
    }

    internal static async Task<ApiException> ReadAsync(
        ClusterRequest request, string requestId, HttpResponseMessage response, CancellationToken stopping)
    {
        var code = (int)response.StatusCode;
        Status? status = null;
        try
        {
            if (response.Content.Headers.ContentLength is null or <= BodyBytesMax)
            {
                await response.Content.LoadIntoBufferAsync(BodyBytesMax, stopping);
                status = GodwitJson.Deserialize<Status>(await response.Content.ReadAsByteArrayAsync(stopping));
            }
        }
        catch (Exception error) when (error is JsonException or HttpRequestException or IOException)
        {
            // Not a Status: a proxy in between, or no API server. The code still says enough.
        }

        status = status is { Reason.Length: > 0 } or { Message.Length: > 0 }
            ? status
            : new Status { Message = $"the server answered HTTP {code.ToString(CultureInfo.InvariantCulture)} without an explanation" };
        return FromStatus(request, status with { Code = code }, requestId, RetryAfterOf(response));
    }

    private static string PathOnly(ClusterRequest request) => request.Path.Split('?', 2)[0];

    private static TimeSpan? RetryAfterOf(HttpResponseMessage response) => response.Headers.RetryAfter?.Delta;
}
