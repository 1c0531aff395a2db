using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Godwit.Store.Conformance;

namespace Godwit.Store.Tests.Etcd;

/// <summary>
/// Writers that go on whatever happens to the store, each alone with its key, so that each always knows what may be there.
/// Key by key the same circle: create, update, update, delete. What was acknowledged is noted, and what the watch told is
/// held against it.
/// </summary>
internal sealed class UnkilledWriters : IAsyncDisposable
{
    public const int Writers = 8;

    private const int Steps = 4;

    /// <summary>Written for the watch's sake alone: it may end before it is told of it.</summary>
    private const string Waking = "after";

    private readonly IRevisionStore store;
    private readonly CancellationToken bound;
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentDictionary<long, string> acknowledged = new();
    private readonly Task writing;
    private long last; // The revision up to which the watch is to tell; 0 while that is not known.
    private int unknown;

    public UnkilledWriters(IRevisionStore store, CancellationToken bound)
    {
        (this.store, this.bound) = (store, bound);
        writing = Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(() => WriteAsync($"keys/{writer}"))));
    }

    public int Acknowledged => acknowledged.Count;

    /// <summary>Writes of which the store said that it does not know how they ended.</summary>
    public int Unknown => unknown;

    /// <summary>Waits until so many writes were acknowledged.</summary>
    public async Task AcknowledgedAsync(int count)
    {
        await Until.HoldsAsync(() => Acknowledged >= count || writing.IsCompleted, bound);
        if (writing.IsCompleted)
        {
            await writing; // Throws what ended it.
        }
    }

    public async Task StopAsync()
    {
        await stop.CancelAsync();
        await writing;
        Volatile.Write(ref last, await UntilAnsweredAsync(async () => (await store.CreateAsync("last", Encoding.ASCII.GetBytes("x"), bound)).Revision));
        await UntilAnsweredAsync(async () => await store.CreateAsync(Waking, Encoding.ASCII.GetBytes("x"), bound)); // The watch may have been told of the last one before it was known to be that.
    }

    /// <summary>One watch from the beginning to the end, through everything.</summary>
    public async Task<List<StoreEvent>> WatchAsync()
    {
        var (events, seen) = (new List<StoreEvent>(), 1L);
        await foreach (var batch in store.WatchAsync("", 1, bound))
        {
            WatchCheck.Batch("", seen, batch);
            events.AddRange(batch.Events);
            seen = batch.Revision;
            if (Volatile.Read(ref last) is > 0 and var end && seen >= end)
            {
                break;
            }
        }

        return events;
    }

    /// <summary>Everything acknowledged was told, as one history; and what it comes to is what is there.</summary>
    public async Task CheckAsync(List<StoreEvent> told)
    {
        WatchCheck.History(told, told.ToDictionary(change => change.Revision, change => change.Item.Key));
        var byRevision = told.ToDictionary(change => change.Revision, change => change.Item.Key);
        foreach (var (revision, key) in acknowledged)
        {
            Promise.Check(Promise.Durable, byRevision.GetValueOrDefault(revision) == key, $"revision {revision} of '{key}' was acknowledged, and is not in the history.");
        }

        var live = told.GroupBy(change => change.Item.Key)
            .Select(changes => changes.Last())
            .Where(change => change.Kind != StoreEventKind.Deleted && change.Item.Key != Waking)
            .Select(change => change.Item)
            .OrderBy(item => item.Key, StringComparer.Ordinal)
            .ToList();
        var there = (await store.ListAsync(new StoreListQuery(""), bound)).Items.Where(item => item.Key != Waking).ToList();
        Promise.Check(
            Promise.Durable,
            live.Count == there.Count && live.Zip(there).All(pair => WatchCheck.Same(pair.First, pair.Second)),
            $"its history comes to {string.Join(", ", live.Select(item => $"{item.Key}@{item.ModRevision}"))}, and there is {string.Join(", ", there.Select(item => $"{item.Key}@{item.ModRevision}"))}.");
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await ((Task)writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
    }

    private async Task WriteAsync(string key)
    {
        var (step, revision, mayLag) = (0, 0L, false);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var write = step switch
                {
                    0 => await store.CreateAsync(key, Value(step), bound),
                    Steps - 1 => await store.DeleteAsync(key, revision, bound),
                    _ => await store.UpdateAsync(key, Value(step), revision, bound),
                };
                if (write.Succeeded)
                {
                    acknowledged[write.Revision] = key;
                    (revision, step, mayLag) = (write.Revision, (step + 1) % Steps, false);
                    continue;
                }

                // Nobody else writes this key: only a write of ours whose end was unknown can have come between.
                Promise.Check(Promise.Atomic, mayLag, $"'{key}' is at {write.Existing?.ModRevision}, though its only writer left it at {revision}.");
            }
            catch (StoreUnavailableException error) when (error.Fault != StoreFault.Closed)
            {
                if (!error.MayHaveHappened)
                {
                    continue; // Certainly not done: the same again.
                }

                Interlocked.Increment(ref unknown);
                mayLag = true;
            }

            var found = await UntilAnsweredAsync(async () => await store.GetAsync(key, bound));
            (revision, step) = found is null ? (0, 0) : (found.ModRevision, StepOf(found) + 1);
        }
    }

    private async Task<T> UntilAnsweredAsync<T>(Func<Task<T>> ask)
    {
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (StoreUnavailableException error) when (error.Fault != StoreFault.Closed)
            {
                bound.ThrowIfCancellationRequested();
            }
        }
    }

    private static byte[] Value(int step) => Encoding.ASCII.GetBytes(step.ToString(CultureInfo.InvariantCulture).PadRight(300, '.'));

    private static int StepOf(StoreItem item) => item.Value.Span[0] - '0';
}
