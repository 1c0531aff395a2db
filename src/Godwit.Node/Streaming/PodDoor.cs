using System.Globalization;
using Godwit.Containers;
using Godwit.Linux.Networking;
using Godwit.Node.Pods;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Godwit.Node.Streaming;

/// <summary>
/// What the agent does with a pod for a client of the API server: <c>/pod/UID/log</c>, <c>exec</c>, <c>attach</c>, <c>portforward</c>, with the query as the client gave it. Exec and attach
/// are WebSockets (<c>v5.channel.k8s.io</c> and <c>v4</c>), or SPDY/3.1 by upgrade for older clients; ports are SPDY/3.1, which the server takes out of the client's WebSocket.
/// </summary>
internal sealed class PodDoor(PodSync pods, ContainerEngine engine, TimeProvider time)
{
    private const long TailLinesMax = 10_000_000;

    public async Task ServeAsync(HttpContext http, string uid, string verb, CancellationToken stopping)
    {
        var query = http.Request.Query;
        var container = query["container"].ToString();
        switch (verb)
        {
            case "portforward":
                await ForwardAsync(http, uid, stopping);
                return;
            case "log" or "exec" or "attach":
                var previous = verb == "log" && IsSet(query["previous"].ToString());
                if (pods.FindRun(uid, container, previous) is not { } run)
                {
                    await AnswerAsync(http, StatusCodes.Status400BadRequest, previous
                        ? $"previous terminated container \"{container}\" in pod not found"
                        : $"container \"{container}\" is waiting to start: nothing of it has run on this node yet");
                    return;
                }

                await (verb == "log" ? SendLogAsync(http, run, stopping) : OpenLineAsync(http, run, verb, stopping));
                return;
            default:
                await AnswerAsync(http, StatusCodes.Status404NotFound, $"A pod has no '{verb}'.");
                return;
        }
    }

    private async Task SendLogAsync(HttpContext http, ContainerSnapshot run, CancellationToken stopping)
    {
        if (ReadLogQuery(http.Request.Query) is not { } asked)
        {
            await AnswerAsync(http, StatusCodes.Status400BadRequest, "tailLines, limitBytes and sinceSeconds are numbers that are not negative, sinceTime is a time (RFC 3339).");
            return;
        }

        http.Response.ContentType = "text/plain; charset=utf-8";
        await http.Response.StartAsync(stopping);
        var left = asked.BytesMax;
        await foreach (var chunk in engine.ReadLogAsync(run.Id.Value, asked.Query, stopping))
        {
            var piece = chunk.Bytes[..(int)Math.Min(chunk.Bytes.Length, left)];
            left -= piece.Length;
            await http.Response.Body.WriteAsync(piece, stopping);
            await http.Response.Body.FlushAsync(stopping);
            if (left == 0)
            {
                return;
            }
        }
    }

    private (LogQuery Query, long BytesMax)? ReadLogQuery(IQueryCollection query)
    {
        if (!TryNumber(query["tailLines"], TailLinesMax, out var tail) || !TryNumber(query["limitBytes"], long.MaxValue, out var limit) || !TryNumber(query["sinceSeconds"], int.MaxValue, out var seconds))
        {
            return null;
        }

        DateTimeOffset? since = seconds is { } ago ? time.GetUtcNow().AddSeconds(-ago) : null;
        if (query["sinceTime"].ToString() is { Length: > 0 } text)
        {
            if (!DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var from))
            {
                return null;
            }

            since = from;
        }

        return (new LogQuery { Tail = tail, Since = since, Follow = IsSet(query["follow"].ToString()), Timestamps = IsSet(query["timestamps"].ToString()) }, limit ?? long.MaxValue);
    }

    private async Task OpenLineAsync(HttpContext http, ContainerSnapshot run, string verb, CancellationToken stopping)
    {
        var query = http.Request.Query;
        var id = run.Id.Value;
        var options = new RemoteOptions
        {
            StandardInput = IsSet(query["stdin"].ToString()),
            StandardOutput = IsSet(query["stdout"].ToString()),
            StandardError = IsSet(query["stderr"].ToString()),
            Terminal = IsSet(query["tty"].ToString()),
        };
        if (verb == "attach")
        {
            await using var attached = await engine.AttachAsync(
                id, new AttachOptions { StandardInput = options.StandardInput, StandardOutput = options.StandardOutput, StandardError = options.StandardError }, stopping);
            await JoinAsync(http, attached, options, size => engine.Resize(id, size), () => null, stopping);
            return;
        }

        var execution = engine.CreateExecution(id, new ExecutionSpec
        {
            Process = new ProcessSpec { Command = [.. query["command"].OfType<string>()], Terminal = options.Terminal, OpenStandardInput = options.StandardInput },
            AttachesOutput = options.StandardOutput,
            AttachesError = options.StandardError,
        });
        await using var session = await engine.StartExecutionAsync(execution, size: null, stopping);
        await JoinAsync(http, session, options, size => engine.ResizeExecution(execution, size), () => engine.GetExecution(execution).ExitCode, stopping);
    }

    private async Task JoinAsync(HttpContext http, IProcessSession session, RemoteOptions options, Action<TerminalSize> resize, Func<int?> exitCode, CancellationToken stopping)
    {
        if (http.WebSockets.IsWebSocketRequest)
        {
            if (WebSocketLine.Choose(http.WebSockets.WebSocketRequestedProtocols) is not { } protocol)
            {
                await AnswerAsync(http, StatusCodes.Status400BadRequest, $"This WebSocket speaks {WebSocketLine.ProtocolFive} and {WebSocketLine.ProtocolFour}.");
                return;
            }

            await using var line = new WebSocketLine(await http.WebSockets.AcceptWebSocketAsync(protocol), time);
            await RemoteProgram.JoinAsync(session, line, options, resize, exitCode, stopping);
        }
        else if (await UpgradeAsync(http, SpdyLine.Protocol) is { } transport)
        {
            await using var line = await SpdyLine.OpenAsync(transport, options, time, stopping);
            await RemoteProgram.JoinAsync(session, line, options, resize, exitCode, stopping);
        }
    }

    private async Task ForwardAsync(HttpContext http, string uid, CancellationToken stopping)
    {
        if (engine.Sandboxes.Find(uid) is not { } sandbox)
        {
            await AnswerAsync(http, StatusCodes.Status409Conflict, "The pod does not run on this node.");
            return;
        }

        var place = sandbox.NetworkName is { } name ? NetworkNamespace.Named(name) : NetworkNamespace.Own;
        if (await UpgradeAsync(http, PortForward.Protocol) is { } transport)
        {
            await PortForward.RunAsync(transport, place, time, stopping);
        }
    }

    /// <summary>The connection itself, for SPDY; null when that is not asked for, and the client has been told.</summary>
    private static async Task<Stream?> UpgradeAsync(HttpContext http, string protocol)
    {
        var offered = http.Request.Headers["X-Stream-Protocol-Version"].SelectMany(value => (value ?? "").Split(',', StringSplitOptions.TrimEntries));
        if (http.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true } upgrade
            || !string.Equals(http.Request.Headers.Upgrade.ToString(), "SPDY/3.1", StringComparison.OrdinalIgnoreCase) || !offered.Contains(protocol))
        {
            await AnswerAsync(http, StatusCodes.Status400BadRequest, $"Ask for the upgrade to a WebSocket, or to SPDY/3.1 with the protocol {protocol}.");
            return null;
        }

        http.Response.Headers["X-Stream-Protocol-Version"] = protocol;
        http.Response.Headers.Upgrade = "SPDY/3.1";
        return await upgrade.UpgradeAsync();
    }

    private static bool TryNumber(string? text, long max, out long? number)
    {
        number = null;
        if (string.IsNullOrEmpty(text))
        {
            return true;
        }

        var isNumber = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value <= max;
        number = value;
        return isNumber;
    }

    private static bool IsSet(string text) => text is "1" or "true" or "True" or "TRUE";

    private static Task AnswerAsync(HttpContext http, int code, string text)
    {
        http.Response.StatusCode = code;
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync(text, http.RequestAborted);
    }
}
