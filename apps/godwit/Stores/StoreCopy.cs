using Godwit.App.Clusters;
using Godwit.Store;

namespace Godwit.App.Stores;

/// <summary>What was copied: all of it was compared afterwards.</summary>
internal sealed record StoreCopySummary(long Revision, long Items, long Bytes);

/// <summary>
/// Copies the newest state of a store to another one, then reads both and compares. History is not copied: the target's
/// revisions are its own.
/// </summary>
internal sealed class StoreCopy(IRevisionStore source, IRevisionStore target, Action<long> progress, TimeProvider time)
{
    private const int PageItems = 500;
    private const int WritersMax = 16;
    private const int AttemptsMax = 5;

    private static readonly TimeSpan ProgressPeriod = TimeSpan.FromSeconds(1);

    /// <param name="replaces">Whether the target may hold objects already.</param>
    /// <param name="targetName">For messages.</param>
    /// <param name="stopping">Leaves a part of it copied.</param>
    /// <exception cref="ClusterException">The target holds objects, does not take one, or is not the same in the end.</exception>
    public async Task<StoreCopySummary> RunAsync(bool replaces, string targetName, CancellationToken stopping)
    {
        var there = await target.ListAsync(new StoreListQuery("", Limit: 1), stopping);
        if (there.Items.Count > 0 && !replaces)
        {
            throw new ClusterException($"{targetName} holds {there.Items.Count + there.RemainingCount} objects of Godwit already: choose an empty one, or another prefix after its members, or say --force to replace what the file has too");
        }

        var (copied, toldAt) = (0L, time.GetTimestamp());
        await foreach (var page in PagesAsync(source, stopping))
        {
            await Parallel.ForEachAsync(page, new ParallelOptions { MaxDegreeOfParallelism = WritersMax, CancellationToken = stopping }, (item, each) => PutAsync(item, targetName, each));
            copied += page.Count;
            if (time.GetElapsedTime(toldAt) >= ProgressPeriod)
            {
                progress(copied);
                toldAt = time.GetTimestamp();
            }
        }

        return await CompareAsync(targetName, replaces, stopping);
    }

    private static async IAsyncEnumerable<IReadOnlyList<StoreItem>> PagesAsync(IRevisionStore store, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stopping)
    {
        var query = new StoreListQuery("", Limit: PageItems, CountsRemaining: false);
        while (true)
        {
            var page = await store.ListAsync(query, stopping);
            if (page.Items.Count > 0)
            {
                yield return page.Items;
            }

            if (page.RemainingCount == 0)
            {
                yield break;
            }

            query = query with { After = page.Items[^1].Key, Revision = page.Revision };
        }
    }

    /// <summary>Makes the target's object the source's. A write whose answer was lost shows itself by what is there.</summary>
    private async ValueTask PutAsync(StoreItem item, string targetName, CancellationToken stopping)
    {
        Exception? last = null;
        for (var attempt = 1; attempt <= AttemptsMax; attempt++)
        {
            try
            {
                var there = await target.GetAsync(item.Key, stopping);
                if (there is not null && there.Value.Span.SequenceEqual(item.Value.Span))
                {
                    return;
                }

                var write = there is null ? await target.CreateAsync(item.Key, item.Value, stopping) : await target.UpdateAsync(item.Key, item.Value, there.ModRevision, stopping);
                if (write.Succeeded)
                {
                    return;
                }
            }
            catch (StoreUnavailableException error) when (error.MayHaveHappened)
            {
                last = error;
            }
            catch (StoreValueTooLargeException error)
            {
                throw new ClusterException($"{targetName} cannot take {item.Key}. Make the object smaller (a ConfigMap or Secret can be split), and copy again with --force", error);
            }
        }

        var message = $"{targetName} did not take {item.Key} in {AttemptsMax} attempts: does something else write there?";
        throw last is null ? new ClusterException(message) : new ClusterException(message, last);
    }

    private async Task<StoreCopySummary> CompareAsync(string targetName, bool replaces, CancellationToken stopping)
    {
        var (items, bytes) = (0L, 0L);
        await foreach (var page in PagesAsync(source, stopping))
        {
            foreach (var item in page)
            {
                (items, bytes) = (items + 1, bytes + item.Value.Length);
            }
        }

        var (same, others) = (0L, 0L);
        await foreach (var page in PagesAsync(target, stopping))
        {
            foreach (var item in page)
            {
                var original = await source.GetAsync(item.Key, stopping);
                var isSame = original is not null && original.Value.Span.SequenceEqual(item.Value.Span);
                (same, others) = isSame ? (same + 1, others) : (same, others + 1);
            }
        }

        return same == items && (others == 0 || replaces)
            ? new StoreCopySummary(await target.GetCurrentRevisionAsync(stopping), items, bytes)
            : throw new ClusterException($"The copy in {targetName} is not whole: of {items} objects {same} are there and the same, and {others} are others. Does a server run on it? Stop it, and copy again with --force");
    }
}
