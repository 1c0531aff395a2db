using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.Store;
using Microsoft.Extensions.Logging;

namespace Godwit.ApiServer.Access;

/// <summary>
/// Keeps <see cref="AccessState"/> as the store has it: loads it at one revision, then follows the store's log.
/// <code>
///     load at r ──▶ r+1 ──▶ r+2 ──▶ …           a decision that would be "no" first waits until the state
///         ▲            │ watch broken            has reached the store's newest revision
///         └────────────┘
/// </code>
/// So whoever has seen a write (a node its pod, a person their new role) is judged by a state that has it too. A "yes" is
/// given from what is at hand, which lags behind the log by the time that one batch takes.
/// </summary>
internal sealed partial class AccessIndex(IRevisionStore store, ServedResources resources, TimeProvider clock, ILogger<AccessIndex> logger)
{
    private const int LoadPageItems = 500;

    /// <summary>How long a request waits for the state before it is told to come again.</summary>
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private TaskCompletionSource advanced = NewSignal();
    private View? view;

    /// <summary>The state at hand, or null before the first is loaded.</summary>
    public AccessState? Known => Volatile.Read(ref view)?.State;

    /// <summary>The state once it holds every write that was acknowledged before the call.</summary>
    /// <exception cref="StatusException">503: it does not get there in time.</exception>
    public async ValueTask<AccessState> CurrentAsync(CancellationToken stopping)
    {
        var newest = await store.GetCurrentRevisionAsync(stopping);
        if (Volatile.Read(ref view) is { } now && now.Revision >= newest)
        {
            return now.State;
        }

        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var timeout = new CancellationTokenSource(WaitMax, clock);
        await using var link = timeout.Token.Register(static source => ((CancellationTokenSource)source!).Cancel(), waiting);
        try
        {
            while (true)
            {
                var signal = Signal();
                if (Volatile.Read(ref view) is { } found && found.Revision >= newest)
                {
                    return found.State;
                }

                await signal.WaitAsync(waiting.Token);
            }
        }
        catch (OperationCanceledException error) when (!stopping.IsCancellationRequested)
        {
            throw StatusException.ServiceUnavailable($"the server has not caught up with its store within {WaitMax.TotalSeconds} s, and cannot say who may do what; try again", error);
        }
    }

    /// <summary>Follows the store until cancelled.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var (state, revision) = await LoadAsync(stopping);
                Publish(new View(state, revision));
                await foreach (var batch in store.WatchAsync("", revision, stopping))
                {
                    Apply(state, batch);
                    Publish(new View(state, batch.Revision));
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                Log.Broken(logger, error);
                await Task.Delay(RetryDelay, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private static void Apply(AccessState state, StoreEventBatch batch)
    {
        foreach (var change in batch.Events)
        {
            if (change.Kind == StoreEventKind.Deleted)
            {
                state.Remove(change.Item.Key);
            }
            else
            {
                state.Set(change.Item, change.Previous);
            }
        }
    }

    private async Task<(AccessState State, long Revision)> LoadAsync(CancellationToken stopping)
    {
        var state = new AccessState(resources);
        var revision = await store.GetCurrentRevisionAsync(stopping);
        foreach (var prefix in state.Prefixes)
        {
            for (string? after = null; ;)
            {
                var page = await store.ListAsync(new StoreListQuery(prefix, after, LoadPageItems, revision, CountsRemaining: false), stopping);
                foreach (var item in page.Items)
                {
                    state.Set(item);
                }

                if (page.RemainingCount == 0)
                {
                    break;
                }

                after = page.Items[^1].Key;
            }
        }

        return (state, revision);
    }

    private void Publish(View next)
    {
        TaskCompletionSource signal;
        lock (gate)
        {
            Volatile.Write(ref view, next);
            (signal, advanced) = (advanced, NewSignal());
        }

        signal.TrySetResult();
    }

    private Task Signal()
    {
        lock (gate)
        {
            return advanced.Task;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The state, which holds everything up to and including the revision.</summary>
    private sealed record View(AccessState State, long Revision);

    private static partial class Log
    {
        [LoggerMessage(1401, LogLevel.Warning, "Following the store to know who may do what broke off; it is loaded again.")]
        public static partial void Broken(ILogger logger, Exception error);
    }
}
