using Grpc.Core;
using Godwit.Store.Etcd.Wire;
using Microsoft.Extensions.Logging;

namespace Godwit.Store.Etcd;

/// <summary>
/// The store in an etcd (3.4 or later), which several servers share: etcd's revisions are the store's. Reads and writes go to
/// etcd (<see cref="EtcdReader"/>, <see cref="EtcdWriter"/>); watches are fed from memory (<see cref="EventFeed"/>), which one
/// watch of etcd fills (<see cref="EtcdFollower"/>), and from etcd's history where memory no longer reaches.
/// <para>
/// What others write to the same etcd takes revisions too: then ours have gaps, and that is all.
/// </para>
/// </summary>
public sealed partial class EtcdRevisionStore : IRevisionStore
{
    /// <summary>Removing what compaction leaves over takes etcd a while on a large store.</summary>
    private static readonly TimeSpan CompactMax = TimeSpan.FromSeconds(60);

    private readonly EtcdStoreOptions options;
    private readonly EtcdMembers members;
    private readonly EtcdLog log;
    private readonly EtcdReader reader;
    private readonly EtcdWriter writer;
    private readonly EventFeed feed;
    private readonly Task following;
    private int disposed;

    private EtcdRevisionStore(EtcdStoreOptions options, EtcdMembers members, EtcdReader reader, EtcdLog log, long revision)
    {
        this.options = options;
        this.members = members;
        this.reader = reader;
        this.log = log;
        writer = new EtcdWriter(members, new EtcdKeys(options.Address.Prefix), reader, log, options);

        // It begins in the past, as far as memory reaches: clients of another server come with revisions from there.
        feed = new EventFeed(options.Address.ToString(), Math.Max(1, revision - options.FeedLimits.EventsMax), compacted: 0, options.FeedLimits);
        following = Task.Run(new EtcdFollower(members, log, feed, options).RunAsync);
    }

    /// <summary>Connects, and makes sure that most members are there.</summary>
    /// <exception cref="StoreUnavailableException">It cannot be used; the message says why and what to do.</exception>
    public static async Task<EtcdRevisionStore> OpenAsync(EtcdStoreOptions options, CancellationToken stopping)
    {
        var connections = new EtcdMembers(options);
        try
        {
            var keys = new EtcdKeys(options.Address.Prefix);
            var history = new EtcdLog(connections, keys);
            var reads = new EtcdReader(connections, keys, history, options);
            var revision = await reads.CurrentAsync(stopping);
            Log.Opened(options.Logger, options.Address.ToString(), revision);
            return new EtcdRevisionStore(options, connections, reads, history, revision);
        }
        catch
        {
            connections.Dispose();
            throw;
        }
    }

    public async ValueTask<long> GetCurrentRevisionAsync(CancellationToken stopping)
    {
        ThrowIfClosed();
        return await reader.CurrentAsync(stopping);
    }

    public async ValueTask<StoreItem?> GetAsync(string key, CancellationToken stopping)
    {
        StoreLimits.CheckKey(key);
        ThrowIfClosed();
        var (found, _) = await reader.FindAsync(key, stopping);
        return found is null ? null : new StoreItem(key, StoredValue.Content(found.Value), found.CreateRevision, found.ModRevision);
    }

    public async ValueTask<StoreList> ListAsync(StoreListQuery query, CancellationToken stopping)
    {
        StoreLimits.CheckQuery(query);
        ThrowIfClosed();
        return await reader.ListAsync(query, stopping);
    }

    public ValueTask<StoreWrite> CreateAsync(string key, ReadOnlyMemory<byte> value, CancellationToken stopping) =>
        WriteAsync(key, value, expected: 0, stopping);

    public ValueTask<StoreWrite> UpdateAsync(string key, ReadOnlyMemory<byte> value, long expectedRevision, CancellationToken stopping)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(expectedRevision);
        return WriteAsync(key, value, expectedRevision, stopping);
    }

    public ValueTask<StoreWrite> DeleteAsync(string key, long expectedRevision, CancellationToken stopping)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(expectedRevision);
        return WriteAsync(key, value: null, expectedRevision, stopping);
    }

    public IAsyncEnumerable<StoreEventBatch> WatchAsync(string prefix, long afterRevision, CancellationToken stopping)
    {
        StoreLimits.CheckPrefix(prefix);
        ArgumentOutOfRangeException.ThrowIfNegative(afterRevision);
        return feed.WatchAsync(prefix, afterRevision, ReadLogAsync, stopping);
    }

    public async ValueTask CompactAsync(long revision, CancellationToken stopping)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(revision);
        ThrowIfClosed();
        if (revision > 0)
        {
            try
            {
                var request = new CompactionRequest { Revision = revision, Physical = true };
                await members.AskAsync("compact", (member, call) => member.Keys.CompactAsync(request, call), CompactMax, stopping);
            }
            catch (RpcException error) when (EtcdFaults.IsCompacted(error))
            {
                return; // To this revision or a later one, perhaps by another server.
            }
            catch (RpcException error) when (EtcdFaults.IsFuture(error))
            {
                throw new StoreFutureRevisionException(revision, await reader.CurrentAsync(stopping));
            }
        }

        feed.Compact(revision);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        feed.Close();
        members.Close();
        await following;
        members.Dispose();
    }

    private async ValueTask<StoreWrite> WriteAsync(string key, ReadOnlyMemory<byte>? value, long expected, CancellationToken stopping)
    {
        StoreLimits.CheckKey(key);
        StoreLimits.CheckValue(value ?? default, EtcdStoreOptions.ValueBytesMax);
        ThrowIfClosed();
        return await writer.WriteAsync(key, value, expected, feed.Revision, stopping);
    }

    /// <summary>The log after a revision that memory has forgotten: whatever one read of it brings.</summary>
    private async ValueTask<StoreEventBatch> ReadLogAsync(string prefix, long afterRevision, CancellationToken stopping)
    {
        var started = options.Time.GetTimestamp();
        while (true)
        {
            var member = members.Current;
            using var late = new CancellationTokenSource(options.CallMax, options.Time);
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
            try
            {
                await foreach (var stretch in log.ReadAsync(member, afterRevision, bound.Token))
                {
                    return stretch.Revision > afterRevision
                        ? new StoreEventBatch(stretch.Revision, [.. stretch.Events.Where(change => change.Item.Key.StartsWith(prefix, StringComparison.Ordinal))])
                        : throw new StoreCompactedException(afterRevision, stretch.BrokenAt);
                }
            }
            catch (Exception error) when (error is RpcException or OperationCanceledException)
            {
                stopping.ThrowIfCancellationRequested();
                ThrowIfClosed();
                members.MoveOn(member);
                if (options.Time.GetElapsedTime(started) > options.AttemptsMax)
                {
                    throw new StoreUnavailableException(StoreFault.Unreachable, $"Cannot read the history of {options.Address} after revision {afterRevision}: no member tells it in time. Check that most of them run", error);
                }
            }
        }
    }

    private void ThrowIfClosed()
    {
        if (Volatile.Read(ref disposed) != 0)
        {
            throw StoreUnavailableException.ForClosed(options.Address.ToString());
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2320, Level = LogLevel.Information, Message = "Opened {Address} at revision {Revision}")]
        public static partial void Opened(ILogger logger, string address, long revision);
    }
}
