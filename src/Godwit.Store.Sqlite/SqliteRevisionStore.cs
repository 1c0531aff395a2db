using Microsoft.Extensions.Logging;

namespace Godwit.Store.Sqlite;

/// <summary>
/// The store in one SQLite file: writes through <see cref="GroupCommit"/>, reads through a pool of connections that
/// never wait for the writer (write-ahead log), watches from memory or from the log (<see cref="EventFeed"/>).
/// </summary>
public sealed partial class SqliteRevisionStore : IRevisionStore
{
    private const long RowCostBytes = 256;

    private readonly SqliteStoreOptions options;
    private readonly StoreFile file;
    private readonly EventFeed feed;
    private readonly GroupCommit writer;
    private readonly ReaderPool readers;
    private bool disposed;

    private SqliteRevisionStore(SqliteStoreOptions options, StoreFile file, LogWriter log)
    {
        this.options = options;
        this.file = file;
        feed = new EventFeed(options.FilePath, log.Bounds.Current, log.Bounds.Compacted, options.FeedLimits);
        readers = new ReaderPool(file, options.ReadersMax);
        writer = new GroupCommit(file, log, feed, options);
    }

    /// <summary>Opens the store, or makes an empty one, and checks that its file is whole.</summary>
    /// <exception cref="StoreUnavailableException">It cannot be used; the message says why and what to do.</exception>
    public static SqliteRevisionStore Open(SqliteStoreOptions options)
    {
        var opened = StoreFile.Open(options);
        try
        {
            var store = new SqliteRevisionStore(options, opened, new LogWriter(opened.ConnectWriter()));
            Log.Opened(options.Logger, options.FilePath, store.feed.Revision, store.feed.CompactedRevision);
            return store;
        }
        catch (Exception error)
        {
            opened.Dispose();
            throw SqliteFaults.IsFault(error) ? SqliteFaults.Translate("open", options.FilePath, error) : error;
        }
    }

    public ValueTask<long> GetCurrentRevisionAsync(CancellationToken stopping) => ValueTask.FromResult(feed.Revision);

    public ValueTask<StoreItem?> GetAsync(string key, CancellationToken stopping)
    {
        StoreLimits.CheckKey(key);
        return readers.ReadAsync(log => log.Get(key), stopping);
    }

    public ValueTask<StoreList> ListAsync(StoreListQuery query, CancellationToken stopping)
    {
        StoreLimits.CheckQuery(query);
        return readers.ReadAsync(log => log.List(query), stopping);
    }

    public ValueTask<StoreWrite> CreateAsync(string key, ReadOnlyMemory<byte> value, CancellationToken stopping) =>
        PutAsync(key, value.ToArray(), expectedRevision: 0, stopping);

    public ValueTask<StoreWrite> UpdateAsync(string key, ReadOnlyMemory<byte> value, long expectedRevision, CancellationToken stopping)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(expectedRevision);
        return PutAsync(key, value.ToArray(), expectedRevision, stopping);
    }

    public ValueTask<StoreWrite> DeleteAsync(string key, long expectedRevision, CancellationToken stopping)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(expectedRevision);
        return PutAsync(key, value: null, expectedRevision, stopping);
    }

    public IAsyncEnumerable<StoreEventBatch> WatchAsync(string prefix, long afterRevision, CancellationToken stopping)
    {
        StoreLimits.CheckPrefix(prefix);
        ArgumentOutOfRangeException.ThrowIfNegative(afterRevision);
        return feed.WatchAsync(prefix, afterRevision, FollowAsync, stopping);
    }

    public async ValueTask CompactAsync(long revision, CancellationToken stopping)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(revision);
        await writer.RunAsync(
            log =>
            {
                log.Compact(revision);
                return true;
            },
            RowCostBytes,
            stopping);

        // A step is a transaction's worth, so that no write waits for more than one. Each costs a batch of its own.
        while (!await writer.RunAsync(log => log.Clean(options.CompactionStepRevisions), options.BatchBytesMax, stopping))
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (disposed)
        {
            return;
        }

        disposed = true;
        feed.Close();
        await writer.DisposeAsync();
        await readers.DisposeAsync();
        file.Dispose();
    }

    private ValueTask<StoreWrite> PutAsync(string key, byte[]? value, long expectedRevision, CancellationToken stopping)
    {
        StoreLimits.CheckKey(key);
        StoreLimits.CheckValue(value);
        return writer.RunAsync(log => log.Put(key, value, expectedRevision), RowCostBytes + (value?.Length ?? 0), stopping);
    }

    private ValueTask<StoreEventBatch> FollowAsync(string prefix, long afterRevision, CancellationToken stopping) =>
        readers.ReadAsync(log => log.Follow(prefix, afterRevision, options.FeedLimits), stopping);

    private static partial class Log
    {
        [LoggerMessage(EventId = 2000, Level = LogLevel.Information, Message = "Opened {FilePath} at revision {Revision}, history from {CompactedRevision}")]
        public static partial void Opened(ILogger logger, string filePath, long revision, long compactedRevision);
    }
}
