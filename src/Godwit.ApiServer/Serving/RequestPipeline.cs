using Godwit.Api.Machinery.Selectors;
using Godwit.ApiServer.Auditing;
using Godwit.ApiServer.Measuring;
using Godwit.ApiServer.Proxying;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;
using Godwit.ApiServer.Telemetry;
using Godwit.Base;
using Godwit.Store;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Serving;

/// <summary>
/// The way of every request, and the boundary behind which anything may fail:
/// <code>
///   request line ─▶ who? ─▶ may they? ─▶ not too many at once? ─▶ system path │ machine verb │ review │ objects
///        │            │         │                │                        │
///       400          401    401, 403            429                any error ─▶ one Status
/// </code>
/// An error that is the server's own is a 500 and a line in the log under the answer's Audit-Id; it never ends the process.
/// </summary>
internal sealed partial class RequestPipeline(ServerParts parts, TimeProvider clock, ILogger<RequestPipeline> logger)
{
    /// <summary>A request that is not a watch or a stream ends after this long.</summary>
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(60);

    private readonly InFlightLimit inFlight = new();

    public async Task HandleAsync(HttpContext http, CancellationToken serverStopping)
    {
        var requestId = Guid.NewGuid().ToString("N");
        http.Response.Headers["Audit-Id"] = requestId;
        http.Response.Headers.XContentTypeOptions = "nosniff";
        var started = clock.GetTimestamp();
        parts.Metrics.RequestStarted();
        var audited = parts.Audit?.Begin(requestId, http);
        RequestInfo? info = null;
        try
        {
            info = ReadRequestLine(http);
            await AnswerAsync(http, info, audited, serverStopping);
        }
        catch (Exception error)
        {
            await ExplainAsync(http, requestId, error);
        }
        finally
        {
            var served = info is { IsResource: true } && parts.Resources.Find(info.Group, info.Version, info.Resource) is not null;
            var verb = info is null || (info.IsResource && !served) ? "other" : info.IsResource ? info.Verb : "path";
            parts.Metrics.RequestEnded(verb, served ? info!.Resource : "", http.Response.StatusCode, info is not null && IsLong(info) ? null : clock.GetElapsedTime(started));
            if (audited is not null)
            {
                await audited.RecordAsync(AuditStages.ResponseComplete, http.Response.StatusCode);
            }
        }
    }

    private static RequestInfo ReadRequestLine(HttpContext http)
    {
        var watching = http.Request.Query["watch"].ToString() is "1" or "true";
        var selector = SelectorOf(http.Request.Query["fieldSelector"].ToString());
        // A list or watch that is narrowed to one name, or to one node's pods, is about these alone for the rules too.
        var info = RequestInfo.Parse(http.Request.Method, http.Features.Get<IHttpRequestFeature>()!.RawTarget, watching, selector.ExactName ?? "");
        return info with { SelectedNode = selector.ExactValue(info.Resource == Api.Core.V1.PersistentVolume.Type.Plural ? Api.AnnotationNames.VolumeNode : "spec.nodeName") ?? "" };
    }

    private static FieldSelector SelectorOf(string text)
    {
        try
        {
            return FieldSelector.Parse(text);
        }
        catch (FormatException error)
        {
            throw StatusException.BadRequest($"unable to parse the selector: {error.Message}", error);
        }
    }

    private static bool IsLong(RequestInfo info) => info.Verb == "watch" || MachineSubresources.IsStream(info) || PodSubresources.IsStream(info);

    private async Task AnswerAsync(HttpContext http, RequestInfo info, AuditedRequest? audited, CancellationToken serverStopping)
    {
        audited?.Info = info;
        var asker = await parts.Authenticator.AuthenticateAsync(http);
        audited?.Knows(asker, asker);
        var user = Impersonation.Apply(http, asker);
        audited?.Knows(asker, user);
        await parts.Authorizer.CheckAsync(user, info, http.RequestAborted);
        audited?.IsAllowed = true;
        if (audited is not null && IsLong(info))
        {
            await audited.RecordAsync(AuditStages.ResponseStarted, code: null); // It may last, and what happens then should not have to end first.
        }

        using var counted = inFlight.Enter(user.Name, IsLong(info));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, serverStopping);
        using var timeout = IsLong(info) ? null : new CancellationTokenSource(RequestTimeout, clock);
        using var timeoutLink = timeout?.Token.Register(static source => ((CancellationTokenSource)source!).Cancel(), ending);
        try
        {
            await RouteAsync(new ApiRequest(http, info, user, ending.Token));
        }
        catch (OperationCanceledException error) when (timeout is { IsCancellationRequested: true })
        {
            throw new StatusTimeout(error);
        }
    }

    private Task RouteAsync(ApiRequest request)
    {
        if (!request.Info.IsResource)
        {
            return parts.System.HandleAsync(request);
        }

        if (MachineSubresources.Handles(request.Info))
        {
            return parts.Machines.HandleAsync(request);
        }

        if (GuestPods.Handles(request))
        {
            return parts.GuestPods.HandleAsync(request);
        }

        if (PodSubresources.Handles(request.Info))
        {
            return parts.Pods.HandleAsync(request);
        }

        if (TokenHandler.Handles(request.Info))
        {
            return parts.Tokens.HandleAsync(request);
        }

        if (MetricsHandler.Handles(request.Info))
        {
            return parts.Measurements.HandleAsync(request);
        }

        return ReviewHandler.Find(request.Info) is { } question
            ? parts.Reviews.HandleAsync(request, question)
            : parts.Objects.HandleAsync(request, parts.Resources.Find(request.Info.Group, request.Info.Version, request.Info.Resource) ?? throw StatusException.UnknownPath());
    }

    private async Task ExplainAsync(HttpContext http, string requestId, Exception error)
    {
        if (http.RequestAborted.IsCancellationRequested)
        {
            return; // Nobody is there to be told.
        }

        var status = Explain(error);
        if (status.Code == StatusCodes.Status500InternalServerError)
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

    /// <summary>Every error that may reach the boundary, in the client's terms.</summary>
    private static StatusException Explain(Exception error) => error switch
    {
        StatusException status => status,
        StatusTimeout => StatusException.GatewayTimeout($"the request was not done within {RequestTimeout.TotalSeconds} s"),
        StoreCompactedException compacted => StatusException.Expired($"The provided version or continue token is too old: {compacted.RequestedRevision} ({compacted.CompactedRevision}). List again without it."),
        StoreFutureRevisionException future => StatusException.BadRequest(future.Message, future),
        StoreValueTooLargeException tooLarge => StatusException.TooLarge(tooLarge.ValueBytesMax),
        StoreUnavailableException unavailable => StatusException.ServiceUnavailable(ErrorChain.Describe(unavailable), unavailable),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => StatusException.TooLarge(JsonLimits.BodyBytesMax),
        BadHttpRequestException { StatusCode: StatusCodes.Status408RequestTimeout } slow => StatusException.TooSlow(slow.Message, slow),
        BadHttpRequestException bad => StatusException.BadRequest(bad.Message, bad),
        OperationCanceledException => StatusException.ServiceUnavailable("the server is stopping"),
        _ => StatusException.Internal("an error on the server kept the request from being carried out; its log says more, under this answer's Audit-Id"),
    };

    private sealed class StatusTimeout(Exception inner) : Exception("The request's time is over.", inner);

    private static partial class Log
    {
        [LoggerMessage(1001, LogLevel.Error, "Request {RequestId} failed: {Method} {Path}.")]
        public static partial void RequestFailed(ILogger logger, string requestId, string method, string path, Exception error);
    }
}
