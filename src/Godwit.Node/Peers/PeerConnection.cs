using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;
using Godwit.Base;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Peers;

/// <summary>
/// A control connection between two agents. Both ends are equal: each may ask, and answers what the other asks.
/// </summary>
/// <remarks>
/// What a caller may conclude:
/// <list type="bullet">
/// <item>a reply: the peer did (or, with <see cref="PeerRefusedException"/>, refused) what was asked;</item>
/// <item><see cref="PeerException"/> or cancellation: nothing. The request may have been carried out, may yet be, or never
/// will. So requests are made to be asked again, and no timeout here decides anything but that the connection closes.</item>
/// </list>
/// One loop reads, one writes. The queue between callers and the writer is bounded: a peer that does not read makes
/// callers wait, and then its silence closes the connection.
/// </remarks>
internal sealed partial class PeerConnection : IAsyncDisposable
{
    private readonly Stream stream;
    private readonly PeerMethods methods;
    private readonly PeerLimits limits;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly PeerContext context;
    private readonly Channel<byte[]> outgoing;
    private readonly ConcurrentDictionary<long, TaskCompletionSource<PeerFrame>> waiting = new();
    private readonly CancellationTokenSource closing;
    private readonly Task running;
    private int requestsInWork;
    private long lastId;
    private long lastReadTimestamp;
    private int isDisposed;

    /// <summary>Takes the stream over and starts both loops.</summary>
    public PeerConnection(Stream stream, NodeName peer, PeerServices services, CancellationToken stopping)
    {
        this.stream = stream;
        Peer = peer;
        methods = services.Methods;
        limits = services.Limits;
        time = services.Time;
        logger = services.Logger;
        context = new PeerContext(peer, this);
        outgoing = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(limits.FramesQueuedMax) { SingleReader = true });
        closing = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        lastReadTimestamp = time.GetTimestamp();
        running = RunAsync();
    }

    public NodeName Peer { get; }

    /// <summary>Ends, without a fault, when the connection is closed by either end.</summary>
    public Task Closed => running;

    public bool IsOpen => !closing.IsCancellationRequested;

    /// <summary>Asks, and waits for the answer as long as <paramref name="stopping"/> allows and the connection stands.</summary>
    /// <exception cref="PeerRefusedException">The peer said no.</exception>
    /// <exception cref="PeerException">The connection closed before the answer came.</exception>
    public async Task<TReply> RequestAsync<TRequest, TReply>(
        PeerMethod<TRequest, TReply> method,
        TRequest request,
        CancellationToken stopping)
        where TReply : class
    {
        var id = Interlocked.Increment(ref lastId);
        var answer = new TaskCompletionSource<PeerFrame>(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting[id] = answer;
        try
        {
            await EnqueueAsync(new PeerFrame { Id = id, Method = method.Name, Body = JsonSerializer.SerializeToElement(request, method.RequestType) }, stopping);
            var reply = await answer.Task.WaitAsync(stopping);
            if (reply.Error is { } error)
            {
                throw new PeerRefusedException(error.Code, error.Message);
            }

            return reply.Body?.Deserialize(method.ReplyType) ?? throw new PeerException($"Node {Peer} answered {method.Name} without a body.");
        }
        catch (JsonException error)
        {
            throw new PeerException($"Node {Peer} answered {method.Name} with a body that is not valid", error);
        }
        finally
        {
            waiting.TryRemove(id, out _);
        }
    }

    /// <summary>Tells, without an answer. Returns when the frame is queued, which proves nothing about its arrival.</summary>
    public Task NotifyAsync<TNotice>(string method, TNotice notice, JsonTypeInfo<TNotice> type, CancellationToken stopping) =>
        EnqueueAsync(new PeerFrame { Method = method, Body = JsonSerializer.SerializeToElement(notice, type) }, stopping);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) == 1)
        {
            return;
        }

        await closing.CancelAsync();
        await running;
        closing.Dispose();
    }

    private PeerException Lost() => new($"The connection to node {Peer} closed before it answered. Whether it did what was asked is unknown.");

    private async Task EnqueueAsync(PeerFrame frame, CancellationToken stopping)
    {
        var encoded = PeerFrameCodec.Encode(frame, PeerJson.Default.PeerFrame);
        try
        {
            await outgoing.Writer.WriteAsync(encoded, stopping);
        }
        catch (ChannelClosedException)
        {
            throw Lost();
        }
    }

    private async Task RunAsync()
    {
        await Task.Yield(); // The constructor returns before the first frame is handled.
        Task[] loops = [ReadLoopAsync(closing.Token), WriteLoopAsync(closing.Token), WatchSilenceAsync(closing.Token)];
        var first = await Task.WhenAny(loops);
        await closing.CancelAsync();
        outgoing.Writer.TryComplete();
        await stream.DisposeAsync(); // Also wakes a loop that does not heed its token.
        foreach (var loop in loops)
        {
            await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (first is { IsFaulted: true, Exception.InnerException: { } cause })
        {
            Log.ConnectionLost(logger, Peer, ErrorChain.Describe(cause));
        }

        foreach (var answer in waiting.Values)
        {
            answer.TrySetException(Lost());
        }
    }

    private async Task ReadLoopAsync(CancellationToken stopping)
    {
        while (await PeerFrameCodec.ReadAsync(stream, PeerJson.Default.PeerFrame, stopping) is { } frame)
        {
            Volatile.Write(ref lastReadTimestamp, time.GetTimestamp());
            if (frame.Method is not null)
            {
                Dispatch(frame, stopping);
            }
            else if (frame.Id is { } id && waiting.TryRemove(id, out var answer))
            {
                answer.TrySetResult(frame);
            }

            // Else a ping, or the reply to a request that its caller gave up.
        }
    }

    /// <summary>Starts the handler; never waits for it, so that a slow one does not hold up replies and pings.</summary>
    private void Dispatch(PeerFrame frame, CancellationToken stopping)
    {
        if (Interlocked.Increment(ref requestsInWork) > limits.RequestsMax)
        {
            Interlocked.Decrement(ref requestsInWork);
            if (frame.Id is { } id)
            {
                // A flooding peer does not get to fill our queue either: when it is full, its refusals are dropped.
                var refusal = new PeerFrame { Id = id, Error = new PeerFrameError(PeerRefusal.Busy, $"{limits.RequestsMax} requests of this node are being worked on already.") };
                outgoing.Writer.TryWrite(PeerFrameCodec.Encode(refusal, PeerJson.Default.PeerFrame));
            }

            return;
        }

        _ = HandleAsync(frame, stopping);
    }

    private async Task HandleAsync(PeerFrame frame, CancellationToken stopping)
    {
        try
        {
            var reply = await AnswerAsync(frame, stopping);
            if (frame.Id is not null)
            {
                await EnqueueAsync(reply, stopping);
            }
            else if (reply.Error is { } error)
            {
                Log.NoticeFailed(logger, frame.Method!, Peer, error.Message);
            }
        }
        catch (Exception error) when (error is PeerException or OperationCanceledException)
        {
            // The connection is closing; the peer learns that from its end.
        }
        finally
        {
            Interlocked.Decrement(ref requestsInWork);
        }
    }

    private async Task<PeerFrame> AnswerAsync(PeerFrame frame, CancellationToken stopping)
    {
        try
        {
            return new PeerFrame { Id = frame.Id, Body = await methods.InvokeAsync(context, frame, stopping) };
        }
        catch (PeerRefusedException refusal)
        {
            return new PeerFrame { Id = frame.Id, Error = new PeerFrameError(refusal.Code, refusal.Message) };
        }
        catch (Exception error) when (error is not OperationCanceledException || !stopping.IsCancellationRequested)
        {
            Log.HandlerFailed(logger, error, frame.Method!, Peer);
            return new PeerFrame { Id = frame.Id, Error = new PeerFrameError(PeerRefusal.Internal, ErrorChain.Describe(error)) };
        }
    }

    private async Task WriteLoopAsync(CancellationToken stopping)
    {
        var ping = PeerFrameCodec.Encode(new PeerFrame(), PeerJson.Default.PeerFrame);
        while (true)
        {
            using var idle = new CancellationTokenSource(limits.PingInterval, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, idle.Token);
            byte[] frame;
            try
            {
                frame = await outgoing.Reader.ReadAsync(either.Token);
            }
            catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
            {
                frame = ping;
            }

            await stream.WriteAsync(frame, stopping);
            while (outgoing.Reader.TryRead(out var next))
            {
                await stream.WriteAsync(next, stopping);
            }

            await stream.FlushAsync(stopping);
        }
    }

    private async Task WatchSilenceAsync(CancellationToken stopping)
    {
        while (true)
        {
            var silence = time.GetElapsedTime(Volatile.Read(ref lastReadTimestamp));
            if (silence >= limits.SilenceMax)
            {
                throw new PeerException($"Node {Peer} sent nothing for {silence.TotalSeconds:F0} s");
            }

            await Task.Delay(limits.SilenceMax - silence, time, stopping);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2001, Level = LogLevel.Warning, Message = "Connection to node {Peer} lost: {Reason}")]
        public static partial void ConnectionLost(ILogger logger, NodeName peer, string reason);

        [LoggerMessage(EventId = 2002, Level = LogLevel.Warning, Message = "{Method}, told by node {Peer}, failed: {Reason}")]
        public static partial void NoticeFailed(ILogger logger, string method, NodeName peer, string reason);

        [LoggerMessage(EventId = 2003, Level = LogLevel.Error, Message = "{Method}, asked by node {Peer}, failed")]
        public static partial void HandlerFailed(ILogger logger, Exception error, string method, NodeName peer);
    }
}
