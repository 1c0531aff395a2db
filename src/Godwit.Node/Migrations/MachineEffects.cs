using System.Threading.Channels;
using Godwit.Base;
using Godwit.Machines;
using Godwit.Migration.Protocol;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Migrations;

/// <summary>
/// Carries out an engine's effects on one QEMU, one after the other in their order, and counts them: a reading says how
/// many were done when it was taken. One that hangs is given up when <see cref="Interrupt"/> says so.
/// </summary>
internal sealed partial class MachineEffects<TEffect>(Func<TEffect, CancellationToken, Task> carryOut, ILogger logger)
    where TEffect : class
{
    /// <summary>An engine asks again only after a reading, so it never has more than a few waiting.</summary>
    private const int WaitingMax = 64;

    private readonly Channel<TEffect> waiting = Channel.CreateBounded<TEffect>(WaitingMax);
    private readonly Lock gate = new();
    private CancellationTokenSource? current;
    private TEffect? currentEffect;
    private int addedCount;
    private int doneCount;

    /// <summary>The effect, and QEMU's error if it answered with one: only then is it known not to have been done.</summary>
    public required Func<TEffect, string?, ValueTask> Done { get; init; }

    /// <summary>Null while an effect is waiting or under way: a reading taken then would be out of date.</summary>
    public int? SettledCount
    {
        get
        {
            lock (gate)
            {
                return addedCount == doneCount ? doneCount : null;
            }
        }
    }

    public void Add(TEffect effect)
    {
        lock (gate)
        {
            addedCount++;
        }

        if (!waiting.Writer.TryWrite(effect))
        {
            throw new InvalidOperationException($"{WaitingMax} effects on a machine wait to be carried out.");
        }
    }

    /// <summary>Gives up what is under way, if it is one of these: its outcome stays unknown until the next reading.</summary>
    public void Interrupt(Predicate<TEffect> which)
    {
        lock (gate)
        {
            if (currentEffect is { } effect && which(effect))
            {
                current?.Cancel();
            }
        }
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        await foreach (var effect in waiting.Reader.ReadAllAsync(stopping))
        {
            string? refusal = null;
            using var interruption = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            lock (gate)
            {
                (current, currentEffect) = (interruption, effect);
            }

            try
            {
                await carryOut(effect, interruption.Token);
            }
            catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
            {
                Log.GivenUp(logger, effect.GetType().Name);
            }
            catch (Exception error) when (error is not OperationCanceledException)
            {
                refusal = error is MachineException { IsOutcomeUnknown: true } ? null : ErrorChain.Describe(error);
                Log.Failed(logger, effect.GetType().Name, ErrorChain.Describe(error));
            }

            lock (gate)
            {
                (current, currentEffect) = (null, null);
                doneCount++;
            }

            await Done(effect, refusal);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2301, Level = LogLevel.Warning, Message = "{Effect} was given up: its outcome is unknown until QEMU answers again")]
        public static partial void GivenUp(ILogger logger, string effect);

        [LoggerMessage(EventId = 2302, Level = LogLevel.Warning, Message = "{Effect} failed: {Reason}")]
        public static partial void Failed(ILogger logger, string effect, string reason);
    }
}

/// <summary>Looks at a QEMU and says it in the engines' words.</summary>
internal static class MachineLook
{
    /// <summary>Null when QEMU does not answer: then nothing is known, which is not the same as gone.</summary>
    public static async Task<QemuReading?> TakeAsync(IMachine? machine, int effectCount, CancellationToken stopping)
    {
        if (machine is null or { ProcessId: 0 })
        {
            return new QemuReading(GuestState.Gone, StreamStatus.None, effectCount);
        }

        try
        {
            // The stream first: what it says is final is final, so the state of the CPUs that follows is never the older.
            var statistics = await machine.Migration.QueryAsync(stopping);
            var guest = GuestOf(await machine.QueryRunStateAsync(stopping));
            return new QemuReading(guest, guest == GuestState.Gone ? StreamStatus.None : StreamOf(statistics.Status), effectCount)
            {
                Round = statistics.DirtySyncCount,
                TransferredBytes = statistics.TransferredBytes,
                RemainingBytes = statistics.RemainingBytes,
                MemoryBytes = statistics.TotalBytes,
                DowntimeMs = statistics.DowntimeMs,
                StreamMs = statistics.TotalTimeMs,
                StoppedAt = machine.StoppedAt,
                Failure = statistics.ErrorDescription ?? "",
            };
        }
        catch (MachineException)
        {
            return machine.ProcessId == 0 ? new QemuReading(GuestState.Gone, StreamStatus.None, effectCount) : null;
        }
    }

    /// <summary>
    /// As <see cref="TakeAsync"/>; but a target in post-copy whose main loop waits for a page is known by its events, which
    /// its monitor sends all the same.
    /// </summary>
    public static async Task<QemuReading?> TakeTargetAsync(IMachine? machine, int effectCount, CancellationToken stopping)
    {
        var reading = await TakeAsync(machine, effectCount, stopping);
        return reading is not null || machine is not { RunState: MachineRunState.Running or MachineRunState.Paused } ? reading
            : new QemuReading(GuestOf(machine.RunState), StreamOf(machine.Migration.LastStatus ?? ""), effectCount) is { InPostcopy: true } told ? told
            : null;
    }

    /// <summary>A guest that has shut itself down counts as running: what becomes of it is not the move's affair.</summary>
    private static GuestState GuestOf(MachineRunState state) => state switch
    {
        MachineRunState.Gone => GuestState.Gone,
        MachineRunState.Incoming => GuestState.Waiting,
        MachineRunState.PostMigrate => GuestState.PostMigrate,
        MachineRunState.Created or MachineRunState.Paused => GuestState.Paused,
        _ => GuestState.Running,
    };

    private static StreamStatus StreamOf(string word) => word switch
    {
        "setup" or "wait-unplug" => StreamStatus.Setup,
        "active" => StreamStatus.Active,
        "pre-switchover" => StreamStatus.PreSwitchover,
        "device" => StreamStatus.Device,
        "completed" => StreamStatus.Completed,
        "postcopy-active" or "postcopy-device" => StreamStatus.PostcopyActive,
        "postcopy-paused" => StreamStatus.PostcopyPaused,
        "postcopy-recover-setup" or "postcopy-recover" => StreamStatus.PostcopyRecovering,
        "cancelling" => StreamStatus.Cancelling,
        "cancelled" => StreamStatus.Cancelled,
        "failed" or "failing" => StreamStatus.Failed,
        _ => StreamStatus.None,
    };
}
