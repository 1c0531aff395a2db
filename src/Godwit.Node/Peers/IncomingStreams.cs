using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Godwit.Node.Peers;

/// <summary>
/// The streams that this agent, as a target, is ready to take. A stream is prepared for one source node and one local
/// socket; the secret token in the answer is what its channels show. Nobody can make this agent connect anywhere else.
/// </summary>
internal sealed class IncomingStreams(TimeProvider time)
{
    /// <summary>Streams prepared at once; an agent takes far fewer guests at a time.</summary>
    public const int StreamsMax = 64;

    private const int TokenBytes = 32;

    private readonly EarlyRoom earlyRoom = new();

    // By the digest of the token: finding it takes a time that tells nothing about the secret.
    private readonly ConcurrentDictionary<string, IncomingStream> byDigest = new(StringComparer.Ordinal);

    /// <param name="source">The only node whose channels are let in.</param>
    /// <param name="socketPath">The unix socket that the waiting QEMU listens on, or will: until <see cref="IncomingStream.QemuListens"/> is called what comes is kept.</param>
    /// <param name="channelsMax">How many channels may be opened over the stream's whole life (main, preempt or multifd).</param>
    /// <param name="listens">QEMU listens already.</param>
    /// <exception cref="PeerRefusedException">Too many streams are prepared.</exception>
    public IncomingStream Prepare(NodeName source, string socketPath, int channelsMax, bool listens = true)
    {
        if (byDigest.Count >= StreamsMax)
        {
            throw new PeerRefusedException(PeerRefusal.Busy, $"This node is preparing {StreamsMax} incoming streams already.");
        }

        var token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(TokenBytes));
        var digest = Digest(token);
        var stream = new IncomingStream(source, token, socketPath, channelsMax, new StreamCounters(time), earlyRoom) { Revoked = () => byDigest.TryRemove(digest, out _) };
        if (listens)
        {
            stream.QemuListens();
        }

        byDigest[digest] = stream;
        return stream;
    }

    /// <summary>
    /// A channel of the stream that the token names, for a peer that may use it; connected to QEMU's socket, or to be connected when QEMU listens.
    /// </summary>
    /// <exception cref="PeerRefusedException">No such stream for this node, all its channels taken, or nobody listens on the socket.</exception>
    internal async Task<IncomingChannel> OpenAsync(NodeName peer, string? token, CancellationToken stopping)
    {
        if (token is null || !byDigest.TryGetValue(Digest(token), out var stream) || stream.Source != peer)
        {
            throw new PeerRefusedException(PeerRefusal.UnknownStream, "No stream is prepared for this node under this token; it may have been given up.");
        }

        return await stream.OpenAsync(stopping);
    }

    private static string Digest(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}

/// <summary>A prepared stream. Disposing it forgets the token and breaks every channel at once.</summary>
internal sealed class IncomingStream(NodeName source, string token, string socketPath, int channelsMax, StreamCounters counters, EarlyRoom earlyRoom) : IDisposable
{
    private readonly CancellationTokenSource revoked = new();
    private readonly TaskCompletionSource listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock gate = new();
    private Task<Socket>? newest;
    private readonly TaskCompletionSource caughtUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int channelsOpened;
    private int channelsBehind;
    private int isRevoked;

    public NodeName Source => source;

    /// <summary>The secret for the source agent. Never logged.</summary>
    public string Token => token;

    public StreamCounters Counters => counters;

    internal required Action Revoked { get; init; }

    /// <summary>From here on channels reach QEMU: those that are open already, in their order, and new ones at once.</summary>
    public void QemuListens()
    {
        lock (gate)
        {
            listening.TrySetResult();
            TellIfCaughtUp();
        }
    }

    /// <summary>Completes when QEMU listens and has taken all that came before, or what it has not taken was given up: from then on it is behind its source by the relays' buffers alone.</summary>
    public Task CaughtUp => caughtUp.Task;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref isRevoked, 1) == 0)
        {
            Revoked();
            revoked.Cancel(); // Not disposed: a channel that is just being opened may still look at it.
        }
    }

    internal async Task<IncomingChannel> OpenAsync(CancellationToken stopping)
    {
        Task<Socket> local;
        bool isBehind;
        lock (gate)
        {
            if (++channelsOpened > channelsMax)
            {
                throw new PeerRefusedException(PeerRefusal.NotAllowed, $"This stream was prepared for {channelsMax} channels, and all were opened.");
            }

            local = newest = ConnectAsync(newest);
            isBehind = !listening.Task.IsCompleted;
            channelsBehind += isBehind ? 1 : 0;
        }

        if (listening.Task.IsCompleted)
        {
            await local.WaitAsync(stopping); // A refusal can still be told.
        }

        return new IncomingChannel(local, counters, earlyRoom, isBehind ? NoteCaughtUp : null, revoked.Token);
    }

    private void NoteCaughtUp()
    {
        lock (gate)
        {
            channelsBehind--;
            TellIfCaughtUp();
        }
    }

    private void TellIfCaughtUp()
    {
        if (channelsBehind == 0 && listening.Task.IsCompleted)
        {
            caughtUp.TrySetResult();
        }
    }

    /// <summary>After the channel before it: by their order QEMU knows which is which.</summary>
    private async Task<Socket> ConnectAsync(Task<Socket>? before)
    {
        await listening.Task.WaitAsync(revoked.Token);
        if (before is not null)
        {
            await ((Task)before).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), revoked.Token);
            return socket;
        }
        catch (SocketException error)
        {
            socket.Dispose();
            throw new PeerRefusedException(PeerRefusal.UnknownStream, $"The waiting QEMU does not accept the stream: {error.Message}");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>One accepted channel; its local end is connected, or will be.</summary>
/// <param name="local">QEMU's end.</param>
/// <param name="counters">Of the whole stream.</param>
/// <param name="earlyRoom">For what comes before QEMU listens.</param>
/// <param name="caughtUp">Called once, when QEMU has what came before it listened, or never will; null: it listens already.</param>
/// <param name="revoked">The stream was given up.</param>
internal sealed class IncomingChannel(Task<Socket> local, StreamCounters counters, EarlyRoom earlyRoom, Action? caughtUp, CancellationToken revoked) : IAsyncDisposable
{
    private Action? caughtUp = caughtUp;

    public async Task RelayAsync(PeerSocket remote, CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(revoked, stopping);
        if (local.IsCompletedSuccessfully)
        {
            TellCaughtUp();
            await StreamRelay.RunAsync(remote, await local, counters, either.Token);
        }
        else
        {
            await StreamRelay.RunEarlyAsync(remote, local, earlyRoom, TellCaughtUp, counters, either.Token);
        }
    }

    private void TellCaughtUp() => Interlocked.Exchange(ref caughtUp, null)?.Invoke();

    public async ValueTask DisposeAsync()
    {
        TellCaughtUp();
        if (local.IsCompleted)
        {
            await ((Task)local).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (local.IsCompletedSuccessfully)
        {
            (await local).Dispose();
        }
        else
        {
            _ = local.ContinueWith(late => late.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        }
    }
}
