using Godwit.Api.KubeVirt.V1;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Migration.Protocol;
using Godwit.Node.Guests;

namespace Godwit.Node.Migrations;

/// <summary>Where a suspended guest is while it is moved.</summary>
internal enum FileRest
{
    /// <summary>In its file, and nowhere else: before it was loaded, or after the move was turned back.</summary>
    File,

    /// <summary>A QEMU has loaded it, and stands still.</summary>
    Loaded,
}

/// <content>
/// A guest that is suspended: its file is loaded into a QEMU that never lets it run, and that QEMU's guest goes to the target as any
/// guest that is stopped first, with its disks, by the same protocol. <see cref="Incarnation.Suspended"/> stands until the target has the guest.
/// <code>
///   file ──load──▶ a QEMU stands still ──▶ stream, disks ──▶ "run" ──▶ the target runs it; the file is removed with the machine
///    ▲                      │ turned back: that QEMU is ended
///    └──────────────────────┘ nothing of file or disks was changed
/// </code>
/// To the engine, which asks whether the source could go on with the guest, one in its file counts as running.
/// </content>
internal sealed partial class OutgoingMove
{
    private FileRest rest;

    private bool IsSuspended => route.Preparation.Suspended;

    private async Task<QemuReading?> TakeLookAsync(int settled, CancellationToken stopping) => IsSuspended && rest == FileRest.File
        ? InFile(settled)
        : await MachineLook.TakeAsync(parts.Machines.Find(route.Machine), settled, stopping);

    /// <summary>What an agent that was restarted finds: without a QEMU the guest is in its file, unless the stream may have begun, and with it the target have it.</summary>
    public static (FileRest At, QemuReading Seen) Found(MoveRecord record, QemuReading reading) =>
        record is { Preparation.Suspended: true, Outgoing: SourceRecord.Outgoing } && reading.Guest == GuestState.Gone ? (FileRest.File, InFile(0)) : (FileRest.Loaded, reading);

    private static QemuReading InFile(int settled) => new(GuestState.Running, StreamStatus.None, settled);

    /// <summary>True: it was done here, for a suspended guest.</summary>
    private async Task<bool> CarryOutSuspendedAsync(SourceEffect.Machine effect, CancellationToken stopping)
    {
        switch (effect)
        {
            case SourceEffect.PauseGuest:
                return true; // It stands still since it was loaded.
            case SourceEffect.CancelStream when rest == FileRest.File:
                await CloseDiskStreamAsync();
                await CloseStreamAsync();
                return true;
            case SourceEffect.ResumeGuest:
                await (parts.Machines.Find(route.Machine)?.StopAsync(TimeSpan.Zero, stopping) ?? Task.CompletedTask);
                await parts.Network.UnplugAsync(route.Machine, stopping);
                rest = FileRest.File;
                return true;
            default:
                return false;
        }
    }

    /// <summary>Before it is written down that the stream may begin: loading takes as long as the disk does, and no watchdog counts bytes yet.</summary>
    private async Task PrepareAsync(CancellationToken stopping)
    {
        await PassAsync(MoveHoldPoints.Prepared, stopping);
        if (IsSuspended)
        {
            await LoadAsync(stopping);
        }
    }

    private async Task LoadAsync(CancellationToken stopping)
    {
        var guest = parts.Guests.Current.Find(new ResourceKey(route.Preparation.GuestNamespace, route.Preparation.GuestName));
        if (guest is null || guest.Metadata.Uid != route.Machine.ToString() || parts.Incarnations.Find(route.Machine) is not Incarnation.Suspended suspended)
        {
            throw new MachineException($"the guest {route.Preparation.GuestNamespace}/{route.Preparation.GuestName} is not suspended on {parts.Node} any more.");
        }

        await new GuestLoader(parts.Builder, parts.Machines, parts.Time).LoadAsync(guest, suspended, openDisks: HasDisks, stopping);
        rest = FileRest.Loaded;
    }

    /// <summary>The target has the guest: the file is no guest any more, wherever the removal of it is cut short.</summary>
    private void ForgetFile()
    {
        if (IsSuspended && parts.Incarnations.Find(route.Machine) is Incarnation.Suspended suspended)
        {
            parts.Incarnations.Write(new Incarnation.Started(suspended.Id, suspended.GuestNamespace, suspended.GuestName));
        }
    }
}
