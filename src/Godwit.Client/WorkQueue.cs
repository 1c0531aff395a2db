using System.Threading.Channels;
using Godwit.Base;

namespace Godwit.Client;

/// <summary>
/// Keys that need a look. A key waits at most once; a key that is being looked at is not handed out a second time, but
/// remembered and handed out again afterwards, so no two workers ever hold the same key and no change is missed.
/// <code>
///            Add             Take                Done
///  (absent) ─────▶ waiting ────────▶ in hand ─────────────▶ (absent)
///                     ▲                 │ Add while in hand
///                     └──── Done ── in hand, dirty
/// </code>
/// Bounded by <see cref="CapacityKeys"/>: beyond it <see cref="Add"/> refuses, and the reconciler's periodic look at
/// everything brings the key back later.
/// </summary>
public sealed class WorkQueue<TKey> : IDisposable
    where TKey : notnull
{
    private readonly Lock gate = new();
    private readonly HashSet<TKey> waiting = [];
    private readonly HashSet<TKey> inHand = [];
    private readonly HashSet<TKey> dirty = [];
    private readonly Dictionary<TKey, int> failures = [];
    private readonly Dictionary<TKey, Delayed> delayed = [];
    private readonly Channel<TKey> ready = Channel.CreateUnbounded<TKey>(); // Bounded by `waiting`.
    private readonly Backoff backoff;
    private readonly TimeProvider clock;
    private readonly Func<double> chance;
    private readonly long born;

    /// <param name="clock">Time for delays.</param>
    /// <param name="backoff">Waits between retries of one key.</param>
    /// <param name="capacityKeys">How many keys may wait, be in hand or be delayed at once.</param>
    /// <param name="chance">Jitter, uniform in [0, 1); null takes the shared generator.</param>
    public WorkQueue(TimeProvider clock, Backoff backoff, int capacityKeys = 100_000, Func<double>? chance = null)
    {
        this.clock = clock;
        born = clock.GetTimestamp();
        this.backoff = backoff;
        this.chance = chance ?? Random.Shared.NextDouble;
        CapacityKeys = capacityKeys;
    }

    public int CapacityKeys { get; }

    /// <summary>Keys that wait for a worker now.</summary>
    public int WaitingCount
    {
        get
        {
            lock (gate)
            {
                return waiting.Count;
            }
        }
    }

    /// <summary>Asks for a look at the key. False when the queue is full and the key was not taken.</summary>
    public bool Add(TKey key)
    {
        lock (gate)
        {
            if (!AddLocked(key))
            {
                return false; // An earlier request for a later look, if any, still stands.
            }

            CancelDelayLocked(key);
            return true;
        }
    }

    /// <summary>Asks for a look after a delay; an earlier request for the same key stands.</summary>
    public bool AddAfter(TKey key, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
        {
            return Add(key);
        }

        lock (gate)
        {
            var due = clock.GetElapsedTime(born) + delay; // Not the time of day: whoever sets that back or forwards sets no timer.
            if (waiting.Contains(key) || (delayed.TryGetValue(key, out var earlier) && earlier.Due <= due))
            {
                return true;
            }

            CancelDelayLocked(key);
            if (delayed.Count >= CapacityKeys)
            {
                return false;
            }

            delayed[key] = new Delayed(due, clock.CreateTimer(_ => OnDue(key, due), null, delay, Timeout.InfiniteTimeSpan));
            return true;
        }
    }

    /// <summary>Asks for a look after a back-off that grows with each call until <see cref="Forget"/>.</summary>
    public TimeSpan Retry(TKey key)
    {
        TimeSpan delay;
        lock (gate)
        {
            var count = failures.GetValueOrDefault(key);
            failures[key] = count + 1;
            delay = backoff.DelayFor(count, chance());
        }

        AddAfter(key, delay);
        return delay;
    }

    /// <summary>The key went well: its back-off starts anew.</summary>
    public void Forget(TKey key)
    {
        lock (gate)
        {
            failures.Remove(key);
        }
    }

    /// <summary>The next key, now in this caller's hand; give it back with <see cref="Done"/> whatever happens.</summary>
    public async ValueTask<TKey> TakeAsync(CancellationToken stopping)
    {
        var key = await ready.Reader.ReadAsync(stopping);
        lock (gate)
        {
            waiting.Remove(key);
            inHand.Add(key);
        }

        return key;
    }

    public void Done(TKey key)
    {
        lock (gate)
        {
            inHand.Remove(key);
            if (dirty.Remove(key))
            {
                AddLocked(key);
            }
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            foreach (var entry in delayed.Values)
            {
                entry.Timer.Dispose();
            }

            delayed.Clear();
            ready.Writer.TryComplete();
        }
    }

    private bool AddLocked(TKey key)
    {
        if (inHand.Contains(key))
        {
            dirty.Add(key);
            return true;
        }

        if (waiting.Contains(key))
        {
            return true;
        }

        if (waiting.Count + inHand.Count >= CapacityKeys)
        {
            return false;
        }

        waiting.Add(key);
        ready.Writer.TryWrite(key);
        return true;
    }

    private void CancelDelayLocked(TKey key)
    {
        if (delayed.Remove(key, out var entry))
        {
            entry.Timer.Dispose();
        }
    }

    private void OnDue(TKey key, TimeSpan due)
    {
        lock (gate)
        {
            // A timer that fires while it is being replaced must not consume its successor.
            if (delayed.TryGetValue(key, out var entry) && entry.Due == due)
            {
                CancelDelayLocked(key);
                AddLocked(key);
            }
        }
    }

    private readonly record struct Delayed(TimeSpan Due, ITimer Timer);
}
