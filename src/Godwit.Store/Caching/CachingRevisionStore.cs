using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Store.Caching;

/// <summary>How a <see cref="CachingRevisionStore"/> caches.</summary>
public sealed record CacheOptions
{
    /// <summary>Lists are answered from memory when their prefix has this many segments that end in a slash.</summary>
    public int GroupSegments { get; init; } = 2;

    /// <summary>A store that holds more than this is not cached: every read goes to it.</summary>
    public long BytesMax { get; init; } = 2L * 1024 * 1024 * 1024;

    /// <summary>False for a store that must ask over a network how far it is: then a single key is asked for just as well.</summary>
    public bool KnowsRevision { get; init; } = true;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public ILogger Logger { get; init; } = NullLogger.Instance;
}

/// <summary>
/// A store with its newest state in memory. It keeps every promise of the store behind it; reads only cost less.
/// <code>
///   writes, watches ───────────────────────────────▶ the store behind ──▶ its log
///                                                                           │ followed, in order
///   reads ──▶ how far is the store? ──▶ image there yet? ── yes ──▶ image ◀─┘
///                                            └ no, not in time, not there ──▶ the store behind
/// </code>
/// What makes it safe is the question before each read: the store behind says how far it is, and the image answers only
/// when it has come that far. So a read sees every write acknowledged before it, whoever made it, and never an older
/// state than one already seen. Whatever goes wrong with following (compaction overtook it, the store fails, it is too
/// large), the image is dropped and reads go to the store, until it has been loaded anew.
/// </summary>
public sealed partial class CachingRevisionStore : IRevisionStore
{
    /// <summary>A list waits this long for the image to catch up before it asks the store itself.</summary>
    private static readonly TimeSpan CatchUpMax = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private const int LoadPageItems = 1000;

    private readonly IRevisionStore behind;
    private readonly CacheOptions options;
    private readonly CancellationTokenSource ending = new();
    private readonly Task following;
    private volatile StoreImage? image;
    private long compacted;

    /// <summary>Begins to load at once. Owns the store behind it.</summary>
    public CachingRevisionStore(IRevisionStore behind, CacheOptions options)
    {
        this.behind = behind;
        this.options = options;
        following = Task.Run(FollowAsync);
    }

    /// <summary>True when reads are answered from memory.</summary>
    public bool IsLoaded => image is not null;

    public ValueTask<long> GetCurrentRevisionAsync(CancellationToken stopping) => behind.GetCurrentRevisionAsync(stopping);

    public async ValueTask<StoreItem?> GetAsync(string key, CancellationToken stopping)
    {
        StoreLimits.CheckKey(key);
        if (options.KnowsRevision && image is { } now && now.Revision >= await behind.GetCurrentRevisionAsync(stopping))
        {
            return now.Find(key);
        }

        return await behind.GetAsync(key, stopping);
    }

    public async ValueTask<StoreList> ListAsync(StoreListQuery query, CancellationToken stopping)
    {
        StoreLimits.CheckQuery(query);
        return await FromImageAsync(query, stopping) ?? await behind.ListAsync(query, stopping);
    }

    public ValueTask<StoreWrite> CreateAsync(string key, ReadOnlyMemory<byte> value, CancellationToken stopping) =>
        behind.CreateAsync(key, value, stopping);

    public ValueTask<StoreWrite> UpdateAsync(string key, ReadOnlyMemory<byte> value, long expectedRevision, CancellationToken stopping) =>
        behind.UpdateAsync(key, value, expectedRevision, stopping);

    public ValueTask<StoreWrite> DeleteAsync(string key, long expectedRevision, CancellationToken stopping) =>
        behind.DeleteAsync(key, expectedRevision, stopping);

    public IAsyncEnumerable<StoreEventBatch> WatchAsync(string prefix, long afterRevision, CancellationToken stopping) =>
        behind.WatchAsync(prefix, afterRevision, stopping);

    public async ValueTask CompactAsync(long revision, CancellationToken stopping)
    {
        await behind.CompactAsync(revision, stopping);
        InterlockedMax(ref compacted, revision);
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await following;
        image = null;
        await behind.DisposeAsync();
    }

    private static void InterlockedMax(ref long target, long value)
    {
        for (var seen = Volatile.Read(ref target); seen < value;)
        {
            var found = Interlocked.CompareExchange(ref target, value, seen);
            seen = found == seen ? value : found;
        }
    }

    /// <summary>The answer from memory, or null when memory cannot give it.</summary>
    private async ValueTask<StoreList?> FromImageAsync(StoreListQuery query, CancellationToken stopping)
    {
        if (image is not { } now || !now.Holds(query.Prefix) || (query.Revision > 0 && query.Revision < Volatile.Read(ref compacted)))
        {
            return null;
        }

        if (query.Revision == 0 && !await HasReachedAsync(now, await behind.GetCurrentRevisionAsync(stopping), stopping))
        {
            return null;
        }

        var revision = now.Revision; // Before the group and its state: see StoreImage.
        var group = now.GroupUnder(query.Prefix);
        if (query.Revision > 0)
        {
            return revision >= query.Revision && group.At(query.Revision) is { } then ? Answer(query, group, then, query.Revision) : null;
        }

        var state = group.Current;
        return Answer(query, group, state.Items, Math.Max(revision, state.ChangedAt));
    }

    private StoreList Answer(StoreListQuery query, CachedGroup group, ItemTree items, long revision)
    {
        var all = items.Under(query.Prefix, query.After);
        var page = query.Limit == 0 ? all : all.Take(query.Limit);
        var remaining = all.Count - page.Count;
        if (remaining > 0)
        {
            group.Keep(revision, items, options.Time);
        }

        return new StoreList(revision, page, query.CountsRemaining ? remaining : Math.Min(remaining, 1));
    }

    private async ValueTask<bool> HasReachedAsync(StoreImage now, long revision, CancellationToken stopping)
    {
        if (now.Revision >= revision)
        {
            return true;
        }

        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var tooLate = Task.Delay(CatchUpMax, options.Time, bound.Token);
        while (now.Revision < revision && now == image && !tooLate.IsCompleted)
        {
            await Task.WhenAny(now.ReachedAsync(revision), tooLate);
        }

        await bound.CancelAsync();
        stopping.ThrowIfCancellationRequested();
        return now.Revision >= revision;
    }

    private async Task FollowAsync()
    {
        while (!ending.IsCancellationRequested)
        {
            try
            {
                var loading = await LoadAsync(ending.Token);
                image = loading;
                await foreach (var batch in behind.WatchAsync("", loading.Revision, ending.Token))
                {
                    loading.Apply(batch);
                    CheckSize(loading.Bytes);
                }
            }
            catch (OperationCanceledException) when (ending.IsCancellationRequested)
            {
                return;
            }
            catch (CacheFullException error)
            {
                image = null;
                Log.TooLarge(options.Logger, error.Bytes);
                return;
            }
            catch (Exception error)
            {
                image = null;
                Log.Dropped(options.Logger, error);
                await Task.Delay(RetryDelay, options.Time, ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task<StoreImage> LoadAsync(CancellationToken stopping)
    {
        var items = new List<StoreItem>();
        var (query, bytes) = (new StoreListQuery("", Limit: LoadPageItems, CountsRemaining: false), 0L);
        while (true)
        {
            var page = await behind.ListAsync(query, stopping);
            items.AddRange(page.Items);
            bytes += page.Items.Sum(item => (long)item.Value.Length);
            CheckSize(bytes);
            if (page.RemainingCount == 0)
            {
                var loaded = new StoreImage(options.GroupSegments, options.Time);
                loaded.Load(items, page.Revision);
                Log.Loaded(options.Logger, items.Count, page.Revision);
                return loaded;
            }

            query = query with { After = page.Items[^1].Key, Revision = page.Revision };
        }
    }

    private void CheckSize(long bytes)
    {
        if (bytes > options.BytesMax)
        {
            throw new CacheFullException(bytes);
        }
    }

    private sealed class CacheFullException(long bytes) : Exception
    {
        public long Bytes { get; } = bytes;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2200, Level = LogLevel.Debug, Message = "The store's {Items} items at revision {Revision} are in memory")]
        public static partial void Loaded(ILogger logger, int items, long revision);

        [LoggerMessage(EventId = 2201, Level = LogLevel.Warning, Message = "The store's image in memory was dropped and is loaded anew; until then reads go to the store")]
        public static partial void Dropped(ILogger logger, Exception error);

        [LoggerMessage(EventId = 2202, Level = LogLevel.Warning, Message = "The store holds {Bytes} bytes, more than are kept in memory: from now on reads go to the store")]
        public static partial void TooLarge(ILogger logger, long bytes);
    }
}
