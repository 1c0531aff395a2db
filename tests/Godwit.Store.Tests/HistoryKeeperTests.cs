using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Store.Tests;

public sealed class HistoryKeeperTests
{
    [Fact]
    public async Task History_outlives_the_period_in_which_it_was_written_and_goes_with_a_later_one()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        var time = new FakeTimeProvider();
        await using var store = new MemoryRevisionStore();
        var keeping = new HistoryKeeper(store, TimeSpan.FromMinutes(5), time, NullLogger.Instance).RunAsync(stop.Token);
        var first = (await store.CreateAsync("a", Encoding.UTF8.GetBytes("1"), stop.Token)).Revision;

        // The first period ends: what was there when it began is all that may go.
        time.Advance(TimeSpan.FromMinutes(5));
        await CompactedPast(0);
        Assert.Equal("1", await ShownAt(first));

        var second = (await store.UpdateAsync("a", Encoding.UTF8.GetBytes("2"), first, stop.Token)).Revision;
        while (await ShownAt(first) is not null)
        {
            time.Advance(TimeSpan.FromMinutes(5));
            await Task.Yield();
        }

        Assert.Equal("2", await ShownAt(second));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => keeping);

        async Task CompactedPast(long revision)
        {
            while (true)
            {
                try
                {
                    await foreach (var batch in store.WatchAsync("", revision, stop.Token))
                    {
                        break;
                    }

                    await Task.Yield();
                }
                catch (StoreCompactedException)
                {
                    return;
                }
            }
        }

        async Task<string?> ShownAt(long revision)
        {
            try
            {
                var list = await store.ListAsync(new StoreListQuery("", Revision: revision), stop.Token);
                return Encoding.UTF8.GetString(list.Items[0].Value.Span);
            }
            catch (StoreCompactedException)
            {
                return null;
            }
        }
    }
}
