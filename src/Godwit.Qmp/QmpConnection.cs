using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Godwit.Qmp;

/// <summary>Bounds of a connection. The defaults fit any QEMU; tests tighten them.</summary>
public sealed record QmpOptions
{
    /// <summary>The longest line believed. <c>query-cpu-definitions</c> takes some 50 KiB, a schema 300 KiB.</summary>
    public int LineBytesMax { get; init; } = 4 << 20;

    /// <summary>Events kept for a slow reader; the oldest goes first.</summary>
    public int EventsMax { get; init; } = 1024;

    /// <summary>The longest event believed, since events are kept; QEMU's take some 200 bytes.</summary>
    public int EventBytesMax { get; init; } = 16 << 10;

    /// <summary>For the greeting and the choice of capabilities.</summary>
    public TimeSpan HandshakeBound { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>
/// One QMP session over a stream, in both directions at once.
/// <code>
///   callers ──ExecuteAsync──▶ lanes ──▶ outgoing queue ──▶ writer ══▶ QEMU
///      ▲                                                                ║
///      └────── pending[id] ◀── reply, error ◀── reader ◀════════════════╝
///   ReadEventsAsync ◀── bounded channel ◀── event ┘
/// </code>
/// <para>
/// <b>Lanes.</b> QEMU stops to read a monitor that has eight requests waiting, the out-of-band ones included. So at most
/// <see cref="InBandMax"/> ordinary commands may be without their answer, and a command whose caller gave up keeps its
/// place until QEMU answers. When QEMU's main loop hangs the in-band lane therefore fills and callers time out, while
/// the out-of-band lane stays free: <c>yank</c> always gets through.
/// </para>
/// <para>
/// <b>Ends once.</b> The first of: end of stream, I/O error, broken protocol, disposal, becomes <see cref="Completion"/>
/// and the answer to every call from then on. A late reply to a command that timed out is expected and dropped; a reply
/// to a command that was never asked is a lie and ends the session.
/// </para>
/// </summary>
public sealed partial class QmpConnection : IAsyncDisposable
{
    public const int InBandMax = 4;
    public const int OutOfBandMax = 2;

    private readonly Stream stream;
    private readonly QmpOptions options;
    private readonly TimeProvider clock;
    private readonly ILogger log;
    private readonly CancellationTokenSource lifetime = new();
    private readonly SemaphoreSlim inBandLane = new(InBandMax);
    private readonly SemaphoreSlim outOfBandLane = new(OutOfBandMax);
    private readonly ConcurrentDictionary<long, Pending> pending = new();
    private readonly TaskCompletionSource<QmpGreeting> greeting = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<QmpException> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<byte[]> outgoing = Channel.CreateBounded<byte[]>(InBandMax + OutOfBandMax);
    private readonly Channel<QmpMessage.Event> events;
    private Task loops = Task.CompletedTask;
    private long lastId;
    private int eventsLost;

    private QmpConnection(Stream stream, QmpOptions options, TimeProvider clock, ILogger log)
    {
        this.stream = stream;
        this.options = options;
        this.clock = clock;
        this.log = log;
        events = Channel.CreateBounded<QmpMessage.Event>(
            new BoundedChannelOptions(options.EventsMax) { FullMode = BoundedChannelFullMode.DropOldest, SingleWriter = true },
            _ => Interlocked.Increment(ref eventsLost));
    }

    public QmpGreeting Greeting => greeting.Task.Result;

    /// <summary>Why the session ended; completes, never faults, when it has.</summary>
    public Task<QmpException> Completion => completion.Task;

    /// <summary>Connects to QEMU's monitor socket. See <see cref="OpenAsync"/>.</summary>
    /// <exception cref="SocketException">Nobody listens there.</exception>
    public static async Task<QmpConnection> ConnectAsync(string socketPath, QmpOptions options, TimeProvider clock, ILogger log, CancellationToken stopping)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), stopping);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        return await OpenAsync(new NetworkStream(socket, ownsSocket: true), options, clock, log, stopping);
    }

    /// <summary>Reads the greeting and chooses the capabilities, out-of-band among them where offered. Owns the stream from the call on.</summary>
    /// <exception cref="QmpException">The peer is no QEMU, or silent, or gone; the stream is closed.</exception>
    public static async Task<QmpConnection> OpenAsync(Stream stream, QmpOptions options, TimeProvider clock, ILogger log, CancellationToken stopping)
    {
        var connection = new QmpConnection(stream, options, clock, log);
        connection.loops = Task.WhenAll(Task.Run(connection.ReadLoopAsync, CancellationToken.None), Task.Run(connection.WriteLoopAsync, CancellationToken.None));
        try
        {
            var hello = await connection.WithinAsync(connection.greeting.Task, "greeting", options.HandshakeBound, stopping);
            await connection.ExecuteAsync(QmpCommands.NegotiateCapabilities(hello.OutOfBand) with { Bound = options.HandshakeBound }, stopping);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sends a command and waits for its answer, at most for the command's bound.</summary>
    /// <exception cref="QmpException">See its kinds for what each one tells.</exception>
    public async Task<TReply> ExecuteAsync<TReply>(QmpCommand<TReply> command, CancellationToken stopping)
    {
        if (command.OutOfBand && greeting.Task.IsCompletedSuccessfully && !Greeting.OutOfBand)
        {
            throw new QmpProtocolException($"'{command.Name}' needs out-of-band commands, which this monitor does not offer; QEMU gives them to monitors on sockets.");
        }

        var lane = command.OutOfBand ? outOfBandLane : inBandLane;
        var started = clock.GetTimestamp();
        await WaitForPlaceAsync(lane, command.Name, command.Bound, stopping);

        var id = Interlocked.Increment(ref lastId);
        var call = new Pending(command.Name, lane);
        pending[id] = call;
        if (!outgoing.Writer.TryWrite(QmpRequest.Encode(command, id)) || completion.Task.IsCompleted)
        {
            Settle(id)?.Answer.TrySetException(EndedFor(command.Name));
        }

        var left = command.Bound - clock.GetElapsedTime(started);
        return command.Read(await WithinAsync(call.Answer.Task, command.Name, left > TimeSpan.Zero ? left : TimeSpan.Zero, stopping));
    }

    /// <summary>Events in the order QEMU sent them, from the connection's start; one reader at a time. Ends with the session.</summary>
    public async IAsyncEnumerable<QmpEvent> ReadEventsAsync([EnumeratorCancellation] CancellationToken stopping)
    {
        await foreach (var each in events.Reader.ReadAllAsync(stopping))
        {
            yield return new QmpEvent(each.Name, each.At ?? clock.GetUtcNow(), each.Data, Interlocked.Exchange(ref eventsLost, 0));
        }
    }

    public async ValueTask DisposeAsync()
    {
        End(new QmpClosedException("The QMP connection was closed on this side."));
        await stream.DisposeAsync();
        await loops.WaitAsync(CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task WaitForPlaceAsync(SemaphoreSlim lane, string command, TimeSpan bound, CancellationToken stopping)
    {
        using var timeout = new CancellationTokenSource(bound, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping, lifetime.Token);
        try
        {
            await lane.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            throw completion.Task.IsCompleted
                ? EndedFor(command)
                : new QmpTimeoutException(command, bound, "it was never sent: earlier commands are still without an answer");
        }
    }

    private async Task<T> WithinAsync<T>(Task<T> answer, string what, TimeSpan bound, CancellationToken stopping)
    {
        try
        {
            return await answer.WaitAsync(bound, clock, stopping);
        }
        catch (TimeoutException)
        {
            throw new QmpTimeoutException(what, bound, "the monitor or QEMU's main loop may be stuck");
        }
    }

    private async Task WriteLoopAsync()
    {
        try
        {
            await foreach (var request in outgoing.Reader.ReadAllAsync(lifetime.Token))
            {
                await stream.WriteAsync(request, lifetime.Token);
                await stream.FlushAsync(lifetime.Token);
            }
        }
        catch (Exception error)
        {
            End(Classify(error));
        }
    }

    private async Task ReadLoopAsync()
    {
        try
        {
            await ReadLinesAsync(PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true)));
            End(new QmpClosedException("QEMU closed the QMP connection; it has exited or is about to."));
        }
        catch (Exception error)
        {
            End(Classify(error));
        }
    }

    private static QmpException Classify(Exception error) => error switch
    {
        QmpException qmp => qmp,
        OperationCanceledException or ObjectDisposedException => new QmpClosedException("The QMP connection was closed on this side."),
        _ => new QmpClosedException("The QMP connection broke.", error),
    };

    private async Task ReadLinesAsync(PipeReader reader)
    {
        while (true)
        {
            var read = await reader.ReadAsync(lifetime.Token);
            var buffer = read.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                Receive(buffer.Slice(0, end));
                buffer = buffer.Slice(buffer.GetPosition(1, end));
            }

            if (buffer.Length > options.LineBytesMax)
            {
                throw new QmpProtocolException($"The QMP peer sent more than {options.LineBytesMax} bytes without ending the line.");
            }

            if (read.IsCompleted)
            {
                if (!buffer.IsEmpty)
                {
                    throw new QmpProtocolException($"The QMP peer closed the connection in the middle of a line, after {buffer.Length} bytes of it.");
                }

                return;
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    private void Receive(ReadOnlySequence<byte> line)
    {
        if (line.Length > options.LineBytesMax)
        {
            throw new QmpProtocolException($"The QMP peer sent a line of {line.Length} bytes; at most {options.LineBytesMax} are believed.");
        }

        switch (QmpMessage.Parse(line.IsSingleSegment ? line.FirstSpan : line.ToArray()))
        {
            case QmpMessage.Greeting hello when !greeting.TrySetResult(hello.Value):
                throw new QmpProtocolException("The QMP peer greeted twice.");
            case QmpMessage.Greeting:
                break;
            case var _ when !greeting.Task.IsCompleted:
                throw new QmpProtocolException("The QMP peer spoke before its greeting.");
            case QmpMessage.Reply reply:
                Settled(reply.Id).Answer.TrySetResult(reply.Value);
                break;
            case QmpMessage.Error { Id: { } id } error:
                var call = Settled(id);
                call.Answer.TrySetException(new QmpCommandException(call.Command, error.ErrorClass, error.Description));
                break;
            case QmpMessage.Error error:
                throw new QmpProtocolException($"The QMP peer could not read a request: {error.Description}");
            case QmpMessage.Event when line.Length > options.EventBytesMax:
                throw new QmpProtocolException($"The QMP peer sent an event of {line.Length} bytes; at most {options.EventBytesMax} are believed.");
            case QmpMessage.Event happened:
                Log.Event(log, happened.Name);
                events.Writer.TryWrite(happened);
                break;
        }
    }

    private Pending Settled(long id) =>
        Settle(id) ?? throw new QmpProtocolException($"The QMP peer answered command number {id}, which is not waiting for an answer.");

    private Pending? Settle(long id)
    {
        if (!pending.TryRemove(id, out var call))
        {
            return null;
        }

        call.Lane.Release();
        return call;
    }

    private void End(QmpException reason)
    {
        if (!completion.TrySetResult(reason))
        {
            return;
        }

        Log.Ended(log, reason.Message);
        lifetime.Cancel();
        greeting.TrySetException(reason);
        outgoing.Writer.TryComplete();
        events.Writer.TryComplete();
        foreach (var id in pending.Keys)
        {
            if (Settle(id) is { } call)
            {
                call.Answer.TrySetException(EndedFor(call.Command));
            }
        }

        // What nobody waits for any more must not surface as an unobserved exception.
        _ = greeting.Task.Exception;
    }

    private QmpException EndedFor(string command) => completion.Task.Result switch
    {
        QmpProtocolException lie => new QmpProtocolException($"'{command}' has no answer: the QMP session ended", lie),
        var end => new QmpClosedException($"'{command}' has no answer: the QMP session ended", end),
    };

    private sealed class Pending
    {
        public Pending(string command, SemaphoreSlim lane)
        {
            Command = command;
            Lane = lane;

            // The caller may have given up: its answer's error is then nobody's, by design.
            _ = Answer.Task.ContinueWith(
                static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        public string Command { get; }

        public SemaphoreSlim Lane { get; }

        public TaskCompletionSource<JsonElement> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Debug, "QMP event {Name}")]
        public static partial void Event(ILogger log, string name);

        [LoggerMessage(2, LogLevel.Debug, "QMP session ended: {Reason}")]
        public static partial void Ended(ILogger log, string reason);
    }
}
