using CsCheck;
using Godwit.Base;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Client.Tests;

public sealed class WorkQueueTests
{
    private static readonly Backoff Backoff = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60));

    private readonly FakeTimeProvider clock = new();

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_waits_only_once()
    {
        using var queue = NewQueue();
        queue.Add("a");
        queue.Add("a");

        Assert.Equal("a", await queue.TakeAsync(Stopping));
        Assert.Equal(0, queue.WaitingCount);
    }

    [Fact]
    public async Task A_key_added_while_in_hand_comes_back_after_it_is_done_and_not_before()
    {
        using var queue = NewQueue();
        queue.Add("a");
        await queue.TakeAsync(Stopping);

        queue.Add("a");
        Assert.Equal(0, queue.WaitingCount);
        queue.Done("a");

        Assert.Equal("a", await queue.TakeAsync(Stopping));
        queue.Done("a");
        Assert.Equal(0, queue.WaitingCount);
    }

    [Fact]
    public void Retries_of_one_key_wait_longer_each_time_until_it_is_forgotten()
    {
        using var queue = NewQueue();

        Assert.Equal([1, 2, 4], Enumerable.Range(0, 3).Select(_ => queue.Retry("a").TotalSeconds));
        Assert.Equal(1, queue.Retry("b").TotalSeconds);
        queue.Forget("a");
        Assert.Equal(1, queue.Retry("a").TotalSeconds);
    }

    [Fact]
    public void A_delayed_key_comes_when_its_time_has_come_and_the_earliest_wish_counts()
    {
        using var queue = NewQueue();
        queue.AddAfter("a", TimeSpan.FromSeconds(10));
        queue.AddAfter("a", TimeSpan.FromSeconds(3));
        queue.AddAfter("a", TimeSpan.FromSeconds(20));

        clock.Advance(TimeSpan.FromSeconds(2.9));
        Assert.Equal(0, queue.WaitingCount);
        clock.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal(1, queue.WaitingCount);
        clock.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(1, queue.WaitingCount);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public void An_earlier_wish_counts_whatever_the_time_of_day_was_set_to_meanwhile(int hours)
    {
        var settable = new SettableClock();
        using var queue = new WorkQueue<string>(settable, Backoff, chance: () => 0);
        queue.AddAfter("a", TimeSpan.FromMinutes(10));
        queue.AddAfter("b", TimeSpan.FromSeconds(3));
        settable.Ahead = TimeSpan.FromHours(hours);
        queue.AddAfter("a", TimeSpan.FromSeconds(3));
        queue.AddAfter("b", TimeSpan.FromMinutes(10));

        settable.Advance(TimeSpan.FromSeconds(3));

        Assert.Equal(2, queue.WaitingCount);
    }

    [Fact]
    public void A_full_queue_refuses_new_keys_and_keeps_those_it_has()
    {
        using var queue = new WorkQueue<string>(clock, Backoff, capacityKeys: 2, chance: () => 0);

        Assert.True(queue.Add("a"));
        Assert.True(queue.Add("b"));
        Assert.False(queue.Add("c"));
        Assert.True(queue.Add("a"));
    }

    [Fact]
    public void Whatever_the_order_no_key_is_in_two_hands_and_each_added_key_is_seen_after_its_last_addition()
    {
        // true: add the key. false: a worker finishes what it holds, or takes the next key.
        Gen.Select(Gen.Bool, Gen.Int[0, 3]).List[0, 60].Sample(steps =>
        {
            using var queue = NewQueue();
            var inHand = new HashSet<int>();
            var due = new HashSet<int>();
            foreach (var (isAdd, key) in steps)
            {
                if (isAdd)
                {
                    queue.Add($"{key}");
                    due.Add(key);
                }
                else if (inHand.Remove(key))
                {
                    queue.Done($"{key}");
                }
                else if (queue.WaitingCount > 0)
                {
                    var taken = Take(queue);
                    Assert.True(inHand.Add(taken), $"{taken} is in two hands");
                    due.Remove(taken);
                }
            }

            foreach (var key in inHand)
            {
                queue.Done($"{key}");
            }

            var rest = new HashSet<int>();
            while (queue.WaitingCount > 0)
            {
                Assert.True(rest.Add(Take(queue)));
            }

            Assert.Equal(due.Order(), rest.Order());
        });
    }

    private static int Take(WorkQueue<string> queue)
    {
        var taken = queue.TakeAsync(Stopping).AsTask();
        Assert.True(taken.IsCompletedSuccessfully);
        return int.Parse(taken.GetAwaiter().GetResult(), System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>The time of day may be set; time that passes goes on.</summary>
    private sealed class SettableClock : FakeTimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;

        public override long GetTimestamp() => base.GetUtcNow().Ticks;
    }

    private WorkQueue<string> NewQueue() => new(clock, Backoff, chance: () => 0);
}
