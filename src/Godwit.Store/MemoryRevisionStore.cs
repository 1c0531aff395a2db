namespace Godwit.Store;

/// <summary>
/// The reference: the contract in its plainest form, one lock around a list of all events and the versions of each key.
/// Nothing outlives the process, so <b>Durable</b> is the one promise it cannot give. Tests and models stand on it.
/// </summary>
public sealed class MemoryRevisionStore : IRevisionStore
{
    private const string Name = "The in-memory store";

    private readonly Lock gate = new();
    private readonly SortedSet<string> keys = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<Version>> versions = new(StringComparer.Ordinal);
    private readonly List<StoreEvent> log = []; // Rising revisions, without gaps; compaction cuts from the front.
    private readonly EventFeedLimits limits;
    private readonly EventFeed feed;
    private bool closed;

    public MemoryRevisionStore(EventFeedLimits? limits = null)
    {
        this.limits = limits ?? EventFeedLimits.Default;
        feed = new EventFeed(Name, revision: 1, compacted: 0, this.limits);
    }

    public ValueTask<long> GetCurrentRevisionAsync(CancellationToken stopping) => Locked(() => feed.Revision, stopping);

    public ValueTask<StoreItem?> GetAsync(string key, CancellationToken stopping)
    {
        StoreLimits.CheckKey(key);
        return Locked(() => At(key, feed.Revision), stopping);
    }

    public ValueTask<StoreList> ListAsync(StoreListQuery query, CancellationToken stopping)
    {
        StoreLimits.CheckQuery(query);
        return Locked(() => List(query), stopping);
    }

    public ValueTask<StoreWrite> CreateAsync(string key, ReadOnlyMemory<byte> value, CancellationToken stopping) =>
        Write(key, value.ToArray(), expectedRevision: 0, stopping);

    public ValueTask<StoreWrite> UpdateAsync(string key, ReadOnlyMemory<byte> value, long expectedRevision, CancellationToken stopping)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(expectedRevision);
        return Write(key, value.ToArray(), expectedRevision, stopping);
    }

    public ValueTask<StoreWrite> DeleteAsync(string key, long expectedRevision, CancellationToken stopping)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(expectedRevision);
        return Write(key, value: null, expectedRevision, stopping);
    }

    public IAsyncEnumerable<StoreEventBatch> WatchAsync(string prefix, long afterRevision, CancellationToken stopping)
    {
        StoreLimits.CheckPrefix(prefix);
        ArgumentOutOfRangeException.ThrowIfNegative(afterRevision);
        return feed.WatchAsync(prefix, afterRevision, ReadLog, stopping);
    }

    public async ValueTask CompactAsync(long revision, CancellationToken stopping) =>
        await Locked(() => Compact(revision), stopping);

    public ValueTask DisposeAsync()
    {
        lock (gate)
        {
            closed = true;
        }

        feed.Close();
        return ValueTask.CompletedTask;
    }

    private ValueTask<T> Locked<T>(Func<T> body, CancellationToken stopping)
    {
        stopping.ThrowIfCancellationRequested();
        lock (gate)
        {
            return closed ? throw StoreUnavailableException.ForClosed(Name) : ValueTask.FromResult(body());
        }
    }

    private ValueTask<StoreWrite> Write(string key, byte[]? value, long expectedRevision, CancellationToken stopping)
    {
        StoreLimits.CheckKey(key);
        StoreLimits.CheckValue(value);
        return Locked(
            () =>
            {
                var existing = At(key, feed.Revision);
                if ((existing?.ModRevision ?? 0) != expectedRevision)
                {
                    return new StoreWrite(false, feed.Revision, existing);
                }

                var change = StoreChange.Of(feed.Revision + 1, key, value, existing);
                Remember(change);
                feed.Publish([change]);
                return new StoreWrite(true, change.Revision, null);
            },
            stopping);
    }

    private void Remember(StoreEvent change)
    {
        var key = change.Item.Key;
        if (!versions.TryGetValue(key, out var history))
        {
            versions[key] = history = [];
            keys.Add(key);
        }

        history.Add(new Version(change.Revision, change.Kind == StoreEventKind.Deleted ? null : change.Item));
        log.Add(change);
    }

    private StoreItem? At(string key, long revision) =>
        versions.TryGetValue(key, out var history) ? history.FindLast(version => version.Revision <= revision)?.Item : null;

    private StoreList List(StoreListQuery query)
    {
        var revision = query.Revision == 0 ? feed.Revision : query.Revision;
        StoreChange.CheckReadable(revision, feed.CompactedRevision, feed.Revision);
        var all = keys.GetViewBetween(query.Prefix, StoreLimits.EndOfPrefix(query.Prefix))
            .Where(key => key.StartsWith(query.Prefix, StringComparison.Ordinal) && string.CompareOrdinal(key, query.After) > 0)
            .Select(key => At(key, revision))
            .OfType<StoreItem>()
            .ToList();
        var page = query.Limit == 0 ? all : all.GetRange(0, Math.Min(query.Limit, all.Count));
        var remaining = all.Count - page.Count;
        return new StoreList(revision, page, query.CountsRemaining ? remaining : Math.Min(remaining, 1));
    }

    private bool Compact(long revision)
    {
        if (revision > feed.Revision)
        {
            throw new StoreFutureRevisionException(revision, feed.Revision);
        }

        feed.Compact(revision);
        log.RemoveAll(change => change.Revision <= revision);
        foreach (var (key, history) in versions.ToList())
        {
            var newest = history.FindLastIndex(version => version.Revision <= revision);
            history.RemoveRange(0, newest < 0 ? 0 : newest + (history[newest].Item is null ? 1 : 0));
            if (history.Count == 0)
            {
                versions.Remove(key);
                keys.Remove(key);
            }
        }

        return true;
    }

    private ValueTask<StoreEventBatch> ReadLog(string prefix, long afterRevision, CancellationToken stopping) => Locked(
        () =>
        {
            if (afterRevision < feed.CompactedRevision)
            {
                throw new StoreCompactedException(afterRevision, feed.CompactedRevision);
            }

            var first = log.Count == 0 ? 0 : (int)Math.Max(0, afterRevision + 1 - log[0].Revision);
            var read = log.Skip(first).Take(limits.BatchEventsMax).ToList();
            var matching = read.Where(change => change.Item.Key.StartsWith(prefix, StringComparison.Ordinal)).ToList();
            return new StoreEventBatch(read.Count == 0 ? feed.Revision : read[^1].Revision, matching);
        },
        stopping);

    private sealed record Version(long Revision, StoreItem? Item);
}
