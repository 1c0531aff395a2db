namespace Godwit.Store.Sqlite;

/// <summary>
/// What one caller wants of the writer: taken, applied inside a transaction, and answered only when that has ended.
/// A job refused by its own rules (a future revision, say) is that caller's error alone; the batch goes on without it.
/// </summary>
internal abstract class WriterJob
{
    /// <summary>Roughly what it adds to the transaction.</summary>
    public abstract long CostBytes { get; }

    /// <summary>False when its caller has already stopped waiting: then it does not happen at all.</summary>
    public abstract bool TryTake();

    public abstract void Apply(LogWriter writer);

    /// <summary>Answers the caller: the transaction is on the disk.</summary>
    public abstract void Acknowledge();

    public abstract void Fail(Exception error);
}

internal sealed class WriterJob<T>(Func<LogWriter, T> work, long costBytes, CancellationToken stopping) : WriterJob
{
    private readonly TaskCompletionSource<T> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Action acknowledge = () => throw new InvalidOperationException("A job was acknowledged before it was applied.");

    public Task<T> Answer => answer.Task;

    public override long CostBytes => costBytes;

    public override bool TryTake() => !stopping.IsCancellationRequested || !answer.TrySetCanceled(stopping);

    public override void Apply(LogWriter writer)
    {
        try
        {
            var result = work(writer);
            acknowledge = () => answer.TrySetResult(result);
        }
        catch (StoreFutureRevisionException refusal)
        {
            acknowledge = () => answer.TrySetException(refusal);
        }
    }

    public override void Acknowledge() => acknowledge();

    public override void Fail(Exception error)
    {
        if (answer.TrySetException(error))
        {
            _ = answer.Task.Exception; // Observed: the caller may have stopped waiting.
        }
    }
}
