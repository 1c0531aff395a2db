using System.Security.Cryptography;
using System.Text;
using Godwit.ApiServer.Requests;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Turns among the servers of one store: whoever makes the turn's key has it, and gives it back by removing the key.
/// <code>
///   taken ├──── HoldMax: what the turn is for must be done, or is given up ────┤ · · · ┤ TakeOverAfter: another takes it
/// </code>
/// A server that dies leaves its key behind; the others take it over when it has stood still, by their own clocks, for
/// longer than anybody may use a turn. The gap between the two is for a write that was given up and is still on its way.
/// </summary>
internal sealed class SharedTurns(IRevisionStore store, TimeProvider clock)
{
    /// <summary>Beside the kinds' keys, which begin with a group that has a dot, or with <c>core</c>.</summary>
    private const string KeyPrefix = "godwit/turns/";

    private static readonly TimeSpan HoldMax = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan TakeOverAfter = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan ReleaseMax = TimeSpan.FromSeconds(5);

    private TimeProvider Clock { get; } = clock;

    private readonly byte[] self = Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(16, lowercase: true));

    /// <summary>Waits for the turn. Its <see cref="Held.Stopping"/> ends what it is for in time.</summary>
    public async Task<Held> TakeAsync(string name, CancellationToken stopping)
    {
        var key = KeyPrefix + name;
        while (true)
        {
            var began = Clock.GetTimestamp();
            var made = await store.CreateAsync(key, self, stopping);
            if (made.Succeeded)
            {
                return new Held(this, key, made.Revision, HoldMax - Clock.GetElapsedTime(began), stopping);
            }

            if (made.Existing is not { } there || await HasChangedAsync(there, made.Revision, stopping))
            {
                continue;
            }

            began = Clock.GetTimestamp();
            var taken = await store.UpdateAsync(key, self, there.ModRevision, stopping);
            if (taken.Succeeded)
            {
                return new Held(this, key, taken.Revision, HoldMax - Clock.GetElapsedTime(began), stopping);
            }
        }
    }

    /// <summary>True as soon as somebody touches the turn's key; false when it has stood still for too long.</summary>
    private async Task<bool> HasChangedAsync(StoreItem there, long revision, CancellationToken stopping)
    {
        using var late = new CancellationTokenSource(TakeOverAfter, Clock);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        try
        {
            await foreach (var batch in store.WatchAsync(there.Key, revision, bound.Token))
            {
                if (batch.Events.Any(change => change.Item.Key == there.Key))
                {
                    return true;
                }
            }
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return false;
        }
        catch (StoreCompactedException)
        {
        }

        return true;
    }

    /// <summary>Gives a turn back. Best effort: the wait of the others is the fallback.</summary>
    private async Task ReleaseAsync(string key, long revision)
    {
        using var bound = new CancellationTokenSource(ReleaseMax, Clock);
        try
        {
            await store.DeleteAsync(key, revision, bound.Token);
        }
        catch (Exception error) when (error is StoreUnavailableException or OperationCanceledException)
        {
            // Others take it over.
        }
    }

    /// <summary>A turn that is ours until it is disposed of, and no longer than it may be.</summary>
    internal sealed class Held : IAsyncDisposable
    {
        private readonly SharedTurns turns;
        private readonly string key;
        private readonly long revision;
        private readonly CancellationTokenSource over;
        private readonly CancellationTokenSource either;

        public Held(SharedTurns turns, string key, long revision, TimeSpan left, CancellationToken stopping)
        {
            (this.turns, this.key, this.revision) = (turns, key, revision);
            over = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, turns.Clock);
            either = CancellationTokenSource.CreateLinkedTokenSource(stopping, over.Token);
        }

        public CancellationToken Stopping => either.Token;

        /// <summary>True when it ended before it was given back.</summary>
        public bool IsOver => over.IsCancellationRequested;

        public async ValueTask DisposeAsync()
        {
            either.Dispose();
            over.Dispose();
            await turns.ReleaseAsync(key, revision);
        }
    }
}
