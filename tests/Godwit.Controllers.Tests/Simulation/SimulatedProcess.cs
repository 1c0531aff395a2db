using System.Globalization;
using System.Net;
using System.Text;
using System.Threading.Channels;
using Godwit.ApiServer.Resources;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Controllers.Tests.Simulation;

/// <summary>
/// One process that runs the real controllers. Three things that a process leaves to the machine are the simulation's here, so that the seed alone decides what comes after what: which of the tasks that are
/// ready runs next (<see cref="Tasks"/>), when a request gets to the server and its answer back (<see cref="Requests"/>), and when a watch hears of a change (<see cref="Watches"/>). All of it happens on the
/// simulation's one thread; what strays from it ends the run.
/// <para>A process that is killed is never heard of again: none of its tasks runs on, none of its requests gets further. That is nearer to a death than any cancellation.</para>
/// </summary>
internal sealed class SimulatedProcess
{
    public SimulatedProcess(string name, FakeTimeProvider clock, Random random, Action<Exception> onEnd)
    {
        Name = name;
        Tasks = new TaskQueue();
        var connection = new ClusterConnection { Servers = [new Uri("https://server/")] };
        var client = new ClusterClient(connection, clock, NullLogger<ClusterClient>.Instance, new Transport(this, clock), new Transport(this, clock)) { Chance = random.NextDouble };
        var options = new ControllerOptions { Identity = name, Chance = random.NextDouble };
        Host = new ControllerHost(client, options, clock, NullLoggerFactory.Instance);
        _ = Task.Factory.StartNew(
            async () =>
            {
                try
                {
                    await Host.RunAsync(CancellationToken.None);
                }
                catch (Exception error)
                {
                    onEnd(error);
                }
            },
            CancellationToken.None,
            TaskCreationOptions.None,
            Tasks);
    }

    public string Name { get; }

    public bool IsKilled { get; private set; }

    public ControllerHost Host { get; }

    /// <summary>Tasks that are ready to go on.</summary>
    public TaskQueue Tasks { get; }

    /// <summary>Requests that were sent and not answered.</summary>
    public List<SentRequest> Requests { get; } = [];

    /// <summary>Watches that are open.</summary>
    public List<OpenWatch> Watches { get; } = [];

    public void Kill()
    {
        IsKilled = true;
        Tasks.Clear();
        Requests.Clear();
        Watches.Clear();
    }

    /// <summary>Tasks wait here until the simulation runs one.</summary>
    internal sealed class TaskQueue : TaskScheduler
    {
        private readonly int thread = Environment.CurrentManagedThreadId;
        private readonly List<Task> ready = [];

        public int Count => ready.Count;

        /// <summary>Where a task came from that another thread queued: what it does is not the seed's.</summary>
        public string? Strayed { get; private set; }

        public void Run(int index)
        {
            var task = ready[index];
            ready.RemoveAt(index);
            TryExecuteTask(task);
        }

        public void Clear() => ready.Clear();

        protected override void QueueTask(Task task)
        {
            if (Environment.CurrentManagedThreadId == thread)
            {
                ready.Add(task);
            }
            else
            {
                Strayed = Environment.StackTrace;
            }
        }

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

        protected override IEnumerable<Task> GetScheduledTasks() => ready;
    }

    private sealed class Transport(SimulatedProcess process, FakeTimeProvider clock) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var sent = new SentRequest(request, clock.GetUtcNow(), cancellationToken);
            if (!process.IsKilled)
            {
                process.Requests.Add(sent);
            }

            return sent.Answer.Task;
        }
    }
}

/// <summary>A request on its way.</summary>
internal sealed class SentRequest
{
    private readonly CancellationToken cancelled;

    public SentRequest(HttpRequestMessage message, DateTimeOffset at, CancellationToken cancelled)
    {
        Method = message.Method.Method;
        Path = message.RequestUri!.PathAndQuery;
        At = at;
        Body = message.Content is null ? [] : message.Content.ReadAsByteArrayAsync(CancellationToken.None).GetAwaiter().GetResult();
        ContentType = message.Content?.Headers.ContentType?.MediaType;
        this.cancelled = cancelled;
    }

    public string Method { get; }

    public string Path { get; }

    public DateTimeOffset At { get; }

    public byte[] Body { get; }

    public string? ContentType { get; }

    /// <summary>Who sent it waits no longer, and is to be told so by <see cref="Cancel"/>: not where it is cancelled, for that may be inside a task.</summary>
    public bool IsCancelled => cancelled.IsCancellationRequested;

    /// <summary>Completed by the simulation alone.</summary>
    public TaskCompletionSource<HttpResponseMessage> Answer { get; } = new();

    public bool IsWatch => Path.Contains("watch=true", StringComparison.Ordinal);

    public bool IsBinding => Method == "POST" && Path.EndsWith("/binding", StringComparison.Ordinal);

    /// <summary>Whether it is a cron job's start: nobody else asks for jobs here.</summary>
    public bool IsStart => Method == "POST" && Path.EndsWith("/jobs", StringComparison.Ordinal);

    public void Cancel() => Answer.TrySetCanceled(cancelled);

    /// <summary>Never reached the server, so it is sent again whatever it was.</summary>
    public void Lose() => Answer.TrySetException(new HttpRequestException(HttpRequestError.ConnectionError, "the network is down"));

    /// <summary>The connection broke after it was sent: whether it was carried out is not known.</summary>
    public void Break() => Answer.TrySetException(new HttpRequestException(HttpRequestError.ResponseEnded, "the connection broke"));

    public void Complete(int code, HttpContent content) => Answer.TrySetResult(new HttpResponseMessage((HttpStatusCode)code) { Content = content });
}

/// <summary>A watch that is open: what it is about, how far it has been told, and since when it may be told more.</summary>
internal sealed class OpenWatch(SimulatedServer server, string path, DateTimeOffset opened)
{
    private readonly ServedResource resource = server.Watched(path).Resource;
    private readonly string @namespace = server.Watched(path).Namespace;

    // By a selector, which nothing in the simulation fits.
    private readonly bool isNarrowed = path.Contains("labelSelector=", StringComparison.Ordinal);
    private byte[]? next;

    public string Plural => resource.Definition.Plural;

    /// <summary>When the server last said anything.</summary>
    public DateTimeOffset Heard { get; private set; } = opened;

    public DateTimeOffset Opened { get; } = opened;

    /// <summary>Everything up to here has been looked at.</summary>
    public long Revision { get; private set; } = long.Parse(QueryHelpers.ParseQuery(path[path.IndexOf('?', StringComparison.Ordinal)..])["resourceVersion"].ToString(), CultureInfo.InvariantCulture);

    /// <summary>Nothing is told before: the watch lags.</summary>
    public DateTimeOffset NotBefore { get; set; } = DateTimeOffset.MinValue;

    public LineStream Lines { get; } = new();

    /// <summary>Whether there is something to tell.</summary>
    public bool HasNews(DateTimeOffset now)
    {
        if (now < NotBefore)
        {
            return false;
        }

        while (next is null && Revision < server.Revision)
        {
            next = isNarrowed ? null : server.LineOf(server.Changes[(int)(Revision - 1)], resource, @namespace); // The first change has revision 2.
            Revision++;
        }

        return next is not null;
    }

    public void Tell(DateTimeOffset now)
    {
        Heard = now;
        Lines.Tell(next!);
        next = null;
    }

    /// <summary>Nothing has changed, says the server.</summary>
    public void Bookmark(DateTimeOffset now)
    {
        Heard = now;
        var (apiVersion, kind) = (resource.Definition.ApiVersion, resource.Definition.Kind);
        Lines.Tell(Encoding.UTF8.GetBytes($$"""{"type":"BOOKMARK","object":{"apiVersion":"{{apiVersion}}","kind":"{{kind}}","metadata":{"resourceVersion":"{{Revision}}"} } }""" + "\n"));
    }
}

/// <summary>The body of a watch, as far as it has been written. Who reads goes on in the call that writes.</summary>
internal sealed class LineStream : Stream
{
    private readonly Channel<byte[]> lines = Channel.CreateUnbounded<byte[]>(new UnboundedChannelOptions { AllowSynchronousContinuations = true, SingleReader = true });
    private ReadOnlyMemory<byte> rest;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public void Tell(byte[] line) => lines.Writer.TryWrite(line);

    /// <param name="error">Null: the server ends it, as it does when its time is over.</param>
    public void End(Exception? error = null)
    {
        HasEnded = true;
        lines.Writer.TryComplete(error);
    }

    /// <summary>Who reads has given it up, and is to be told so by <see cref="End"/>.</summary>
    public bool IsCancelled { get; private set; }

    /// <summary>Nothing is told any more, or nobody reads.</summary>
    public bool HasEnded { get; private set; }

    protected override void Dispose(bool disposing)
    {
        HasEnded = true;
        base.Dispose(disposing);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (rest.IsEmpty)
        {
            // Who reads goes on where the simulation ends the stream, not where the token is cancelled: that may be inside a task.
            await using var cancelled = cancellationToken.UnsafeRegister(_ => IsCancelled = true, null);
            if (!await lines.Reader.WaitToReadAsync(CancellationToken.None).ConfigureAwait(false))
            {
                return 0;
            }

            rest = lines.Reader.TryRead(out var line) ? line : throw new InvalidOperationException("Somebody else reads this watch.");
        }

        var count = Math.Min(buffer.Length, rest.Length);
        rest[..count].CopyTo(buffer);
        rest = rest[count..];
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
