using System.Collections.Immutable;
using Godwit.Oci;

namespace Godwit.Images.Transfers;

/// <summary>
/// Does the same piece of work once for all who want it at the same time. It goes on while one of them still waits, and is
/// stopped when the last has gone. Who comes while it is being stopped waits for its end and begins anew, so that two never
/// write the same file. Where it fails for the one who began it, each of the others tries for himself: it may have been that
/// one's credentials.
/// </summary>
internal sealed class SharedTransfers<T>
{
    private readonly Lock gate = new();
    private readonly Dictionary<Digest, Transfer> running = [];

    /// <param name="key">What is wanted.</param>
    /// <param name="work">Does it; called only if nobody is at it.</param>
    /// <param name="progress">Hears of the work, whoever began it.</param>
    public async Task<T> RunAsync(Digest key, Func<IProgress<TransferProgress>, CancellationToken, Task<T>> work, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        while (true)
        {
            var (transfer, role) = Join(key, work, progress);
            if (role is Role.TooLate)
            {
                await transfer.Ended.WaitAsync(stopping);
                continue;
            }

            try
            {
                return await transfer.Result.WaitAsync(stopping);
            }
            catch (Exception) when (role is Role.Guest && !stopping.IsCancellationRequested)
            {
                await transfer.Ended.WaitAsync(stopping);
            }
            finally
            {
                Leave(transfer, progress);
            }
        }
    }

    private (Transfer Transfer, Role Role) Join(Digest key, Func<IProgress<TransferProgress>, CancellationToken, Task<T>> work, IProgress<TransferProgress> progress)
    {
        lock (gate)
        {
            if (running.TryGetValue(key, out var found))
            {
                if (found.Listeners.IsEmpty)
                {
                    return (found, Role.TooLate);
                }

                found.Listeners = found.Listeners.Add(progress);
                progress.Report(new TransferProgress(key, TransferStage.Shared));
                return (found, Role.Guest);
            }

            var begun = new Transfer { Listeners = [progress] };
            running[key] = begun;
            begun.Result = Task.Run(() => work(begun, begun.Stop.Token));
            begun.Ended = begun.Result.ContinueWith(_ => Forget(key), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            return (begun, Role.Host);
        }
    }

    private void Leave(Transfer transfer, IProgress<TransferProgress> progress)
    {
        lock (gate)
        {
            transfer.Listeners = transfer.Listeners.Remove(progress);
            if (transfer.Listeners.IsEmpty && !transfer.Result.IsCompleted)
            {
                transfer.Stop.Cancel();
            }
        }
    }

    private void Forget(Digest key)
    {
        lock (gate)
        {
            running.Remove(key);
        }
    }

    private enum Role
    {
        Host,
        Guest,
        TooLate,
    }

#pragma warning disable CA1001 // A token source without timer or wait handle holds nothing of the system.
    private sealed class Transfer : IProgress<TransferProgress>
    {
        public ImmutableList<IProgress<TransferProgress>> Listeners { get; set; } = [];

        public Task<T> Result { get; set; } = Task.FromCanceled<T>(new CancellationToken(canceled: true));

        public Task Ended { get; set; } = Task.CompletedTask;

        public CancellationTokenSource Stop { get; } = new();

        public void Report(TransferProgress value)
        {
            foreach (var listener in Listeners)
            {
                listener.Report(value);
            }
        }
    }
}
