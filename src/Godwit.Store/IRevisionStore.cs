namespace Godwit.Store;

/// <summary>
/// A revisioned key-value store, as an API server needs it. Every write that succeeds takes the next revision, so the
/// history is one ordered log; a value remembers the revision that wrote it.
/// <code>
///   revision      1      2      3      4      5      6      7          the log: one write, one revision
///              (empty)  +a     +b     ~a     -b     ~a     +c          + created  ~ updated  - deleted
///                                      ▲                    ▲
///                            compacted to 4             current 7
///   list at 4..7 and watch after 4..7 are answered; anything before is StoreCompactedException, anything later is not yet.
/// </code>
/// <para>
/// Promises, each held by a class of the conformance kit: <b>Durable</b> (a write is on disk before it is acknowledged);
/// <b>Ordered</b> (a watch sees revisions in strictly rising order, each once); <b>Reliable</b> (a watch from revision r
/// sees every matching event after r, or is told <see cref="StoreCompactedException"/>); <b>Atomic</b> (compare-and-swap:
/// of two writers with the same expectation one wins); <b>Snapshot</b> (the items of a list are those of one revision, its
/// pages too); <b>Progress</b> (a watch learns how far it has seen, even when nothing of its own changes).
/// </para>
/// <para>
/// Every call may throw <see cref="StoreUnavailableException"/>. A call that is cancelled or fails so may still have
/// written when <see cref="StoreUnavailableException.MayHaveHappened"/> says so, or when the caller stopped waiting: read
/// the key again to learn it. Keys and values have limits: <see cref="StoreLimits"/>.
/// </para>
/// </summary>
public interface IRevisionStore : IAsyncDisposable
{
    /// <summary>The newest revision, 1 or more: an empty store is at revision 1.</summary>
    ValueTask<long> GetCurrentRevisionAsync(CancellationToken stopping);

    /// <summary>The newest value of a key, or null. Sees every write acknowledged before the call.</summary>
    ValueTask<StoreItem?> GetAsync(string key, CancellationToken stopping);

    /// <summary>Items whose keys start with <see cref="StoreListQuery.Prefix"/>, ordered by key (ordinal), at one revision.</summary>
    /// <exception cref="StoreCompactedException">The revision asked for has been compacted away.</exception>
    /// <exception cref="StoreFutureRevisionException">The revision asked for has not been written yet.</exception>
    ValueTask<StoreList> ListAsync(StoreListQuery query, CancellationToken stopping);

    /// <summary>Writes a key that must not exist.</summary>
    ValueTask<StoreWrite> CreateAsync(string key, ReadOnlyMemory<byte> value, CancellationToken stopping);

    /// <summary>Replaces the value of a key that must be at <paramref name="expectedRevision"/>.</summary>
    ValueTask<StoreWrite> UpdateAsync(string key, ReadOnlyMemory<byte> value, long expectedRevision, CancellationToken stopping);

    /// <summary>Removes a key that must be at <paramref name="expectedRevision"/>.</summary>
    ValueTask<StoreWrite> DeleteAsync(string key, long expectedRevision, CancellationToken stopping);

    /// <summary>
    /// Batches of events after <paramref name="afterRevision"/> for keys with the prefix, without end, until cancelled.
    /// A batch may be empty: it then only says that everything up to its revision has been seen (progress). The first
    /// batch comes without waiting for a write once the store has reached <paramref name="afterRevision"/>.
    /// A watcher that reads slowly costs the store nothing: it is fed from the log when memory no longer reaches back to it.
    /// </summary>
    /// <exception cref="StoreCompactedException">Events after that revision are no longer all there.</exception>
    IAsyncEnumerable<StoreEventBatch> WatchAsync(string prefix, long afterRevision, CancellationToken stopping);

    /// <summary>
    /// Forgets history before <paramref name="revision"/>: from now on lists at, and watches after, an earlier revision
    /// are refused. Superseded values and deletions are then removed in small steps between other writes; the call
    /// returns when they are gone. A revision already compacted to is nothing to do.
    /// </summary>
    /// <exception cref="StoreFutureRevisionException">The revision has not been written yet.</exception>
    ValueTask CompactAsync(long revision, CancellationToken stopping);
}
