using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Store.Sqlite;

/// <summary>Where the store's file is, and the bounds it keeps.</summary>
public sealed record SqliteStoreOptions(string FilePath)
{
    /// <summary>Writes that may wait for the writer; a caller beyond that waits for room.</summary>
    public int QueueJobsMax { get; init; } = 1024;

    /// <summary>Writes that share one transaction, and so one flush to the disk.</summary>
    public int BatchJobsMax { get; init; } = 256;

    /// <summary>Once a batch holds this much, it is committed.</summary>
    public long BatchBytesMax { get; init; } = 4 * 1024 * 1024;

    /// <summary>Connections that read at the same time; a reader beyond that waits for one.</summary>
    public int ReadersMax { get; init; } = 4;

    /// <summary>Page cache of each connection, in KiB. The system's page cache stands behind it.</summary>
    public int PageCacheKib { get; init; } = 2048;

    /// <summary>Revisions whose leftovers one compaction step removes, between other writes.</summary>
    public int CompactionStepRevisions { get; init; } = 128;

    /// <summary>
    /// A file up to this size is checked in full when it is opened (over 1 s per GiB); a larger one is checked page by
    /// page as it is read, and row by row by its checksums, as every file is.
    /// </summary>
    public long IntegrityCheckBytesMax { get; init; } = 256L * 1024 * 1024;

    /// <summary>How long to wait for another process's lock on the file before giving up.</summary>
    public int ForeignLockWaitSeconds { get; init; } = 5;

    public EventFeedLimits FeedLimits { get; init; } = EventFeedLimits.Default;

    public ILogger Logger { get; init; } = NullLogger.Instance;
}
