namespace Godwit.Store.Tests;

public sealed class EventFeedTests
{
    private static readonly CancellationToken Bound = new CancellationTokenSource(TimeSpan.FromMinutes(5)).Token;

    [Fact]
    public async Task Memory_is_bounded_by_bytes_and_what_left_it_is_read_from_the_log()
    {
        var feed = new EventFeed("store", 1, 0, new EventFeedLimits(EventsMax: 1000, BytesMax: 10_000));
        for (var revision = 2; revision <= 101; revision++)
        {
            feed.Publish([Event(revision, valueBytes: 1000)]);
        }

        var logReads = new List<long>();
        var told = new List<long>();
        await foreach (var batch in feed.WatchAsync("", 1, Log, Bound))
        {
            told.AddRange(batch.Events.Select(change => change.Revision));
            if (batch.Revision == 101)
            {
                break;
            }
        }

        Assert.Equal(Enumerable.Range(2, 100).Select(i => (long)i), told);
        Assert.InRange(logReads.Count, 88, 99); // Of 100 events of over 1250 bytes, memory kept fewer than nine.

        ValueTask<StoreEventBatch> Log(string prefix, long after, CancellationToken stopping)
        {
            logReads.Add(after);
            return ValueTask.FromResult(new StoreEventBatch(after + 1, [Event(after + 1, 1000)]));
        }
    }

    [Fact]
    public void A_gap_or_a_step_back_in_what_is_published_is_a_defect_and_says_so()
    {
        var feed = new EventFeed("store", 5, 0, EventFeedLimits.Default);
        Assert.Throws<InvalidOperationException>(() => feed.Publish([Event(7, 1)]));
        Assert.Throws<InvalidOperationException>(() => feed.Publish([Event(5, 1)]));
        Assert.Throws<InvalidOperationException>(() => feed.SkipTo(4));
        feed.Publish([Event(6, 1)]);
        Assert.Equal(6, feed.Revision);
    }

    private static StoreEvent Event(long revision, int valueBytes) =>
        StoreChange.Of(revision, "key", new byte[valueBytes], existing: null);
}
