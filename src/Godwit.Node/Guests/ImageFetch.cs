namespace Godwit.Node.Guests;

/// <summary>Work beside everything else, and what came of it. Its leases are let go of with it.</summary>
internal sealed class ImageFetch : IDisposable
{
    private readonly CancellationTokenSource halt = new();
    private readonly TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long askedAtTicks;

    public ImageFetch(SemaphoreSlim turns, Func<CancellationToken, Task<IReadOnlyList<FetchedFile>>> work, Action ended)
    {
        Work = RunAsync(turns, work, halt.Token);
        _ = Work.ContinueWith(_ => ended(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    public Task<IReadOnlyList<FetchedFile>> Work { get; }

    public DateTimeOffset AskedAt
    {
        get => new(Interlocked.Read(ref askedAtTicks), TimeSpan.Zero);
        set => Interlocked.Exchange(ref askedAtTicks, value.UtcTicks);
    }

    /// <summary>Not before it can be found: whoever is woken at its end looks for it.</summary>
    public void Begin() => begun.TrySetResult();

    public async Task EndAsync()
    {
        await halt.CancelAsync();
        await ((Task)Work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Dispose();
    }

    public void Dispose()
    {
        if (Work.IsCompletedSuccessfully)
        {
            foreach (var got in Work.Result)
            {
                got.Lease.Dispose();
            }
        }

        halt.Dispose();
    }

    private async Task<IReadOnlyList<FetchedFile>> RunAsync(SemaphoreSlim turns, Func<CancellationToken, Task<IReadOnlyList<FetchedFile>>> work, CancellationToken stopping)
    {
        await begun.Task.WaitAsync(stopping);
        await turns.WaitAsync(stopping);
        try
        {
            return await work(stopping);
        }
        finally
        {
            turns.Release();
        }
    }
}
