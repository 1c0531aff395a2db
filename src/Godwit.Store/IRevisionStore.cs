namespace Godwit.Store;

/// <summary>
/// A revisioned key-value store, as an API server needs it. Every write that succeeds takes the next revision, so the
/// history is one ordered log; a value remembers the revision that wrote it.
/// <para>
/// Promises, each held by the conformance kit: <b>Durable</b> (a write is on disk before it is acknowledged);
/// <b>Ordered</b> (a watch sees revisions in strictly rising order); <b>Reliable</b> (a watch from revision r sees every
/// matching event after r, or is told <see cref="StoreCompactedException"/>); <b>Atomic</b> (compare-and-swap: of two
/// writers with the same expectation one wins); <b>Snapshot</b> (the items of a list are those of one revision, its pages too).
/// </para>
/// </summary>
public interface IRevisionStore : IAsyncDisposable
{
    /// <summary>The newest revision, 1 or more: an empty store is at revision 1.</summary>
    ValueTask<long> GetCurrentRevisionAsync(CancellationToken stopping);

    /// <summary>The newest value of a key, or null.</summary>
    ValueTask<StoreItem?> GetAsync(string key, CancellationToken stopping);

    /// <summary>Items whose keys start with <see cref="StoreListQuery.Prefix"/>, ordered by key (ordinal), at one revision.</summary>
    /// <exception cref="StoreCompactedException">The revision asked for has been compacted away.</exception>
    ValueTask<StoreList> ListAsync(StoreListQuery query, CancellationToken stopping);

    /// <summary>Writes a key that must not exist.</summary>
    ValueTask<StoreWrite> CreateAsync(string key, ReadOnlyMemory<byte> value, CancellationToken stopping);

    /// <summary>Replaces the value of a key that must be at <paramref name="expectedRevision"/>.</summary>
    ValueTask<StoreWrite> UpdateAsync(string key, ReadOnlyMemory<byte> value, long expectedRevision, CancellationToken stopping);

    /// <summary>Removes a key that must be at <paramref name="expectedRevision"/>.</summary>
    ValueTask<StoreWrite> DeleteAsync(string key, long expectedRevision, CancellationToken stopping);

    /// <summary>
    /// Batches of events after <paramref name="afterRevision"/> for keys with the prefix, without end, until cancelled.
    /// A batch may be empty: it then only says that everything up to its revision has been seen (progress).
    /// </summary>
    /// <exception cref="StoreCompactedException">Events after that revision are no longer all there.</exception>
    IAsyncEnumerable<StoreEventBatch> WatchAsync(string prefix, long afterRevision, CancellationToken stopping);

    /// <summary>Forgets history before <paramref name="revision"/>: superseded values and deletions older than it.</summary>
    ValueTask CompactAsync(long revision, CancellationToken stopping);
}

/// <summary>A live value: <see cref="CreateRevision"/> made the key, <see cref="ModRevision"/> wrote this value.</summary>
public sealed record StoreItem(string Key, ReadOnlyMemory<byte> Value, long CreateRevision, long ModRevision);

/// <summary>What to list. <see cref="Revision"/> 0 means now; <see cref="Limit"/> 0 means all; <see cref="After"/> continues after that key.</summary>
public readonly record struct StoreListQuery(string Prefix, string? After = null, int Limit = 0, long Revision = 0);

/// <summary>One page: items at <see cref="Revision"/>; <see cref="RemainingCount"/> more follow after the last one.</summary>
public sealed record StoreList(long Revision, IReadOnlyList<StoreItem> Items, long RemainingCount);

/// <summary>
/// How a write ended. When <see cref="Succeeded"/>, <see cref="Revision"/> is the write's own. When not, the expectation
/// did not hold and <see cref="Existing"/> is what is there instead (null: nothing).
/// </summary>
public readonly record struct StoreWrite(bool Succeeded, long Revision, StoreItem? Existing);

public enum StoreEventKind
{
    Created,
    Updated,
    Deleted,
}

/// <summary>
/// One change. For a deletion <see cref="Item"/> holds the last value, with <see cref="Revision"/> the deletion's;
/// <see cref="Previous"/> is the value before an update or deletion (null when created).
/// </summary>
public sealed record StoreEvent(StoreEventKind Kind, long Revision, StoreItem Item, StoreItem? Previous);

/// <summary>Events in revision order; everything up to and including <see cref="Revision"/> has been delivered.</summary>
public sealed record StoreEventBatch(long Revision, IReadOnlyList<StoreEvent> Events);

/// <summary>The history asked for is gone. The API answers 410 Expired and the client lists again.</summary>
public sealed class StoreCompactedException(long requestedRevision, long compactedRevision)
    : Exception($"Revision {requestedRevision} is gone: the store's history begins at {compactedRevision}.")
{
    public long RequestedRevision { get; } = requestedRevision;

    public long CompactedRevision { get; } = compactedRevision;
}
