using System.Text.Json;
using Godwit.Base;
using Godwit.DockerApi.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Godwit.DockerApi.Serving;

/// <summary>From a request to its endpoint, and from what is thrown to an answer.</summary>
internal sealed partial class RequestPipeline(EndpointTable endpoints, ILogger<RequestPipeline> logger)
{
    private long requests;

    /// <summary>How many have come.</summary>
    public long Requests => Interlocked.Read(ref requests);

    public async Task HandleAsync(HttpContext http, CancellationToken serverStopping)
    {
        Interlocked.Increment(ref requests);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, serverStopping);
        try
        {
            http.Response.Headers["Api-Version"] = ApiVersion.Newest.ToString();
            http.Response.Headers["Docker-Experimental"] = "false";
            http.Response.Headers["Ostype"] = "linux";
            http.Response.Headers.Server = "Docker/godwit (linux)"; // Some clients look for the first word.
            var (version, path) = ApiVersion.Split(http.Request.Path.Value ?? "/");
            var (endpoint, name) = endpoints.Find(http.Request.Method, path);
            await endpoint.Handle(new Exchange(http, version, name, either.Token));
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            // Nobody waits for the answer.
        }
        catch (Exception error)
        {
            await AnswerAsync(http, error);
        }
    }

    private async Task AnswerAsync(HttpContext http, Exception error)
    {
        var (status, words) = DockerErrors.Describe(error);
        if (DockerErrors.IsOurs(status))
        {
            Log.Failed(logger, http.Request.Method, http.Request.Path.Value ?? "", ErrorChain.Describe(error), error);
        }

        if (http.Response.HasStarted)
        {
            http.Abort(); // Too late for words: that the answer is cut off says that it is not whole.
            return;
        }

        http.Response.Clear();
        http.Response.StatusCode = status;
        http.Response.Headers["Api-Version"] = ApiVersion.Newest.ToString();
        if (words is not null)
        {
            http.Response.ContentType = Exchange.JsonType;
            await http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(new ErrorAnswer(words), DockerJson.Default.ErrorAnswer), CancellationToken.None);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "{Method} {Path} failed: {Words}")]
        public static partial void Failed(ILogger logger, string method, string path, string words, Exception error);
    }
}
