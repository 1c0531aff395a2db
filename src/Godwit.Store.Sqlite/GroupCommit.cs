using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Godwit.Store.Sqlite;

/// <summary>
/// The store's single writer: many callers, one transaction, one flush to the disk.
/// <code>
///   callers ──▶ queue (bounded) ──▶ take all that wait, up to a batch
///                                        │
///                                     BEGIN ── apply each: compare, append ── COMMIT (on disk)
///                                        │                                       │
///                                        │ any error                             ├─▶ publish the events to watchers
///                                        ▼                                       └─▶ answer every caller
///                         answer every caller with the fault; throw the connection away;
///                         the next batch opens a new one and believes only what the file says
/// </code>
/// The order is the promise: nobody is answered, and no watcher hears, before the commit is on the disk; and events are
/// published before answers, so a caller who then watches finds its own write. While one batch is being flushed the
/// next one gathers, so the busier the store, the fewer flushes per write.
/// </summary>
internal sealed partial class GroupCommit : IAsyncDisposable
{
    private readonly StoreFile file;
    private readonly EventFeed feed;
    private readonly SqliteStoreOptions options;
    private readonly Channel<WriterJob> queue;
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LogWriter? writer; // Only the writer's thread touches it; null after a failure, until the next batch.
    private string? faultTold;

    public GroupCommit(StoreFile file, LogWriter writer, EventFeed feed, SqliteStoreOptions options)
    {
        this.file = file;
        this.writer = writer;
        this.feed = feed;
        this.options = options;
        queue = Channel.CreateBounded<WriterJob>(new BoundedChannelOptions(options.QueueJobsMax) { SingleReader = true });

        // Its own thread: a flush blocks, and the thread pool is for those who answer requests.
        new Thread(Run) { Name = "store-writer", IsBackground = true }.Start();
    }

    /// <summary>Runs the job in some transaction and returns its answer once that is on the disk.</summary>
    /// <exception cref="StoreUnavailableException">The transaction failed, or the store is closed.</exception>
    public async ValueTask<T> RunAsync<T>(Func<LogWriter, T> work, long costBytes, CancellationToken stopping)
    {
        var job = new WriterJob<T>(work, costBytes, stopping);
        try
        {
            await queue.Writer.WriteAsync(job, stopping);
        }
        catch (ChannelClosedException)
        {
            throw StoreUnavailableException.ForClosed(file.FilePath);
        }

        return await job.Answer.WaitAsync(stopping);
    }

    /// <summary>Writes what is queued, then ends.</summary>
    public async ValueTask DisposeAsync()
    {
        queue.Writer.TryComplete();
        await ended.Task;
    }

    private void Run()
    {
        var batch = new List<WriterJob>(options.BatchJobsMax);
#pragma warning disable CA2012, MA0042 // This thread is the writer's own, and has nothing to do but wait.
        while (queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
#pragma warning restore CA2012, MA0042
        {
            Gather(batch);
            Write(batch);
            batch.Clear();
        }

        writer?.Dispose();
        ended.TrySetResult();
    }

    private void Gather(List<WriterJob> batch)
    {
        var bytes = 0L;
        while (batch.Count < options.BatchJobsMax && bytes < options.BatchBytesMax && queue.Reader.TryRead(out var job))
        {
            if (job.TryTake())
            {
                batch.Add(job);
                bytes += job.CostBytes;
            }
        }
    }

    private void Write(List<WriterJob> batch)
    {
        if (batch.Count == 0)
        {
            return;
        }

        var committing = false;
        try
        {
            writer ??= Reopen();
            writer.Begin();
            foreach (var job in batch)
            {
                job.Apply(writer);
            }

            committing = true;
            feed.Publish(writer.Commit());
            feed.Compact(writer.Bounds.Compacted);
        }
        catch (Exception error)
        {
            writer?.Dispose(); // Rolls back what was not committed.
            writer = null;
            var fault = SqliteFaults.IsFault(error) ? SqliteFaults.Translate("write to", file.FilePath, error, committing) : error;
            Note(fault, batch.Count);
            batch.ForEach(job => job.Fail(fault));
            return;
        }

        faultTold = null;
        batch.ForEach(job => job.Acknowledge());
    }

    /// <summary>Logs the first failure of each kind, not every one: callers try again, and a full disk may stay full for hours.</summary>
    private void Note(Exception fault, int jobs)
    {
        var told = (fault as StoreUnavailableException)?.Fault.ToString() ?? fault.GetType().Name;
        if (told != faultTold)
        {
            faultTold = told;
            Log.BatchFailed(options.Logger, fault, jobs);
        }
    }

    /// <summary>A commit whose end was unknown may have happened after all: then the file is ahead of what watchers were told.</summary>
    private LogWriter Reopen()
    {
        var reopened = new LogWriter(file.ConnectWriter());
        if (reopened.Bounds.Current > feed.Revision)
        {
            feed.SkipTo(reopened.Bounds.Current);
        }

        Log.Reopened(options.Logger, file.FilePath, reopened.Bounds.Current);
        return reopened;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2001, Level = LogLevel.Error, Message = "A transaction of {Jobs} writes failed; none of them was acknowledged")]
        public static partial void BatchFailed(ILogger logger, Exception error, int jobs);

        [LoggerMessage(EventId = 2002, Level = LogLevel.Debug, Message = "Reopened {FilePath} for writing at revision {Revision}")]
        public static partial void Reopened(ILogger logger, string filePath, long revision);
    }
}
