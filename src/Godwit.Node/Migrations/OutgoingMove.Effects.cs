using Godwit.Api.KubeVirt.V1;
using Godwit.Machines;
using Godwit.Migration.Protocol;
using Godwit.Node.Peers;

namespace Godwit.Node.Migrations;

/// <content>What the engine wants done to the source's QEMU, the stream that it sends through, and what it tells unasked.</content>
internal sealed partial class OutgoingMove
{
    private async Task CarryOutAsync(SourceEffect.Machine effect, CancellationToken stopping)
    {
        if (effect is SourceEffect.QuitGuest)
        {
            await QuitGuestAsync(stopping);
            return;
        }

        if (IsSuspended && await CarryOutSuspendedAsync(effect, stopping))
        {
            return;
        }

        var machine = parts.Machines.Find(route.Machine) ?? throw new MachineException($"There is no machine {route.Machine} on this host any more.");
        switch (effect)
        {
            case SourceEffect.PauseGuest:
                await machine.PauseAsync(stopping);
                break;
            case SourceEffect.ResumeGuest:
                await machine.ResumeAsync(stopping);
                break;
            case SourceEffect.StartMirrors:
                await StartMirrorsAsync(machine, stopping);
                break;
            case SourceEffect.KeepDisksInStep:
                await machine.DiskCopies.KeepInStepAsync(stopping);
                break;
            case SourceEffect.FinishMirrors:
                await PassAsync(MoveHoldPoints.Barrier, stopping);
                await FinishMirrorsAsync(machine, stopping);
                break;
            case SourceEffect.SetDiskBandwidth:
                await machine.DiskCopies.LimitAsync(Bandwidth, stopping);
                break;
            default:
                await CarryOutOnStreamAsync(effect, machine, stopping);
                break;
        }
    }

    private async Task CarryOutOnStreamAsync(SourceEffect.Machine effect, IMachine machine, CancellationToken stopping)
    {
        switch (effect)
        {
            case SourceEffect.StartStream:
                await machine.Migration.ConfigureAsync(Settings(engine.Phase.Plan), stopping);
                await machine.Migration.StartOutgoingAsync(await OpenStreamAsync(machine, 0, stopping), stopping);
                break;
            case SourceEffect.RecoverStream recover:
                await machine.Migration.RecoverAsync(await OpenStreamAsync(machine, recover.Attempt, stopping), outgoing: true, stopping);
                break;
            case SourceEffect.SetDowntimeLimit limit:
                await machine.Migration.AdjustAsync(null, limit.LimitMs, stopping);
                break;
            case SourceEffect.SetBandwidth bandwidth:
                await machine.Migration.AdjustAsync(Least(bandwidth.BytesPerSecond, Bandwidth), null, stopping);
                break;
            case SourceEffect.StartPostcopy start:
                await machine.Migration.LimitPostcopyAsync(Least(start.BackgroundBytesPerSecond, Bandwidth), stopping);
                await machine.PauseAsync(stopping);
                await machine.Migration.StartPostcopyAsync(stopping);
                break;
            case SourceEffect.LiftPostcopyBandwidth:
                await machine.Migration.LimitPostcopyAsync(Bandwidth, stopping);
                break;
            case SourceEffect.ContinueSwitchover:
                await PassAsync(MoveHoldPoints.Barrier, stopping); // Passed already when there were disks to finish.
                await machine.Migration.ContinueSwitchoverAsync(stopping);
                break;
            case SourceEffect.PauseStream:
                await machine.Migration.PauseStreamAsync(stopping);
                await CloseStreamAsync();
                break;
            case SourceEffect.ReclaimGuest:
                await CloseStreamAsync();
                await machine.Migration.ReclaimAsync(stopping);
                break;
            case SourceEffect.CancelStream:
                await CloseDiskStreamAsync();
                await machine.Migration.CancelAsync(CancelBound, stopping);
                await CloseStreamAsync();
                await AbandonMirrorsAsync(machine, stopping);
                break;
        }
    }

    private async Task QuitGuestAsync(CancellationToken stopping)
    {
        if (engine.Phase is SourcePhase.Completing)
        {
            await PassAsync(MoveHoldPoints.Moved, stopping);
        }

        await CloseStreamAsync();
        await CloseDiskStreamAsync();
        ForgetFile();
        await parts.Builder.DemolishAsync(route.Machine, stopping);
    }

    /// <summary>As the plan is now: the budget may have changed since the target was told.</summary>
    private MigrationSettings Settings(MigrationPlan plan) =>
        StreamConfiguration.For(route.Preparation.Stream) with { MaxBandwidthBytesPerSecond = plan.BandwidthBytesPerSecond, DowntimeLimitMs = plan.DowntimeLimitFirstMs };

    /// <summary>The smaller of two bounds; zero, which is none, when neither bounds.</summary>
    private static long Least(long? wanted, long allowed) => (wanted, allowed) switch
    {
        (null, _) => allowed,
        ({ } bound, 0) => bound,
        ({ } bound, _) => Math.Min(bound, allowed),
    };

    /// <summary>Where QEMU connects to, for the attempt that the target listens for.</summary>
    private async Task<string> OpenStreamAsync(IMachine machine, int attempt, CancellationToken stopping)
    {
        var report = openReport is { } last && last.ListeningAttempt == attempt ? last : null;
        await CloseStreamAsync();
        switch (report)
        {
            case { Door: { } door } when route.Preparation.Stream.Direct:
                if (door.Keys is { } keys)
                {
                    await machine.Migration.SecureAsync(keys.ToCredentials(), listens: false, stopping);
                }

                return DirectDoor.UriOf(route.Target.Address.Address, door.Port);
            case { StreamToken: { } token } when !route.Preparation.Stream.Direct:
                var path = machine.Place.MigrationSocket($"out-{attempt}");
                stream = new OutgoingStream(parts.Dialer, new StreamTarget(route.Target, token, route.Preparation.Stream.ChannelCount), path);
                return $"unix:{path}";
            default:
                throw new PeerException($"Node {route.Target.Node} has not given out a key for attempt {attempt} of the stream.");
        }
    }

    private async Task CloseStreamAsync()
    {
        if (Interlocked.Exchange(ref stream, null) is { } open)
        {
            Interlocked.Add(ref earlierStreamBytes, open.Counters.ToPeerBytes);
            await open.DisposeAsync();
        }
    }

    /// <summary>To the engine QEMU's events only say when to look: what they tell is asked for again. When it stopped the guest only they tell.</summary>
    private async Task ListenAsync(CancellationToken stopping)
    {
        await Task.Yield();
        if (parts.Machines.Find(route.Machine) is { } machine)
        {
            await foreach (var happened in machine.ReadEventsAsync(stopping))
            {
                if (happened is MachineEvent.RunStateChanged change)
                {
                    frames.Heard(change);
                }

                lookWanted.Set();
            }
        }
    }
}
