using Xunit;

namespace Godwit.Store.Conformance;

/// <summary><b>Compaction</b>: history ends cleanly; what is alive stays, what is forgotten is refused rather than shown in part.</summary>
public abstract class CompactionConformance<TFixture> : StoreConformance<TFixture>
    where TFixture : StoreFixture, new()
{
    [Fact]
    public async Task Live_values_outlive_compaction_whatever_their_age()
    {
        var a = await Create("a", "1");
        var b = await Create("b", "1");
        var b2 = await Update("b", "2", b);
        await Store.CompactAsync(b2, Stopping);
        var list = await Store.ListAsync(new StoreListQuery(""), Stopping);
        Assert.Equal([a, b2], list.Items.Select(item => item.ModRevision));
        Assert.Equal(b2, list.Revision);
        Assert.Equal("1", Text(await Store.GetAsync("a", Stopping)));
    }

    [Fact]
    public async Task Lists_and_watches_before_the_compacted_revision_are_refused_and_from_it_on_complete()
    {
        var a = await Create("a", "1");
        var a2 = await Update("a", "2", a);
        var b = await Create("b", "1");
        var a3 = await Update("a", "3", a2);
        await Store.CompactAsync(a2, Stopping);

        var refusal = await Assert.ThrowsAsync<StoreCompactedException>(async () => await Store.ListAsync(new StoreListQuery("", Revision: a), Stopping));
        Assert.Equal((a, a2), (refusal.RequestedRevision, refusal.CompactedRevision));
        await Assert.ThrowsAsync<StoreCompactedException>(() => Watched("", a, a3));

        Assert.Equal(["2"], (await Store.ListAsync(new StoreListQuery("", Revision: a2), Stopping)).Items.Select(Text));
        var events = await Watched("", a2, a3);
        Assert.Equal([b, a3], events.Select(change => change.Revision));
        Assert.Equal("2", Text(events[1].Previous));
    }

    [Fact]
    public async Task A_deletion_is_forgotten_and_the_revision_is_not()
    {
        var a = await Create("a", "1");
        var deleted = await Delete("a", a);
        await Store.CompactAsync(deleted, Stopping);
        Assert.Equal(deleted, await Store.GetCurrentRevisionAsync(Stopping));
        Assert.Empty((await Store.ListAsync(new StoreListQuery(""), Stopping)).Items);
        Assert.Empty(await Watched("", deleted, deleted));
        Assert.Equal(deleted + 1, await Create("a", "2"));
    }

    [Fact]
    public async Task Compacting_to_the_future_is_refused_and_compacting_twice_is_nothing()
    {
        var a = await Create("a", "1");
        await Assert.ThrowsAsync<StoreFutureRevisionException>(async () => await Store.CompactAsync(a + 1, Stopping));
        await Store.CompactAsync(a, Stopping);
        await Store.CompactAsync(a, Stopping);
        await Store.CompactAsync(1, Stopping);
        Assert.Equal("1", Text(await Store.GetAsync("a", Stopping)));
    }

    [Fact]
    public async Task Compaction_amid_writers_readers_and_watches_breaks_none_of_them()
    {
        const int Rounds = 150;
        var done = new TaskCompletionSource();
        var watching = Watched("k/", 1, until: 1 + Rounds);
        var compacting = Task.Run(async () =>
        {
            for (var compacted = 1L; !done.Task.IsCompleted;)
            {
                // Behind the watch and the readers, as a compactor is that follows at a distance.
                var target = await Store.GetCurrentRevisionAsync(Stopping) - 20;
                if (target > compacted)
                {
                    await Store.CompactAsync(compacted = target, Stopping);
                }

                await Task.Yield();
            }
        });

        var revision = await Create("k/a", "0");
        for (var i = 1; i < Rounds; i++)
        {
            revision = i % 10 == 9 ? await Delete("k/a", revision) : i % 10 == 0 ? await Create("k/a", "x") : await Update("k/a", "x", revision);
            var shown = await Store.ListAsync(new StoreListQuery("k/", Revision: revision), Stopping);
            Promise.Check(Promise.Snapshot, shown.Items.Count == (i % 10 == 9 ? 0 : 1), $"a list at {revision} shows {shown.Items.Count} items.");
        }

        done.SetResult();
        await compacting;
        try
        {
            Assert.Equal(Rounds, (await watching).Count);
        }
        catch (StoreCompactedException)
        {
            // Told rather than kept waiting: the watch fell further behind than history reaches.
        }
    }
}
