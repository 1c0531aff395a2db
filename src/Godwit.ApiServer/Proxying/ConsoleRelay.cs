using System.Net.WebSockets;

namespace Godwit.ApiServer.Proxying;

/// <summary>
/// Carries a WebSocket's messages both ways. A stream that belongs to a guest outlives the agents that carry it: a guest
/// that moves takes its console along.
/// <code>
///   client ══ relay ═╦═ agent of the node that the guest ran on
///                    ╚═ agent of the node that it moved to: what it printed since it arrived there, then live
/// </code>
/// Output waits for nobody but the client. Input that finds no agent waits, one buffer of it, and the client with it; what
/// was on its way to the old agent just when that closed is lost, as on a serial line. It ends when the client closes, or
/// when there is no next agent. That an agent's end broke and did not close is told as an error: a client that sees a close like any other
/// takes what it has for all there was.
/// </summary>
internal static class ConsoleRelay
{
    private const int BufferBytes = 16 * 1024;
    private const string BrokenWords = "the connection to the node's agent broke; the program may run on";
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    /// <param name="client">Who watches.</param>
    /// <param name="first">The agent's end; disposed here, as all that follow.</param>
    /// <param name="next">Where it goes on when an agent's end is over, told whether that broke rather than closed; null, or null returned: nowhere.</param>
    /// <param name="clock">For the bound of a close.</param>
    /// <param name="stopping">Ends it.</param>
    public static async Task RunAsync(
        WebSocket client, WebSocket first, Func<bool, CancellationToken, Task<WebSocket?>>? next, TimeProvider clock, CancellationToken stopping)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var agents = new Agents(first, mayFollow: next is not null);
        var up = UpAsync(client, agents, ending.Token);
        var down = DownAsync(agents, client, next, ending.Token);
        var over = await Task.WhenAny(up, down);
        await CloseAsync(client, over == down && await down ? WebSocketCloseStatus.InternalServerError : WebSocketCloseStatus.NormalClosure, clock);
        await CloseAsync(agents.Current, WebSocketCloseStatus.NormalClosure, clock);

        // A receive that is cut off resets the connection, and the close is lost with it: the client has time to answer.
        await up.WaitAsync(CloseTimeout, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await ending.CancelAsync();
        await Task.WhenAll(up, down);
        agents.Current.Dispose();
    }

    private static bool IsOver(Exception error) =>
        error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException or InvalidOperationException;

    private static async Task UpAsync(WebSocket client, Agents agents, CancellationToken stopping)
    {
        var buffer = new byte[BufferBytes];
        try
        {
            while (await client.ReceiveAsync(buffer.AsMemory(), stopping) is { MessageType: not WebSocketMessageType.Close } read)
            {
                await agents.SendAsync(buffer.AsMemory(0, read.Count), read, stopping);
            }
        }
        catch (Exception error) when (IsOver(error))
        {
            // The client is gone, one way or the other: the caller closes both ends.
        }
    }

    /// <summary>True when it ended because the last agent's end broke.</summary>
    private static async Task<bool> DownAsync(Agents agents, WebSocket client, Func<bool, CancellationToken, Task<WebSocket?>>? next, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                var broke = await CopyAsync(agents.Current, client, stopping);
                if (next is null || client.State != WebSocketState.Open || await next(broke, stopping) is not { } following)
                {
                    return broke && next is null;
                }

                agents.GoOnWith(following);
            }
        }
        catch (Exception error) when (IsOver(error))
        {
            return false; // As above.
        }
    }

    /// <summary>Copies until the agent closes or breaks: true when it broke. An end of the client's is thrown.</summary>
    private static async Task<bool> CopyAsync(WebSocket agent, WebSocket client, CancellationToken stopping)
    {
        var buffer = new byte[BufferBytes];
        while (true)
        {
            ValueWebSocketReceiveResult read;
            try
            {
                read = await agent.ReceiveAsync(buffer.AsMemory(), stopping);
            }
            catch (Exception error) when (IsOver(error) && !stopping.IsCancellationRequested)
            {
                return true;
            }

            if (read.MessageType == WebSocketMessageType.Close)
            {
                return false;
            }

            await client.SendAsync(buffer.AsMemory(0, read.Count), read.MessageType, read.EndOfMessage, stopping);
        }
    }

    private static async Task CloseAsync(WebSocket socket, WebSocketCloseStatus status, TimeProvider clock)
    {
        using var timeout = new CancellationTokenSource(CloseTimeout, clock);
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                await socket.CloseOutputAsync(status, status is WebSocketCloseStatus.NormalClosure ? null : BrokenWords, timeout.Token);
            }
        }
        catch (Exception error) when (IsOver(error))
        {
            socket.Abort();
        }
    }

    /// <summary>The agent's end of the moment, and the wait for the next.</summary>
    private sealed class Agents(WebSocket first, bool mayFollow)
    {
        private volatile Turn turn = new(first);

        public WebSocket Current => turn.Socket;

        public void GoOnWith(WebSocket following)
        {
            var last = turn;
            turn = new(following);
            last.Over.TrySetResult();
            last.Socket.Dispose();
        }

        public async Task SendAsync(ReadOnlyMemory<byte> bytes, ValueWebSocketReceiveResult form, CancellationToken stopping)
        {
            while (true)
            {
                var current = turn;
                try
                {
                    if (current.Socket.State == WebSocketState.Open)
                    {
                        await current.Socket.SendAsync(bytes, form.MessageType, form.EndOfMessage, stopping);
                        return;
                    }
                }
                catch (Exception error) when (IsOver(error) && !stopping.IsCancellationRequested)
                {
                    // It broke with these bytes under way: whoever comes next gets them.
                }

                if (!mayFollow)
                {
                    return; // Nobody takes it any more; the client's close stands behind it and must be read.
                }

                await current.Over.Task.WaitAsync(stopping);
            }
        }

        private sealed record Turn(WebSocket Socket)
        {
            public TaskCompletionSource Over { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
