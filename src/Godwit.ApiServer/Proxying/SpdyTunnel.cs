using Godwit.ApiServer.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Godwit.ApiServer.Proxying;

/// <summary>The client's half of a SPDY/3.1 connection, which kubectl before 1.31 (and any kubectl whose WebSocket was refused) asks for. Its bytes go through as they are.</summary>
internal static class SpdyTunnel
{
    private const string Protocol = "SPDY/3.1";
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
        catch (Exception error) when (error is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // An end went away: so does the other.
        }
    }
}
