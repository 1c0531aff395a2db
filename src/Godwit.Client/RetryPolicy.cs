using System.Net;
using Godwit.Base;

namespace Godwit.Client;

/// <summary>
/// Which failed requests are sent again. The rule is safety first: a request that may already have taken effect is
/// repeated only when repeating it changes nothing more.
/// <list type="bullet">
/// <item>Never reached a server (refused, no such name): any request, at the next address.</item>
/// <item>429, which a server answers before it looks at the request: any request.</item>
/// <item>Connection lost after sending, 502, 503, 504: only GET, HEAD, PUT and DELETE. A repeated PUT that names its
/// resourceVersion, or a repeated DELETE, fails with a conflict or "not found" instead of doing its work twice.</item>
/// <item>A server whose certificate is not believed: no request, because its next answer would be the same. The next request goes to the next address.</item>
/// <item>Everything else is an answer, not a failure.</item>
/// </list>
/// </summary>
internal static class RetryPolicy
{
    /// <summary>A request is sent at most this often.</summary>
    public const int AttemptsMax = 5;

    /// <summary>A server that asks for a longer wait than this is answered with an error to our caller.</summary>
    public static readonly TimeSpan RetryAfterMax = TimeSpan.FromSeconds(10);

    public static readonly Backoff Backoff = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2));

    /// <summary>How long to wait before sending again, or null to give up.</summary>
    /// <param name="method">The request's method.</param>
    /// <param name="failure">How it failed.</param>
    /// <param name="attempt">How many times it has been sent, at least 1.</param>
    /// <param name="chance">Jitter, uniform in [0, 1).</param>
    public static TimeSpan? DelayBeforeRetry(HttpMethod method, RequestFailure failure, int attempt, double chance)
    {
        if (attempt >= AttemptsMax)
        {
            return null;
        }

        var mayRepeat = failure switch
        {
            RequestFailure.NotSent => true,
            RequestFailure.Broken => IsRepeatable(method),
            RequestFailure.Answered { Code: HttpStatusCode.TooManyRequests } => true,
            RequestFailure.Answered { Code: HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout } =>
                IsRepeatable(method),
            _ => false,
        };
        if (!mayRepeat)
        {
            return null;
        }

        var delay = Backoff.DelayFor(attempt - 1, chance);
        return failure is RequestFailure.Answered { RetryAfter: { } asked } && asked > delay
            ? asked <= RetryAfterMax ? asked : null
            : delay;
    }

    private static bool IsRepeatable(HttpMethod method) =>
        method == HttpMethod.Get || method == HttpMethod.Head || method == HttpMethod.Put || method == HttpMethod.Delete;
}

/// <summary>How a request failed, as far as it matters to the question whether to send it again.</summary>
internal abstract record RequestFailure
{
    private RequestFailure()
    {
    }

    /// <summary>No server has seen it.</summary>
    public sealed record NotSent : RequestFailure;

    /// <summary>A server was reached that did not show a certificate to believe, so nothing was said to it.</summary>
    public sealed record Distrusted : RequestFailure;

    /// <summary>It was sent, and whether it took effect is not known.</summary>
    public sealed record Broken : RequestFailure;

    /// <summary>A server answered with an error.</summary>
    public sealed record Answered(HttpStatusCode Code, TimeSpan? RetryAfter) : RequestFailure;
}
