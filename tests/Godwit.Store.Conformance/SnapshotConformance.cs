using Xunit;

namespace Godwit.Store.Conformance;

/// <summary><b>Snapshot</b>: the items of a list are those of one revision, its pages too.</summary>
public abstract class SnapshotConformance<TFixture> : StoreConformance<TFixture>
    where TFixture : StoreFixture, new()
{
    [Fact]
    public async Task A_list_holds_the_prefix_in_key_order()
    {
        foreach (var key in (string[])["b/2", "a/9", "b/1", "b/", "b0", "c", "b/1/x", "b"])
        {
            await Create(key, key);
        }

        var list = await Store.ListAsync(new StoreListQuery("b/"), Stopping);
        Assert.Equal(["b/", "b/1", "b/1/x", "b/2"], list.Items.Select(item => item.Key));
        Assert.Equal((9L, 0L), (list.Revision, list.RemainingCount));
        Assert.Equal(8, (await Store.ListAsync(new StoreListQuery(""), Stopping)).Items.Count);
        Assert.Empty((await Store.ListAsync(new StoreListQuery("d"), Stopping)).Items);
    }

    [Fact]
    public async Task A_list_at_each_past_revision_shows_the_store_as_it_was()
    {
        var a = await Create("a", "1");
        var b = await Create("b", "1");
        var a2 = await Update("a", "2", a);
        var deleted = await Delete("b", b);
        var b2 = await Create("b", "2");
        Assert.Equal("", await Shown(1));
        Assert.Equal("a=1", await Shown(a));
        Assert.Equal("a=1 b=1", await Shown(b));
        Assert.Equal("a=2 b=1", await Shown(a2));
        Assert.Equal("a=2", await Shown(deleted));
        Assert.Equal("a=2 b=2", await Shown(b2));
        Assert.Equal("a=2 b=2", await Shown(0));
        await Assert.ThrowsAsync<StoreFutureRevisionException>(() => Shown(b2 + 1));
    }

    [Fact]
    public async Task Pages_of_one_list_are_of_one_revision_whatever_is_written_meanwhile()
    {
        var last = 0L;
        for (var i = 0; i < 10; i++)
        {
            last = await Create($"k/{i}", "old");
        }

        var seen = new List<StoreItem>();
        var page = await Store.ListAsync(new StoreListQuery("k/", Limit: 3), Stopping);
        Assert.Equal((last, 7L), (page.Revision, page.RemainingCount));
        seen.AddRange(page.Items);
        var first = (await Store.GetAsync("k/5", Stopping))!.ModRevision;
        await Update("k/5", "new", first);
        await Delete("k/7", (await Store.GetAsync("k/7", Stopping))!.ModRevision);
        await Create("k/55", "new");
        while (page.RemainingCount > 0)
        {
            page = await Store.ListAsync(new StoreListQuery("k/", seen[^1].Key, Limit: 3, page.Revision), Stopping);
            seen.AddRange(page.Items);
        }

        Promise.Check(
            Promise.Snapshot,
            seen.Select(item => item.Key).SequenceEqual(Enumerable.Range(0, 10).Select(i => $"k/{i}")) && seen.All(item => Text(item) == "old"),
            $"the pages showed {string.Join(' ', seen.Select(item => $"{item.Key}={Text(item)}"))}.");
    }

    [Fact]
    public async Task A_page_that_ends_with_the_last_item_says_that_nothing_remains()
    {
        await Create("k/1", "x");
        await Create("k/2", "x");
        await Create("l", "x");
        var page = await Store.ListAsync(new StoreListQuery("k/", Limit: 2), Stopping);
        Assert.Equal((2, 0L), (page.Items.Count, page.RemainingCount));
        Assert.Empty((await Store.ListAsync(new StoreListQuery("k/", "k/2", Limit: 2), Stopping)).Items);
    }

    [Fact]
    public async Task A_page_whose_rest_is_not_counted_says_whether_there_is_any()
    {
        for (var i = 0; i < 5; i++)
        {
            await Create($"k/{i}", "x");
        }

        await Create("l", "x");
        var first = await Store.ListAsync(new StoreListQuery("k/", Limit: 3, CountsRemaining: false), Stopping);
        var second = await Store.ListAsync(new StoreListQuery("k/", "k/2", Limit: 2, first.Revision, CountsRemaining: false), Stopping);
        Assert.Equal((3, 1L), (first.Items.Count, first.RemainingCount));
        Assert.Equal((2, 0L), (second.Items.Count, second.RemainingCount));
        Assert.Equal(0, (await Store.ListAsync(new StoreListQuery("k/", CountsRemaining: false), Stopping)).RemainingCount);
    }

    [Fact]
    public async Task A_list_and_a_watch_from_its_revision_together_miss_nothing()
    {
        var writing = Task.Run(async () =>
        {
            for (var i = 0; i < 100; i++)
            {
                await Create($"k/{i:d3}", "x");
            }
        });
        for (var round = 0; round < 10; round++)
        {
            var list = await Store.ListAsync(new StoreListQuery("k/"), Stopping);
            var keys = list.Items.Select(item => item.Key).Concat((await Watched("k/", list.Revision, 101)).Select(change => change.Item.Key)).ToList();
            Promise.Check(Promise.Snapshot, keys.Count == 100 && keys.Distinct().Count() == 100, $"list and watch together showed {keys.Count} keys of 100.");
        }

        await writing;
    }

    private async Task<string> Shown(long revision)
    {
        var list = await Store.ListAsync(new StoreListQuery("", Revision: revision), Stopping);
        return string.Join(' ', list.Items.Select(item => $"{item.Key}={Text(item)}"));
    }
}
