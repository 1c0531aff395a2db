using Xunit;

namespace Godwit.Store.Conformance;

/// <summary><b>Durable</b>: what was acknowledged is there when the store is opened again, history included. (Death without warning has its own test.)</summary>
public abstract class DurableConformance<TFixture> : StoreConformance<TFixture>
    where TFixture : StoreFixture, new()
{
    [Fact]
    public async Task Values_revisions_and_history_are_there_after_reopening()
    {
        var a = await Create("a", "1");
        var b = await Create("b", "1");
        var a2 = await Update("a", "2", a);
        var deleted = await Delete("b", b);
        await ReopenAsync();
        Promise.Check(Promise.Durable, await Store.GetCurrentRevisionAsync(Stopping) == deleted, "the revision is not that of the last write.");
        var item = await Store.GetAsync("a", Stopping);
        Assert.Equal((a, a2, "2"), (item!.CreateRevision, item.ModRevision, Text(item)));
        Assert.Equal([a, b, a2, deleted], (await Watched("", 1, deleted)).Select(change => change.Revision));
        Assert.Equal(deleted + 1, await Create("b", "2"));
    }

    [Fact]
    public async Task Compaction_is_remembered_after_reopening_and_revisions_never_go_back()
    {
        var a = await Create("a", "1");
        var deleted = await Delete("a", a);
        await Store.CompactAsync(deleted, Stopping);
        await ReopenAsync();
        Promise.Check(Promise.Durable, await Store.GetCurrentRevisionAsync(Stopping) == deleted, "compaction took the revision back.");
        await Assert.ThrowsAsync<StoreCompactedException>(() => Watched("", a, deleted));
        Assert.Equal(deleted + 1, await Create("a", "2"));
    }

    [Fact]
    public async Task Writes_under_way_when_the_store_closes_are_either_acknowledged_and_there_or_refused()
    {
        var writes = Enumerable.Range(0, 200).Select(i => Task.Run(async () => (i, write: await Store.CreateAsync($"k/{i}", Bytes("x"), Stopping)))).ToList();
        await Task.WhenAny(writes);
        await ReopenAsync();
        foreach (var writing in writes)
        {
            try
            {
                var (i, write) = await writing;
                var item = await Store.GetAsync($"k/{i}", Stopping);
                Promise.Check(Promise.Durable, item?.ModRevision == write.Revision, $"k/{i} was acknowledged at {write.Revision} and is gone.");
            }
            catch (StoreUnavailableException refusal)
            {
                Assert.Equal(StoreFault.Closed, refusal.Fault);
            }
        }
    }
}
