using Grpc.Core;
using Godwit.Store.Etcd.Wire;

namespace Godwit.Store.Etcd;

/// <summary>Reads that see every write acknowledged before them: each is agreed on by the members (linearizable).</summary>
internal sealed class EtcdReader(EtcdMembers members, EtcdKeys keys, EtcdLog log, EtcdStoreOptions options)
{
    private const int FirstPageItems = 100;
    private const int PageItemsMax = 2000;

    /// <summary>What a page should come to: large enough to be quick, small enough to be held twice.</summary>
    private const long PageBytes = 4 * 1024 * 1024;

    /// <summary>Rounds of a list at "now" that compaction overtakes; it comes every few minutes.</summary>
    private const int RestartsMax = 3;

    public async Task<long> CurrentAsync(CancellationToken stopping)
    {
        var answer = await RangeAsync(new RangeRequest { Key = keys.Of(""), CountOnly = true }, options.ReadMax, stopping);
        return answer.Header.Revision;
    }

    public async Task<(KeyValue? Found, long Revision)> FindAsync(string key, CancellationToken stopping)
    {
        var answer = await RangeAsync(new RangeRequest { Key = keys.Of(key) }, options.ReadMax, stopping);
        return (answer.Kvs.Count == 0 ? null : answer.Kvs[0], answer.Header.Revision);
    }

    public async Task<StoreList> ListAsync(StoreListQuery query, CancellationToken stopping)
    {
        for (var restarts = 0; ; restarts++)
        {
            try
            {
                return await PagesAsync(query, stopping);
            }
            catch (RpcException error) when (EtcdFaults.IsCompacted(error) && query.Revision == 0 && restarts < RestartsMax)
            {
                // The revision that the first page was of is gone: begin again at a newer one.
            }
            catch (RpcException error) when (EtcdFaults.IsCompacted(error))
            {
                throw new StoreCompactedException(query.Revision, await CompactedAsync(query.Revision, stopping));
            }
            catch (RpcException error) when (EtcdFaults.IsFuture(error))
            {
                throw new StoreFutureRevisionException(query.Revision, await CurrentAsync(stopping));
            }
        }
    }

    /// <summary>Where history begins, for a revision that is known to be before that.</summary>
    private async Task<long> CompactedAsync(long revision, CancellationToken stopping)
    {
        using var late = new CancellationTokenSource(options.ReadMax, options.Time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        try
        {
            return Math.Max(revision + 1, await log.FindCompactedAsync(members.Current, revision, bound.Token));
        }
        catch (Exception error) when (error is RpcException or OperationCanceledException)
        {
            stopping.ThrowIfCancellationRequested();
            return revision + 1; // The least that is certain.
        }
    }

    private async Task<StoreList> PagesAsync(StoreListQuery query, CancellationToken stopping)
    {
        var (items, revision) = (new List<StoreItem>(), query.Revision);
        var isContinued = query.After is not null && string.CompareOrdinal(query.After, query.Prefix) >= 0;
        var from = isContinued ? keys.After(query.After!) : keys.Of(query.Prefix);
        long pageItems = FirstPageItems;
        while (true)
        {
            var wanted = query.Limit == 0 ? pageItems : Math.Min(pageItems, query.Limit - items.Count);
            RangeResponse page;
            try
            {
                page = await RangeAsync(new RangeRequest { Key = from, RangeEnd = keys.EndOf(query.Prefix), Limit = wanted, Revision = revision }, options.CallMax, stopping);
            }
            catch (RpcException error) when (EtcdFaults.IsAnswerTooLarge(error) && wanted > 1)
            {
                pageItems = wanted / 2;
                continue;
            }

            revision = revision == 0 ? page.Header.Revision : revision; // All pages are of the first one's.
            items.AddRange(page.Kvs.Select(keys.Item).OfType<StoreItem>());
            if (!page.More || (query.Limit > 0 && items.Count >= query.Limit))
            {
                var remaining = page.More ? page.Count - page.Kvs.Count : 0;
                return new StoreList(revision, items, query.CountsRemaining ? remaining : Math.Min(remaining, 1));
            }

            from = keys.After(items[^1].Key);
            pageItems = Math.Clamp(PageBytes * page.Kvs.Count / Math.Max(1, page.CalculateSize()), 1, PageItemsMax);
        }
    }

    private async Task<RangeResponse> RangeAsync(RangeRequest request, TimeSpan callMax, CancellationToken stopping)
    {
        var answer = await members.AskAsync("read from", (member, call) => member.Keys.RangeAsync(request, call), callMax, stopping);
        members.CheckCluster(answer.Header);
        return answer;
    }
}
