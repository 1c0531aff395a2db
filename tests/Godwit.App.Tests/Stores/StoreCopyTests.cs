using System.Text;
using Godwit.App.Clusters;
using Godwit.App.Stores;
using Godwit.Store;

namespace Godwit.App.Tests.Stores;

public sealed class StoreCopyTests
{
    private const int Items = 1234; // More than a page.

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_object_is_copied_and_compared()
    {
        await using var source = await FilledAsync(Items);
        await using var target = new MemoryRevisionStore();
        var summary = await new StoreCopy(source, target, _ => { }, TimeProvider.System).RunAsync(replaces: false, "the target", Stopping);
        Assert.Equal((Items, await target.GetCurrentRevisionAsync(Stopping)), (summary.Items, summary.Revision));
        Assert.Equal(await PrintAsync(source), await PrintAsync(target));
    }

    [Fact]
    public async Task A_target_that_holds_objects_is_refused_unless_they_may_be_replaced()
    {
        await using var source = await FilledAsync(10);
        await using var target = new MemoryRevisionStore();
        await target.CreateAsync("core/pods/a/3", "other"u8.ToArray(), Stopping);
        await target.CreateAsync("core/pods/b/1", "kept"u8.ToArray(), Stopping);
        var copy = new StoreCopy(source, target, _ => { }, TimeProvider.System);
        var refusal = await Assert.ThrowsAsync<ClusterException>(() => copy.RunAsync(replaces: false, "the target", Stopping));
        Assert.Contains("the target holds 2 objects of Godwit already", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(2, (await target.ListAsync(new StoreListQuery(""), Stopping)).Items.Count);

        Assert.Equal(10, (await copy.RunAsync(replaces: true, "the target", Stopping)).Items);
        Assert.Equal(await PrintAsync(source) + " core/pods/b/1=kept", await PrintAsync(target));
    }

    [Fact]
    public async Task A_copy_that_is_not_the_same_in_the_end_is_no_copy()
    {
        await using var source = await FilledAsync(10);
        await using var target = new DoubtfulStore { Forgets = "core/pods/a/7" };
        var refusal = await Assert.ThrowsAsync<ClusterException>(() => new StoreCopy(source, target, _ => { }, TimeProvider.System).RunAsync(replaces: false, "the target", Stopping));
        Assert.Contains("of 10 objects 9 are there and the same", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_object_too_large_for_the_target_is_named()
    {
        await using var source = await FilledAsync(3);
        await source.CreateAsync("core/secrets/a/large", new byte[DoubtfulStore.BytesMax + 1], Stopping);
        await using var target = new DoubtfulStore();
        var refusal = await Assert.ThrowsAsync<ClusterException>(() => new StoreCopy(source, target, _ => { }, TimeProvider.System).RunAsync(replaces: false, "the target", Stopping));
        Assert.Contains("the target cannot take core/secrets/a/large", refusal.Message, StringComparison.Ordinal);
    }

    private static async Task<MemoryRevisionStore> FilledAsync(int items)
    {
        var store = new MemoryRevisionStore();
        for (var number = 0; number < items; number++)
        {
            await store.CreateAsync($"core/pods/a/{number}", Encoding.ASCII.GetBytes($"value {number}"), Stopping);
        }

        return store;
    }

    private static async Task<string> PrintAsync(MemoryRevisionStore store) =>
        string.Join(' ', (await store.ListAsync(new StoreListQuery(""), Stopping)).Items.Select(item => $"{item.Key}={Encoding.ASCII.GetString(item.Value.Span)}"));

    /// <summary>Takes only small values, and may acknowledge a key without keeping it.</summary>
    private sealed class DoubtfulStore : IRevisionStore
    {
        public const int BytesMax = 100;

        private readonly MemoryRevisionStore behind = new();

        public string? Forgets { get; init; }

        public ValueTask<long> GetCurrentRevisionAsync(CancellationToken stopping) => behind.GetCurrentRevisionAsync(stopping);

        public ValueTask<StoreItem?> GetAsync(string key, CancellationToken stopping) => behind.GetAsync(key, stopping);

        public ValueTask<StoreList> ListAsync(StoreListQuery query, CancellationToken stopping) => behind.ListAsync(query, stopping);

        public ValueTask<StoreWrite> CreateAsync(string key, ReadOnlyMemory<byte> value, CancellationToken stopping)
        {
            StoreLimits.CheckValue(value, BytesMax);
            return key == Forgets ? ValueTask.FromResult(new StoreWrite(true, 1, null)) : behind.CreateAsync(key, value, stopping);
        }

        public ValueTask<StoreWrite> UpdateAsync(string key, ReadOnlyMemory<byte> value, long expectedRevision, CancellationToken stopping) => behind.UpdateAsync(key, value, expectedRevision, stopping);

        public ValueTask<StoreWrite> DeleteAsync(string key, long expectedRevision, CancellationToken stopping) => behind.DeleteAsync(key, expectedRevision, stopping);

        public IAsyncEnumerable<StoreEventBatch> WatchAsync(string prefix, long afterRevision, CancellationToken stopping) => behind.WatchAsync(prefix, afterRevision, stopping);

        public ValueTask CompactAsync(long revision, CancellationToken stopping) => behind.CompactAsync(revision, stopping);

        public ValueTask DisposeAsync() => behind.DisposeAsync();
    }
}
