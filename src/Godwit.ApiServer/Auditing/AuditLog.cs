using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Auditing;

/// <summary>Where the audit log lies, and how much of it is kept.</summary>
public sealed record AuditLogOptions
{
    /// <summary>The file; older ones are beside it, with <c>.1</c> (the newest of them), <c>.2</c>, … at its end.</summary>
    public required string Path { get; init; }

    /// <summary>Which requests are written down.</summary>
    public AuditPolicy Policy { get; init; } = AuditPolicy.Standard;

    /// <summary>A file that has grown to this is put aside.</summary>
    public long FileBytesMax { get; init; } = 100 << 20;

    /// <summary>Files that were put aside and are kept.</summary>
    public int OlderFilesMax { get; init; } = 10;
}

/// <summary>
/// One line of JSON an event, appended by one writer, in the order in which the events came:
/// <code>
///  requests ──▶ waiting events (bounded) ──▶ writer ──▶ FILE ──full──▶ FILE.1 ──▶ … ──▶ gone
///                    │ no place within five seconds
///                    └─▶ counted and told: a disk that stands still must not stop the server for ever
/// </code>
/// An event waits here when its request has been answered, and is appended soon after; nothing is flushed to the disk for each. A server that is killed
/// loses what waits, a host that loses power also what its file system had not written yet.
/// </summary>
internal sealed partial class AuditLog : IAsyncDisposable
{
    private const int WaitingMax = 4096;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly TimeSpan PlaceBound = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan EndBound = TimeSpan.FromSeconds(5);

    private readonly AuditLogOptions options;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly Channel<byte[]> waiting = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(WaitingMax) { SingleReader = true });
    private readonly Task writing;
    private FileStream? file;
    private long lostCount;
    private bool isTroubled;

    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public AuditLog(AuditLogOptions options, TimeProvider clock, ILogger logger)
    {
        this.options = options;
        this.clock = clock;
        this.logger = logger;
        file = Open();
        writing = WriteAllAsync();
    }

    /// <summary>Events that could not be written.</summary>
    public long LostCount => Interlocked.Read(ref lostCount);

    /// <param name="line">One event, with its line's end.</param>
    public async ValueTask AddAsync(byte[] line)
    {
        if (waiting.Writer.TryWrite(line))
        {
            return;
        }

        using var bound = new CancellationTokenSource(PlaceBound, clock);
        try
        {
            await waiting.Writer.WriteAsync(line, bound.Token);
        }
        catch (Exception error) when (error is OperationCanceledException or ChannelClosedException)
        {
            Interlocked.Increment(ref lostCount);
        }
    }

    /// <summary>Writes what waits, within a bound.</summary>
    public async ValueTask DisposeAsync()
    {
        waiting.Writer.TryComplete();
        await writing.WaitAsync(EndBound, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (file is { } open)
        {
            await open.DisposeAsync();
        }
    }

    private async Task WriteAllAsync()
    {
        await Task.Yield();
        await foreach (var line in waiting.Reader.ReadAllAsync())
        {
            try
            {
                Write(line);
                isTroubled = false;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                Interlocked.Increment(ref lostCount);
                file?.Dispose();
                file = null; // Opened anew for the next event.
                if (!isTroubled)
                {
                    Log.NotWritten(logger, options.Path, error);
                }

                isTroubled = true;
            }
        }
    }

    private void Write(byte[] line)
    {
        file ??= Open();
        var length = file.Length;
        if (length > 0 && length + line.Length > options.FileBytesMax)
        {
            PutAside();
            length = 0;
        }

        try
        {
            file!.Write(line);
        }
        catch (IOException)
        {
            file!.SetLength(length); // Half a line would spoil the next.
            throw;
        }
    }

    private void PutAside()
    {
        file!.Dispose();
        file = null;
        for (var number = options.OlderFilesMax; number > 0; number--)
        {
            var newer = number == 1 ? options.Path : $"{options.Path}.{number - 1}";
            if (File.Exists(newer))
            {
                File.Move(newer, $"{options.Path}.{number}", overwrite: true);
            }
        }

        File.Delete(options.Path); // Only when none is kept.
        file = Open();
    }

    private FileStream Open() => new(
        options.Path, new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.Read, UnixCreateMode = Private, BufferSize = 0 });

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "The audit log {Path} cannot be written now; what cannot be is counted (godwit_apiserver_audit_events_lost_total)")]
        public static partial void NotWritten(ILogger logger, string path, Exception error);
    }
}
