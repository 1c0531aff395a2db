using System.Collections.Concurrent;
using System.Globalization;
using Xunit;

namespace Godwit.Store.Conformance;

/// <summary><b>Ordered</b>, <b>Reliable</b>, <b>Progress</b>: what a watch is told, in which order, and how far it knows itself to be.</summary>
public abstract class WatchConformance<TFixture> : StoreConformance<TFixture>
    where TFixture : StoreFixture, new()
{
    [Fact]
    public async Task A_watch_tells_each_kind_of_change_with_what_was_there_before()
    {
        var created = await Create("a", "1");
        var updated = await Update("a", "2", created);
        var deleted = await Delete("a", updated);
        var events = await Watched("", 1, deleted);
        Assert.Equal(
            [(StoreEventKind.Created, created, "1", "nothing"), (StoreEventKind.Updated, updated, "2", "1"), (StoreEventKind.Deleted, deleted, "2", "2")],
            events.Select(change => (change.Kind, change.Revision, Text(change.Item), Text(change.Previous))));
        Assert.Equal(updated, events[2].Item.ModRevision);
    }

    [Fact]
    public async Task A_watch_tells_only_of_its_prefix()
    {
        await Create("pods/a", "1");
        await Create("pods2/a", "1");
        await Create("pod", "1");
        var last = await Create("pods/b", "1");
        Assert.Equal(["pods/a", "pods/b"], (await Watched("pods/", 1, last)).Select(change => change.Item.Key));
    }

    [Fact]
    public async Task A_watch_can_be_resumed_at_every_revision()
    {
        var last = 1L;
        for (var i = 0; i < 20; i++)
        {
            last = await Create($"keys/{i:d2}", "x");
        }

        for (var after = 1L; after <= last; after++)
        {
            var revisions = (await Watched("keys/", after, last)).Select(change => change.Revision).ToList();
            var expected = Enumerable.Range(1, (int)(last - after)).Select(i => after + i).ToList();
            Promise.Check(Promise.Reliable, revisions.SequenceEqual(expected), $"a watch after {after} was told {string.Join(' ', revisions)}.");
        }
    }

    [Fact]
    public async Task A_watch_hears_of_writes_that_come_after_it_began()
    {
        var watching = Watched("a/", 1, until: 4);
        await Create("a/1", "x");
        await Create("b/1", "x");
        await Create("a/2", "x");
        Assert.Equal([2L, 4L], (await watching).Select(change => change.Revision));
    }

    [Fact]
    public async Task Many_watches_all_hear_the_same_while_writers_are_at_work()
    {
        const int Writers = 4, WritesEach = 50, Watches = 12;
        const long Last = 1 + (Writers * WritesEach);
        var acknowledged = new ConcurrentDictionary<long, string>();
        var watches = Enumerable.Range(0, Watches).Select(_ => Task.Run(() => Watched("k/", 1, Last))).ToList();
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < WritesEach; i++)
            {
                var key = $"k/{writer}/{i}";
                acknowledged[await Create(key, i.ToString(CultureInfo.InvariantCulture))] = key;
            }
        })));

        foreach (var told in await Task.WhenAll(watches))
        {
            WatchCheck.History(told, acknowledged);
        }
    }

    [Fact]
    public async Task A_watch_on_an_idle_store_is_told_at_once_that_it_is_up_to_date()
    {
        var last = await Create("a", "1");
        await using var batches = Store.WatchAsync("b", last, Stopping).GetAsyncEnumerator(Stopping);
        Promise.Check(Promise.Progress, await batches.MoveNextAsync(), "the watch ended.");
        Assert.Equal(last, batches.Current.Revision);
        Assert.Empty(batches.Current.Events);
    }

    [Fact]
    public async Task A_watch_learns_of_progress_when_only_others_change()
    {
        await using var batches = Store.WatchAsync("mine/", 1, Stopping).GetAsyncEnumerator(Stopping);
        await batches.MoveNextAsync();
        var last = await Create("theirs/a", "1");
        await batches.MoveNextAsync();
        Promise.Check(Promise.Progress, batches.Current.Revision >= last, $"others wrote {last}, the watch knows {batches.Current.Revision}.");
    }

    [Fact]
    public async Task A_watch_from_a_future_revision_waits_for_it()
    {
        var watching = Watched("", after: 3, until: 4);
        await Create("a", "1");
        await Create("b", "1");
        Assert.False(watching.IsCompleted);
        await Create("c", "1");
        Assert.Equal([4L], (await watching).Select(change => change.Revision));
    }

    [Fact]
    public async Task A_cancelled_watch_ends()
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        await using var batches = Store.WatchAsync("", 1, cancel.Token).GetAsyncEnumerator(cancel.Token);
        await batches.MoveNextAsync();
        var next = batches.MoveNextAsync().AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
    }

    [Fact]
    public async Task Closing_the_store_ends_its_watches_and_refuses_new_calls()
    {
        await using var batches = Store.WatchAsync("", 1, Stopping).GetAsyncEnumerator(Stopping);
        await batches.MoveNextAsync();
        var next = batches.MoveNextAsync().AsTask();
        await Store.DisposeAsync();
        Assert.Equal(StoreFault.Closed, (await Assert.ThrowsAsync<StoreUnavailableException>(() => next)).Fault);
        Assert.Equal(StoreFault.Closed, (await Assert.ThrowsAsync<StoreUnavailableException>(() => Create("a", "1"))).Fault);
        Assert.Equal(StoreFault.Closed, (await Assert.ThrowsAsync<StoreUnavailableException>(async () => await Store.GetAsync("a", Stopping))).Fault);
    }
}
