using System.Net.WebSockets;

namespace Godwit.ApiServer.Proxying;

/// <summary>Carries a WebSocket's messages both ways until either end closes; then the other is closed too.</summary>
internal static class ConsoleRelay
{
    private const int BufferBytes = 16 * 1024;
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    public static async Task RunAsync(WebSocket client, WebSocket agent, TimeProvider clock, CancellationToken stopping)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var up = CopyAsync(client, agent, ending.Token);
        var down = CopyAsync(agent, client, ending.Token);
        await Task.WhenAny(up, down);
        await CloseAsync(client, clock);
        await CloseAsync(agent, clock);
        await ending.CancelAsync();
        await Task.WhenAll(up, down);
    }

    /// <summary>Copies until the source closes or either end breaks; neither is an error here.</summary>
    private static async Task CopyAsync(WebSocket source, WebSocket destination, CancellationToken stopping)
    {
        var buffer = new byte[BufferBytes];
        try
        {
            while (true)
            {
                var read = await source.ReceiveAsync(buffer.AsMemory(), stopping);
                if (read.MessageType == WebSocketMessageType.Close)
                {
                    return;
                }

                await destination.SendAsync(buffer.AsMemory(0, read.Count), read.MessageType, read.EndOfMessage, stopping);
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The connection is over, one way or the other: the caller closes both ends.
        }
    }

    private static async Task CloseAsync(WebSocket socket, TimeProvider clock)
    {
        using var timeout = new CancellationTokenSource(CloseTimeout, clock);
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, timeout.Token);
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            socket.Abort();
        }
    }
}
