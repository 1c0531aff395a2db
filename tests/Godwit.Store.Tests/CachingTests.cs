using Godwit.Store.Caching;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Store.Tests;

/// <summary>What the cache promises beyond the contract: it answers from memory, and falls back rather than answer wrongly.</summary>
public sealed class CachingTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reads_come_from_memory_once_it_is_loaded()
    {
        await using var store = await LoadedAsync(new MemoryRevisionStore());
        await store.CreateAsync("core/pods/a/x", new byte[] { 1 }, Stopping);
        var first = await store.ListAsync(new StoreListQuery("core/pods/"), Stopping);
        var second = await store.ListAsync(new StoreListQuery("core/pods/a/"), Stopping);
        Assert.Same(Assert.Single(first.Items), Assert.Single(second.Items));
        Assert.Same(first.Items[0], await store.GetAsync("core/pods/a/x", Stopping));
    }

    [Fact]
    public async Task A_reader_never_sees_less_than_what_was_acknowledged_while_others_write()
    {
        await using var store = await LoadedAsync(new MemoryRevisionStore());
        await Task.WhenAll(Enumerable.Range(0, 4).Select(writer => Task.Run(
            async () =>
            {
                for (var number = 0; number < 500; number++)
                {
                    var key = $"core/pods/w{writer}/{number}";
                    var written = await store.CreateAsync(key, new byte[] { 1 }, Stopping);
                    var list = await store.ListAsync(new StoreListQuery($"core/pods/w{writer}/"), Stopping);
                    Assert.True(list.Revision >= written.Revision);
                    Assert.Equal(number + 1, list.Items.Count);
                    Assert.NotNull(await store.GetAsync(key, Stopping));
                }
            },
            Stopping)));
    }

    [Fact]
    public async Task Pages_are_those_of_the_first_ones_revision_whatever_is_written_between()
    {
        await using var store = await LoadedAsync(new MemoryRevisionStore());
        for (var number = 0; number < 10; number++)
        {
            await store.CreateAsync($"core/pods/a/{number}", new byte[] { 1 }, Stopping);
        }

        var page = await store.ListAsync(new StoreListQuery("core/pods/", Limit: 4), Stopping);
        Assert.Equal(6, page.RemainingCount);
        await store.DeleteAsync("core/pods/a/5", page.Revision - 4, Stopping);
        await store.CreateAsync("core/pods/a/45", new byte[] { 1 }, Stopping);
        await store.ListAsync(new StoreListQuery("core/pods/"), Stopping); // The image has both.
        var rest = await store.ListAsync(new StoreListQuery("core/pods/", After: page.Items[^1].Key, Revision: page.Revision), Stopping);
        Assert.Equal(["4", "5", "6", "7", "8", "9"], rest.Items.Select(item => item.Key[^1..]));
        Assert.Equal(page.Revision, rest.Revision);
    }

    [Fact]
    public async Task A_store_too_large_for_memory_is_read_where_it_lies()
    {
        await using var store = new CachingRevisionStore(new MemoryRevisionStore(), new CacheOptions { BytesMax = 1000, Time = new FakeTimeProvider() });
        for (var number = 0; number < 10; number++)
        {
            await store.CreateAsync($"core/pods/a/{number}", new byte[200], Stopping);
        }

        await UntilAsync(() => !store.IsLoaded);
        Assert.Equal(10, (await store.ListAsync(new StoreListQuery("core/pods/"), Stopping)).Items.Count);
    }

    private static async Task<CachingRevisionStore> LoadedAsync(IRevisionStore behind)
    {
        var store = new CachingRevisionStore(behind, new CacheOptions());
        await UntilAsync(() => store.IsLoaded);
        return store;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            Stopping.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
