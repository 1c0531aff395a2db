using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;
using Godwit.Base;
using Godwit.Store;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Serving;

/// <summary>
/// The way of every request: read the request line, find out who asks, whether they may, and hand it on. This is the
/// boundary: whatever goes wrong behind it becomes one Status, and one line in the log when it is the server's fault.
/// </summary>
internal sealed partial class RequestPipeline(Authenticator authenticator, ServedResources resources, ResourceHandler handler, SystemPaths system, TimeProvider clock, ILogger<RequestPipeline> logger)
{
    /// <summary>A request that is not a watch or a stream ends after this long.</summary>
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(60);

    public async Task HandleAsync(HttpContext http, CancellationToken serverStopping)
    {
        var requestId = Guid.NewGuid().ToString("N");
        http.Response.Headers["Audit-Id"] = requestId;
        http.Response.Headers.XContentTypeOptions = "nosniff";
        using var timeout = new CancellationTokenSource(RequestTimeout, clock);
        try
        {
            await AnswerAsync(http, timeout, serverStopping);
        }
        catch (Exception error)
        {
            if (http.RequestAborted.IsCancellationRequested)
            {
                return; // Nobody is there to be told.
            }

            var status = Explain(error, timeout.IsCancellationRequested);
            if (status.Code == 500)
            {
                Log.RequestFailed(logger, requestId, http.Request.Method, http.Request.Path, error);
            }

            if (http.Response.HasStarted)
            {
                http.Abort(); // Half an answer must not look like a whole one.
                return;
            }

            http.Response.Headers.ContentEncoding = default;
            http.Response.ContentLength = null;
            await StatusWriter.WriteAsync(http, status, http.RequestAborted);
        }
    }

    private async Task AnswerAsync(HttpContext http, CancellationTokenSource timeout, CancellationToken serverStopping)
    {
        var watching = http.Request.Query["watch"].ToString() is "1" or "true";
        var target = http.Features.Get<IHttpRequestFeature>()!.RawTarget;
        var info = RequestInfo.Parse(http.Request.Method, target, watching);
        var user = authenticator.Authenticate(http);
        if (!Authorizer.Allows(user, info))
        {
            throw user.IsAnonymous ? StatusException.Unauthorized() : Forbidden(user, info);
        }

        using var stopping = info.Verb == "watch"
            ? CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, serverStopping)
            : CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, serverStopping, timeout.Token);
        var request = new ApiRequest(http, info, user, stopping.Token);
        if (!info.IsResource)
        {
            await system.HandleAsync(request);
            return;
        }

        var resource = resources.Find(info.Group, info.Version, info.Resource) ?? throw StatusException.UnknownPath();
        await handler.HandleAsync(request, resource);
    }

    private static StatusException Forbidden(User user, RequestInfo info)
    {
        if (!info.IsResource)
        {
            return StatusException.Forbidden(new StatusSubject("", "path", info.Path), $"User \"{user.Name}\" cannot {info.Verb} path \"{info.Path}\"");
        }

        var resource = info.Subresource.Length == 0 ? info.Resource : $"{info.Resource}/{info.Subresource}";
        var where = info.Namespace.Length == 0 ? "at the cluster scope" : $"in the namespace \"{info.Namespace}\"";
        return StatusException.Forbidden(info.Subject, $"User \"{user.Name}\" cannot {info.Verb} resource \"{resource}\" in API group \"{info.Group}\" {where}");
    }

    /// <summary>Every error that may reach the boundary, in the client's terms.</summary>
    private static StatusException Explain(Exception error, bool timedOut) => error switch
    {
        StatusException status => status,
        StoreCompactedException compacted => StatusException.Expired($"The resourceVersion for the provided list is too old: {compacted.RequestedRevision} ({compacted.CompactedRevision}). List again without a version or a continue token."),
        StoreFutureRevisionException future => StatusException.BadRequest(future.Message, future),
        StoreUnavailableException unavailable => StatusException.ServiceUnavailable(ErrorChain.Describe(unavailable), unavailable),
        BadHttpRequestException { StatusCode: 413 } => StatusException.TooLarge(JsonLimits.BodyBytesMax),
        BadHttpRequestException bad => StatusException.BadRequest(bad.Message, bad),
        OperationCanceledException when timedOut => StatusException.GatewayTimeout($"the request was not done within {RequestTimeout.TotalSeconds} s"),
        OperationCanceledException => StatusException.ServiceUnavailable("the server is stopping"),
        _ => StatusException.Internal("an error on the server kept the request from being carried out; its log says more, under this answer's Audit-Id"),
    };

    private static partial class Log
    {
        [LoggerMessage(1001, LogLevel.Error, "Request {RequestId} failed: {Method} {Path}.")]
        public static partial void RequestFailed(ILogger logger, string requestId, string method, string path, Exception error);
    }
}
