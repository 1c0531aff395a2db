using System.Collections.Concurrent;
using System.Globalization;
using Xunit;

namespace Godwit.Store.Conformance;

/// <summary><b>Atomic</b>: of two writers with the same expectation one wins, and the other learns what is there.</summary>
public abstract class AtomicConformance<TFixture> : StoreConformance<TFixture>
    where TFixture : StoreFixture, new()
{
    /// <summary>The largest value that the store takes.</summary>
    protected virtual int ValueBytesMax => StoreLimits.ValueBytesMax;

    [Fact]
    public async Task An_empty_store_is_at_revision_1_and_each_write_takes_the_next()
    {
        Assert.Equal(1, await Store.GetCurrentRevisionAsync(Stopping));
        Assert.Equal(2, await Create("a", "1"));
        Assert.Equal(3, await Update("a", "2", 2));
        Assert.Equal(4, await Delete("a", 3));
        Assert.Equal(4, await Store.GetCurrentRevisionAsync(Stopping));
    }

    [Fact]
    public async Task A_value_remembers_who_created_and_who_wrote_it()
    {
        var created = await Create("a", "1");
        var updated = await Update("a", "2", created);
        var item = await Store.GetAsync("a", Stopping);
        Assert.Equal((created, updated, "2"), (item!.CreateRevision, item.ModRevision, Text(item)));

        await Delete("a", updated);
        Assert.Null(await Store.GetAsync("a", Stopping));
        var again = await Create("a", "3");
        Assert.Equal(again, (await Store.GetAsync("a", Stopping))!.CreateRevision);
    }

    [Fact]
    public async Task A_write_whose_expectation_does_not_hold_changes_nothing_and_says_what_is_there()
    {
        var created = await Create("a", "1");
        var attempts = new[]
        {
            await Store.CreateAsync("a", Bytes("x"), Stopping),
            await Store.UpdateAsync("a", Bytes("x"), created + 1, Stopping),
            await Store.DeleteAsync("a", created + 1, Stopping),
        };
        Assert.All(attempts, write => Assert.Equal((false, created, "1"), (write.Succeeded, write.Revision, Text(write.Existing))));

        var missing = new[] { await Store.UpdateAsync("b", Bytes("x"), 1, Stopping), await Store.DeleteAsync("b", 1, Stopping) };
        Assert.All(missing, write => Assert.Equal((false, null), (write.Succeeded, write.Existing)));
        Assert.Equal(created, await Store.GetCurrentRevisionAsync(Stopping));
    }

    [Fact]
    public async Task Many_creators_of_one_key_have_one_winner()
    {
        var writes = await Task.WhenAll(Enumerable.Range(0, 32).Select(i => Task.Run(() =>
            Store.CreateAsync("a", Bytes(i.ToString(CultureInfo.InvariantCulture)), Stopping).AsTask())));
        Promise.Check(Promise.Atomic, writes.Count(write => write.Succeeded) == 1, $"{writes.Count(write => write.Succeeded)} creators of one key won.");
        Assert.Equal(2, await Store.GetCurrentRevisionAsync(Stopping));
    }

    [Fact]
    public async Task Counters_incremented_by_many_writers_lose_no_increment_and_the_watch_tells_each()
    {
        const int Writers = 8, IncrementsEach = 25;
        string[] keys = ["counters/a", "counters/b", "counters/c"];
        var acknowledged = new ConcurrentDictionary<long, string>();
        foreach (var key in keys)
        {
            acknowledged[await Create(key, "0")] = key;
        }

        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < IncrementsEach; i++)
            {
                var key = keys[(writer + i) % keys.Length];
                acknowledged[await IncrementAsync(key)] = key;
            }
        })));

        var total = 0;
        foreach (var key in keys)
        {
            total += int.Parse(Text(await Store.GetAsync(key, Stopping)), CultureInfo.InvariantCulture);
        }

        Promise.Check(Promise.Atomic, total == Writers * IncrementsEach, $"the counters stand at {total} after {Writers * IncrementsEach} increments.");
        WatchCheck.History(await Watched("counters/", 1, await Store.GetCurrentRevisionAsync(Stopping)), acknowledged);
    }

    [Fact]
    public async Task Keys_and_values_beyond_their_limits_are_refused_and_the_store_goes_on()
    {
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await Create("", "x"));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await Create("with space", "x"));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await Create("ümlaut", "x"));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await Create(new string('k', StoreLimits.KeyLengthMax + 1), "x"));
        await Assert.ThrowsAsync<StoreValueTooLargeException>(async () => await Store.CreateAsync("a", new byte[ValueBytesMax + 1], Stopping));

        var longest = new string('k', StoreLimits.KeyLengthMax);
        Assert.True((await Store.CreateAsync(longest, new byte[ValueBytesMax], Stopping)).Succeeded);
        Assert.Equal(ValueBytesMax, (await Store.GetAsync(longest, Stopping))!.Value.Length);
    }

    [Fact]
    public async Task A_value_belongs_to_the_store_not_to_the_callers_buffer()
    {
        var buffer = "before"u8.ToArray();
        await Store.CreateAsync("a", buffer, Stopping);
        buffer.AsSpan().Fill((byte)'x');
        Assert.Equal("before", Text(await Store.GetAsync("a", Stopping)));
        Assert.Equal("before", Text((await Watched("", 1, 2))[0].Item));
    }

    private async Task<long> IncrementAsync(string key)
    {
        while (true)
        {
            var item = await Store.GetAsync(key, Stopping);
            var next = int.Parse(Text(item), CultureInfo.InvariantCulture) + 1;
            var write = await Store.UpdateAsync(key, Bytes(next.ToString(CultureInfo.InvariantCulture)), item!.ModRevision, Stopping);
            if (write.Succeeded)
            {
                return write.Revision;
            }
        }
    }
}
