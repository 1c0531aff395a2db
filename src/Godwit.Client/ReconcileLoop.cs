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
        catch (ApiException error) when (error.IsConflict)
        {
            // What we had read was out of date: expected, and mended by looking again.
            Log.Conflict(logger, Name, key.ToString(), (int)queue.Retry(key).TotalMilliseconds);
        }
        catch (Exception error)
        {
            Interlocked.Increment(ref failures);
            Log.Failed(logger, Name, key.ToString(), (int)queue.Retry(key).TotalMilliseconds, Base.ErrorChain.Describe(error), error);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Debug, "{Loop}: {Key} changed meanwhile, next look in {DelayMs} ms")]
        public static partial void Conflict(ILogger logger, string loop, string? key, int delayMs);

        [LoggerMessage(2, LogLevel.Warning, "{Loop}: {Key} failed, next try in {DelayMs} ms: {Cause}")]
        public static partial void Failed(ILogger logger, string loop, string? key, int delayMs, string cause, Exception error);
    }
}
