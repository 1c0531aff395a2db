using System.Runtime.CompilerServices;

namespace Godwit.Store;

/// <summary>Bounds of <see cref="EventFeed"/>. Beyond them the oldest events leave memory; the log still has them.</summary>
public sealed record EventFeedLimits(int EventsMax = 4096, long BytesMax = 8 * 1024 * 1024, int BatchEventsMax = 512)
{
    public static EventFeedLimits Default { get; } = new();
}

/// <summary>Reads at most a bounded number of events after a revision from the log; an empty batch may still move the revision on.</summary>
public delegate ValueTask<StoreEventBatch> ReadLog(string prefix, long afterRevision, CancellationToken stopping);

/// <summary>
/// Feeds watchers: the newest events in memory, the older ones from the store's log.
/// <code>
///     log on disk   ├────────────────────────────────────────────┤
///     in memory                              ├───────────────────┤
///              compacted ▲          forgotten ▲       ▲           ▲ revision
///                                                  cursor of a watcher
/// </code>
/// A watcher is nothing but its cursor: no queue per watcher, so a slow one holds no memory. Each round asks where the
/// cursor stands: left of <i>forgotten</i>, it reads the log (and may learn that compaction passed it); right of it, it
/// takes events from memory; at <i>revision</i>, it waits for the next publication. Nothing is ever polled.
/// </summary>
public sealed class EventFeed
{
    private readonly Lock gate = new();
    private readonly EventFeedLimits limits;
    private readonly string storeName;
    private readonly StoreEvent?[] recent; // The event of revision r is in slot r modulo the length; none where r changed nothing of this store.
    private long recentBytes;
    private long forgotten;
    private long compacted;
    private long revision;
    private bool closed;
    private TaskCompletionSource advanced = NewSignal();

    public EventFeed(string storeName, long revision, long compacted, EventFeedLimits limits)
    {
        this.storeName = storeName;
        this.limits = limits;
        this.revision = revision;
        this.compacted = compacted;
        forgotten = revision;
        recent = new StoreEvent?[limits.EventsMax];
    }

    /// <summary>The newest revision published: all of it and everything before is durable.</summary>
    public long Revision => Volatile.Read(ref revision);

    /// <summary>History begins here: lists at, and watches after, an earlier revision are refused.</summary>
    public long CompactedRevision => Volatile.Read(ref compacted);

    /// <summary>Makes events visible. They follow on from <see cref="Revision"/> without a gap.</summary>
    public void Publish(IReadOnlyList<StoreEvent> events)
    {
        if (events.Count == 0)
        {
            return;
        }

        TaskCompletionSource signal;
        lock (gate)
        {
            foreach (var change in events)
            {
                Append(change);
            }

            signal = TakeSignal();
        }

        signal.TrySetResult();
    }

    /// <summary>
    /// Makes visible what a log that others write to as well holds up to a revision: events that rise, and revisions between
    /// and after them that changed nothing of this store.
    /// </summary>
    public void PublishSparse(IReadOnlyList<StoreEvent> events, long upToRevision)
    {
        TaskCompletionSource signal;
        lock (gate)
        {
            foreach (var change in events)
            {
                PassOver(change.Revision - 1);
                Append(change);
            }

            PassOver(upToRevision);
            signal = TakeSignal();
        }

        signal.TrySetResult();
    }

    /// <summary>Says that the log has moved on to a revision whose events memory does not have; watchers read them from the log.</summary>
    public void SkipTo(long newRevision)
    {
        TaskCompletionSource signal;
        lock (gate)
        {
            if (newRevision < revision)
            {
                throw new InvalidOperationException($"A feed at revision {revision} cannot go back to {newRevision}.");
            }

            Forget(newRevision);
            signal = TakeSignal();
        }

        signal.TrySetResult();
    }

    /// <summary>Refuses watches that begin before the revision. Watchers already under way keep what memory can still give them.</summary>
    public void Compact(long compactedRevision)
    {
        lock (gate)
        {
            compacted = Math.Max(compacted, compactedRevision);
        }
    }

    /// <summary>Ends every watch with <see cref="StoreFault.Closed"/>.</summary>
    public void Close()
    {
        TaskCompletionSource signal;
        lock (gate)
        {
            closed = true;
            signal = TakeSignal();
        }

        signal.TrySetResult();
    }

    /// <inheritdoc cref="IRevisionStore.WatchAsync"/>
    public async IAsyncEnumerable<StoreEventBatch> WatchAsync(
        string prefix, long afterRevision, ReadLog readLog, [EnumeratorCancellation] CancellationToken stopping)
    {
        ThrowIfCompacted(afterRevision);
        var cursor = afterRevision;
        var told = false; // Whether the watcher has heard of its own starting point.
        while (true)
        {
            stopping.ThrowIfCancellationRequested();
            var look = Look(prefix, cursor);
            if (look.Batch is not null || look.Behind)
            {
                var batch = look.Batch ?? await readLog(prefix, cursor, stopping);
                cursor = batch.Revision;
                told = true;
                yield return batch;
            }
            else if (!told && look.Revision == cursor)
            {
                told = true;
                yield return new StoreEventBatch(cursor, []);
            }
            else
            {
                await look.Advanced.WaitAsync(stopping);
            }
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static long CostBytes(StoreEvent change) =>
        256 + (2 * change.Item.Key.Length) + change.Item.Value.Length + (change.Previous?.Value.Length ?? 0);

    private void ThrowIfCompacted(long afterRevision)
    {
        var floor = CompactedRevision;
        if (afterRevision < floor)
        {
            throw new StoreCompactedException(afterRevision, floor);
        }
    }

    /// <summary>What the cursor sees at this instant, and the task that completes when that changes.</summary>
    private View Look(string prefix, long cursor)
    {
        lock (gate)
        {
            if (closed)
            {
                throw StoreUnavailableException.ForClosed(storeName);
            }

            if (cursor < forgotten)
            {
                return new View(revision, Behind: true, Batch: null, advanced.Task);
            }

            return new View(revision, Behind: false, cursor < revision ? Collect(prefix, cursor) : null, advanced.Task);
        }
    }

    private StoreEventBatch Collect(string prefix, long cursor)
    {
        List<StoreEvent>? events = null;
        var at = cursor;
        while (at < revision && (events?.Count ?? 0) < limits.BatchEventsMax)
        {
            at++;
            if (recent[at % recent.Length] is { } change && change.Item.Key.StartsWith(prefix, StringComparison.Ordinal))
            {
                (events ??= []).Add(change);
            }
        }

        return new StoreEventBatch(at, events ?? (IReadOnlyList<StoreEvent>)[]);
    }

    private void Append(StoreEvent change)
    {
        if (change.Revision != revision + 1)
        {
            throw new InvalidOperationException($"Revision {change.Revision} does not follow on from {revision}.");
        }

        var cost = CostBytes(change);
        while (revision - forgotten >= recent.Length || (recentBytes + cost > limits.BytesMax && forgotten < revision))
        {
            ForgetOldest();
        }

        recent[change.Revision % recent.Length] = change;
        recentBytes += cost;
        Volatile.Write(ref revision, change.Revision);
    }

    private void PassOver(long upToRevision)
    {
        if (upToRevision - revision >= recent.Length)
        {
            Forget(upToRevision);
            return;
        }

        while (revision < upToRevision)
        {
            if (revision - forgotten >= recent.Length)
            {
                ForgetOldest();
            }

            Volatile.Write(ref revision, revision + 1); // Its slot is empty: what was there is forgotten.
        }
    }

    private void ForgetOldest()
    {
        ref var oldest = ref recent[(forgotten + 1) % recent.Length];
        recentBytes -= oldest is null ? 0 : CostBytes(oldest);
        oldest = null;
        forgotten++;
    }

    private void Forget(long upToRevision)
    {
        Array.Clear(recent);
        recentBytes = 0;
        forgotten = upToRevision;
        Volatile.Write(ref revision, upToRevision);
    }

    private TaskCompletionSource TakeSignal()
    {
        var signal = advanced;
        advanced = NewSignal();
        return signal;
    }

    private readonly record struct View(long Revision, bool Behind, StoreEventBatch? Batch, Task Advanced);
}
