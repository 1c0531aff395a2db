using Microsoft.Extensions.Logging;

namespace Godwit.Client;

/// <summary>
/// Takes keys from a queue and has them reconciled, each by one worker at a time. A run that throws is repeated after a
/// back-off, so a reconciler may simply fail when what it read was out of date.
/// </summary>
public sealed partial class ReconcileLoop<TKey>(
    string name,
    WorkQueue<TKey> queue,
    Func<TKey, CancellationToken, Task<NextLook>> reconcile,
    ILogger logger)
    where TKey : notnull
{
    /// <summary>Once the back-off of one key is longer than this, being out of date is no excuse any more.</summary>
    private static readonly TimeSpan QuietDelayMax = TimeSpan.FromSeconds(1);

    private long runs;
    private long failures;

    /// <summary>What the loop is called in logs and metrics.</summary>
    public string Name { get; } = name;

    public long RunCount => Interlocked.Read(ref runs);

    public long FailureCount => Interlocked.Read(ref failures);

    public int WaitingCount => queue.WaitingCount;

    /// <summary>Runs until cancelled, then returns when the runs in hand have ended.</summary>
    public Task RunAsync(int workers, CancellationToken stopping) =>
        Task.WhenAll(Enumerable.Range(0, workers).Select(_ => WorkAsync(stopping)));

    private async Task WorkAsync(CancellationToken stopping)
    {
        await Task.Yield();
        while (!stopping.IsCancellationRequested)
        {
            TKey key;
            try
            {
                key = await queue.TakeAsync(stopping);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            try
            {
                await RunOneAsync(key, stopping);
            }
            finally
            {
                queue.Done(key);
            }
        }
    }

    private async Task RunOneAsync(TKey key, CancellationToken stopping)
    {
        Interlocked.Increment(ref runs);
        try
        {
            var next = await reconcile(key, stopping);
            queue.Forget(key);
            if (next.Delay is { } delay)
            {
                queue.AddAfter(key, delay);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }
        catch (Exception error)
        {
            Interlocked.Increment(ref failures);
            var delay = queue.Retry(key);
            if (error is ApiException { IsConflict: true } or ApiException { IsNotFound: true } && delay < QuietDelayMax)
            {
                // What we had read was out of date: expected now and then, and mended by looking again.
                Log.OutOfDate(logger, Name, key.ToString(), (int)delay.TotalMilliseconds);
            }
            else
            {
                Log.Failed(logger, Name, key.ToString(), (int)delay.TotalMilliseconds, Base.ErrorChain.Describe(error), error);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Debug, "{Loop}: {Key} changed meanwhile, next look in {DelayMs} ms")]
        public static partial void OutOfDate(ILogger logger, string loop, string? key, int delayMs);

        [LoggerMessage(2, LogLevel.Warning, "{Loop}: {Key} failed, next try in {DelayMs} ms: {Cause}")]
        public static partial void Failed(ILogger logger, string loop, string? key, int delayMs, string cause, Exception error);
    }
}
