using Godwit.Base;
using Godwit.Machines;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Guests;

/// <summary>
/// Shut-downs that are under way: each asks the guest once and waits out its grace in the background. A demand with an
/// earlier end replaces the one that waits; an agent that is killed begins anew when it is back.
/// </summary>
internal sealed partial class GuestShutdowns(TimeProvider time, Action<MachineId> ended, ILogger logger) : IDisposable
{
    private readonly Dictionary<MachineId, Shutdown> running = [];
    private readonly Lock gate = new();
    private readonly CancellationTokenSource closing = new();

    public void Begin(IMachine? machine, TimeSpan grace)
    {
        if (machine is null)
        {
            return;
        }

        var id = machine.Spec.Id;
        var end = time.GetUtcNow() + grace;
        lock (gate)
        {
            if (running.TryGetValue(id, out var waiting))
            {
                if (waiting.End <= end)
                {
                    return;
                }

                waiting.Replaced.Cancel();
            }

            var replaced = CancellationTokenSource.CreateLinkedTokenSource(closing.Token);
            running[id] = new Shutdown(end, replaced, RunAsync(machine, grace, replaced));
        }
    }

    /// <summary>Stops waiting; guests that were asked may still shut down.</summary>
    public async Task StopAsync()
    {
        await closing.CancelAsync();
        Task[] waiting;
        lock (gate)
        {
            waiting = [.. running.Values.Select(shutdown => shutdown.Task)];
        }

        await Task.WhenAll(waiting);
    }

    public void Dispose() => closing.Dispose();

    private async Task RunAsync(IMachine machine, TimeSpan grace, CancellationTokenSource replaced)
    {
        await Task.Yield();
        try
        {
            Log.Stopping(logger, machine.Spec.DisplayName, grace.TotalSeconds);
            await machine.StopAsync(grace, replaced.Token);
        }
        catch (OperationCanceledException) when (replaced.IsCancellationRequested)
        {
        }
        catch (Exception error)
        {
            Log.Failed(logger, machine.Spec.DisplayName, ErrorChain.Describe(error));
        }

        lock (gate)
        {
            if (running.TryGetValue(machine.Spec.Id, out var own) && own.Replaced == replaced)
            {
                running.Remove(machine.Spec.Id);
            }
        }

        replaced.Dispose();
        ended(machine.Spec.Id);
    }

    private sealed record Shutdown(DateTimeOffset End, CancellationTokenSource Replaced, Task Task);

    private static partial class Log
    {
        [LoggerMessage(EventId = 2131, Level = LogLevel.Information, Message = "Shutting down {Guest}, by force after {GraceSeconds} s")]
        public static partial void Stopping(ILogger logger, string guest, double graceSeconds);

        [LoggerMessage(EventId = 2132, Level = LogLevel.Warning, Message = "Could not shut down {Guest}: {Reason}")]
        public static partial void Failed(ILogger logger, string guest, string reason);
    }
}
