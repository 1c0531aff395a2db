using System.Diagnostics.CodeAnalysis;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Godwit.ApiServer.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Godwit.ApiServer.Proxying;

/// <summary>The client's half of a SPDY/3.1 connection, which kubectl before 1.31 (and any kubectl whose WebSocket was refused) asks for. Its bytes go through as they are.</summary>
internal static class SpdyTunnel
{
    private const string Protocol = "SPDY/3.1";
    private const int KeyLengthMax = 64;
    private const int BufferBytes = 32 * 1024;

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    /// <summary>True when the client asks for it.</summary>
    public static bool IsAskedFor(ApiRequest request) =>
        string.Equals(request.Http.Request.Headers.Upgrade.ToString(), Protocol, StringComparison.OrdinalIgnoreCase)
        && request.Http.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true };

    /// <summary>What the client would speak above it.</summary>
    public static IReadOnlyList<string> ProtocolsOf(ApiRequest request) => [.. request.Http.Request.Headers[AgentClient.StreamProtocolHeader].OfType<string>()];

    /// <summary>Answers with 101; from then on the connection is the client's and ours.</summary>
    public static Task<Stream> AcceptAsync(ApiRequest request, string[] chosen)
    {
        var response = request.Http.Response;
        response.Headers[AgentClient.StreamProtocolHeader] = chosen;
        response.Headers.Upgrade = Protocol;
        return request.Http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
    }

    /// <summary>
    /// Makes the connection a WebSocket (RFC 6455, section 4.2.2) of this subprotocol. By hand: kubectl's names for tunnels have a slash, which is
    /// no token, and the class library refuses to say it.
    /// </summary>
    public static async Task<WebSocket> AcceptSocketAsync(ApiRequest request, string protocol)
    {
        var (http, key) = (request.Http, request.Http.Request.Headers.SecWebSocketKey.ToString());
        if (http.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true } upgrade || key.Length > KeyLengthMax)
        {
            throw StatusException.BadRequest($"{request.Info.Subresource} is a stream: ask for the upgrade to a WebSocket, by HTTP/1.1");
        }

        http.Response.Headers.Upgrade = "websocket";
        http.Response.Headers.SecWebSocketProtocol = protocol;
        http.Response.Headers.SecWebSocketAccept = AnswerTo(key);
        return WebSocket.CreateFromStream(await upgrade.UpgradeAsync(), new WebSocketCreationOptions { IsServer = true });
    }

    /// <summary>What proves to the client that its question was understood. The digest is the protocol's; nothing is kept secret by it.</summary>
    [SuppressMessage("Security", "CA5350:Do Not Use Weak Cryptographic Algorithms", Justification = "RFC 6455 names this one.")]
    internal static string AnswerTo(string key) => Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));

    /// <summary>Carries bytes both ways until either end is done, and the other for a while longer: it may have words on the way.</summary>
    public static async Task RunAsync(Stream near, Stream far, TimeProvider clock, CancellationToken stopping)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var (there, back) = (CopyAsync(near, far, ending.Token), CopyAsync(far, near, ending.Token));
        await Task.WhenAny(there, back);
        using var late = new CancellationTokenSource(CloseTimeout, clock);
        using var lateLink = late.Token.Register(static source => ((CancellationTokenSource)source!).Cancel(), ending);
        await Task.WhenAll(there, back);
    }

    private static async Task CopyAsync(Stream from, Stream to, CancellationToken stopping)
    {
        try
        {
            var buffer = new byte[BufferBytes];
            while (await from.ReadAsync(buffer, stopping) is > 0 and var count)
            {
                await to.WriteAsync(buffer.AsMemory(0, count), stopping);
                await to.FlushAsync(stopping);
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or ObjectDisposedException or WebSocketException)
        {
            // An end went away: so does the other.
        }
    }
}
