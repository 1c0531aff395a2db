using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Godwit.Base;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Peers;

/// <summary>
/// The agent's door for other agents. Until a connection has shown a node's certificate it costs a socket and a few
/// seconds at most; what it may do afterwards is bounded per node.
/// </summary>
/// <remarks>
/// <code>
/// accept ─▶ TLS (both certificates) ─▶ hello ─┬▶ control: PeerConnection, requests both ways
///   │ too many       │ no node's              ├▶ stream:  relay to the socket that the token names
///   ▼                ▼                        └▶ rate:    count a bounded burst, answer, close
/// close            close
/// </code>
/// </remarks>
internal sealed partial class PeerListener : IAsyncDisposable
{
    private readonly PeerServices services;
    private readonly IncomingStreams streams;
    private readonly Socket listening;
    private readonly CancellationTokenSource closing = new();
    private readonly ConcurrentDictionary<long, Task> connections = new();
    private readonly ConcurrentDictionary<NodeName, int> connectionsByNode = new();
    private readonly Task accepting;
    private long lastConnection;
    private int isDisposed;

    /// <summary>Listens at once; <see cref="Address"/> says where (with the port that was free, if 0 was asked for).</summary>
    /// <exception cref="PeerException">The address cannot be listened on.</exception>
    public PeerListener(IPEndPoint address, PeerServices services, IncomingStreams streams)
    {
        this.services = services;
        this.streams = streams;
        listening = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // Without "reuse address": here that would let another process listen on the same port and take half of the connections (SO_REUSEPORT).
            listening.Bind(address);
            listening.Listen(backlog: 64);
        }
        catch (SocketException error)
        {
            listening.Dispose();
            throw new PeerException($"Could not listen for other agents on {address}; choose another address or end what uses this one", error);
        }

        Address = (IPEndPoint)listening.LocalEndPoint!;
        accepting = AcceptLoopAsync();
    }

    public IPEndPoint Address { get; }

    public int ConnectionCount => connections.Count;

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) == 1)
        {
            return;
        }

        await closing.CancelAsync();
        listening.Dispose();
        await accepting;
        await Task.WhenAll(connections.Values);
        closing.Dispose();
    }

    private async Task AcceptLoopAsync()
    {
        while (!closing.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await listening.AcceptAsync(closing.Token);
            }
            catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException error)
            {
                // Out of descriptors, or the connection was gone already: neither may end the door.
                Log.AcceptFailed(services.Logger, error.Message);
                await Task.Delay(TimeSpan.FromMilliseconds(50), services.Time, closing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }

            if (connections.Count >= services.Limits.ConnectionsMax)
            {
                socket.Dispose();
                continue;
            }

            var id = Interlocked.Increment(ref lastConnection);
            var serving = ServeUntilClosedAsync(socket);
            connections[id] = serving;
            _ = ForgetWhenDoneAsync(id, serving); // Only now, so that a short-lived one is not put in after it was taken out.
        }
    }

    private async Task ForgetWhenDoneAsync(long id, Task serving)
    {
        await serving;
        connections.TryRemove(id, out _);
    }

    private async Task ServeUntilClosedAsync(Socket socket)
    {
        await Task.Yield();
        var remote = socket.RemoteEndPoint;
        try
        {
            await ServeAsync(socket);
        }
        catch (Exception error) when (!closing.IsCancellationRequested)
        {
            Log.ConnectionRefused(services.Logger, remote, ErrorChain.Describe(error));
        }
        catch (Exception) when (closing.IsCancellationRequested)
        {
            // Closing the door breaks what stands in it.
        }
        finally
        {
            socket.Dispose();
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var late = new CancellationTokenSource(services.Limits.GreetingTime, services.Time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(closing.Token, late.Token);
        await using var secured = await PeerSocket.AcceptAsync(socket, services.Identity, bound.Token);
        var hello = await PeerFrameCodec.ReadAsync(secured.Stream, PeerJson.Default.PeerHello, bound.Token)
            ?? throw new PeerException("The peer said nothing.");
        if (hello.Protocol != PeerHello.ProtocolVersion)
        {
            await RefuseAsync(secured, PeerRefusal.BadRequest, $"This agent speaks peer protocol {PeerHello.ProtocolVersion}, not {hello.Protocol}.", bound.Token);
            return;
        }

        if (connectionsByNode.AddOrUpdate(secured.Peer, 1, (_, count) => count + 1) > services.Limits.ConnectionsPerNodeMax)
        {
            Forget(secured.Peer);
            await RefuseAsync(secured, PeerRefusal.Busy, $"Node {secured.Peer} has {services.Limits.ConnectionsPerNodeMax} connections to this agent already.", bound.Token);
            return;
        }

        try
        {
            await ServeAsync(secured, hello, bound.Token);
        }
        finally
        {
            Forget(secured.Peer);
        }
    }

    private async Task ServeAsync(PeerSocket secured, PeerHello hello, CancellationToken greeting)
    {
        switch (hello.Kind)
        {
            case PeerConnectionKind.Control:
                await WelcomeAsync(secured, greeting);
                await using (var connection = new PeerConnection(secured.Stream, secured.Peer, services, closing.Token))
                {
                    await connection.Closed;
                }

                break;
            case PeerConnectionKind.Stream:
                try
                {
                    await using var channel = await streams.OpenAsync(secured.Peer, hello.Token, greeting);
                    await WelcomeAsync(secured, greeting);
                    await channel.RelayAsync(secured, closing.Token);
                }
                catch (PeerRefusedException refusal)
                {
                    await RefuseAsync(secured, refusal.Code, refusal.Message, greeting);
                }

                break;
            case PeerConnectionKind.Rate:
                await WelcomeAsync(secured, greeting);
                await LinkRate.CountAsync(secured.Stream, services.Time, closing.Token);
                break;
            default:
                await RefuseAsync(secured, PeerRefusal.BadRequest, "This agent knows no such kind of connection.", greeting);
                break;
        }
    }

    private void Forget(NodeName node)
    {
        if (connectionsByNode.AddOrUpdate(node, 0, (_, count) => count - 1) == 0)
        {
            connectionsByNode.TryRemove(new KeyValuePair<NodeName, int>(node, 0));
        }
    }

    private static Task WelcomeAsync(PeerSocket secured, CancellationToken stopping) =>
        PeerFrameCodec.WriteAsync(secured.Stream, new PeerWelcome { Accepted = true }, PeerJson.Default.PeerWelcome, stopping);

    private static async Task RefuseAsync(PeerSocket secured, string code, string reason, CancellationToken stopping)
    {
        await PeerFrameCodec.WriteAsync(secured.Stream, new PeerWelcome { Accepted = false, Code = code, Reason = reason }, PeerJson.Default.PeerWelcome, stopping);
        await secured.FinishWritingAsync(stopping);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2011, Level = LogLevel.Warning, Message = "Could not accept a connection of another agent: {Reason}")]
        public static partial void AcceptFailed(ILogger logger, string reason);

        [LoggerMessage(EventId = 2012, Level = LogLevel.Information, Message = "Connection from {Remote} ended: {Reason}")]
        public static partial void ConnectionRefused(ILogger logger, EndPoint? remote, string reason);
    }
}
