using Godwit.Machines;
using Godwit.Migration.Protocol;
using Godwit.Node.Peers;

namespace Godwit.Node.Migrations;

/// <content>The mirrors of the disks that go along. Their order and meaning: <c>SourcePhase.Disks.cs</c>.</content>
internal sealed partial class OutgoingMove
{
    private OutgoingStream? diskStream;
    private long earlierDiskBytes;

    /// <summary>Bytes of disks that went over the wire.</summary>
    public long DiskBytes => Volatile.Read(ref earlierDiskBytes) + (diskStream?.Counters.ToPeerBytes ?? 0);

    private bool HasDisks => route.Preparation.Disks.Count > 0;

    private async Task StartMirrorsAsync(IMachine machine, CancellationToken stopping)
    {
        var token = lastReport?.DiskToken ?? throw new PeerException($"Node {route.Target.Node} has not given out a key for the guest's disks.");
        await CloseDiskStreamAsync();
        var path = machine.Place.MigrationSocket("disks");
        var disks = route.Preparation.Disks;
        diskStream = new OutgoingStream(parts.Dialer, new StreamTarget(route.Target, token, disks.Count), path);
        try
        {
            await machine.DiskCopies.StartAsync(
                path, [.. disks.Select(disk => new DiskMirror(disk.Index, TopOnly: disk.ImageDigest is not null))], Bandwidth, stopping);
        }
        catch (MachineException error) when (error.IsOutcomeUnknown)
        {
            await CloseDiskStreamAsync(); // What QEMU waits for in there ends.
            throw new MachineException($"the export of the guest's disks on {route.Target.Node} does not answer", error);
        }
    }

    private async Task FinishMirrorsAsync(IMachine machine, CancellationToken stopping)
    {
        await machine.DiskCopies.FinishAsync(route.Preparation.Disks.Count, stopping);
        await CloseDiskStreamAsync();
        await inputs.Writer.WriteAsync(new SourceInput.DisksFinished(), stopping);
    }

    /// <summary>The relay first: a QEMU that waits for a byte of it, perhaps with its main loop, is free then.</summary>
    private async Task AbandonMirrorsAsync(IMachine machine, CancellationToken stopping)
    {
        if (HasDisks)
        {
            await CloseDiskStreamAsync();
            await machine.DiskCopies.AbandonAsync(stopping);
        }
    }

    /// <summary>Mirrors are looked at while they can break and have not been told to end.</summary>
    private async Task LookAtDisksAsync(int settled, CancellationToken stopping)
    {
        if (!HasDisks || engine.Phase is not (SourcePhase.Mirroring or SourcePhase.Precopying or SourcePhase.EndingRounds) || parts.Machines.Find(route.Machine) is not { } machine)
        {
            return;
        }

        try
        {
            Offer(new SourceInput.DisksObserved(DiskLook.From(await machine.DiskCopies.QueryAsync(stopping), route.Preparation.Disks.Count, settled)));
        }
        catch (MachineException)
        {
            // Nothing is known, which is not the same as broken: the watchdog counts bytes.
        }
    }

    private async Task CloseDiskStreamAsync()
    {
        if (Interlocked.Exchange(ref diskStream, null) is { } open)
        {
            Interlocked.Add(ref earlierDiskBytes, open.Counters.ToPeerBytes);
            await open.DisposeAsync();
        }
    }
}

/// <summary>What a machine's mirrors tell, all together, in the engine's words; pure.</summary>
internal static class DiskLook
{
    public static DiskReading From(IReadOnlyList<DiskMirrorStatus> mirrors, int count, int effectCount)
    {
        var failure = mirrors.FirstOrDefault(mirror => mirror.Failure is not null)?.Failure
            ?? (mirrors.Count < count ? $"{count - mirrors.Count} of {count} mirrors are gone" : null);
        var state = failure is not null ? DiskCopyState.Broken
            : mirrors.All(mirror => mirror.IsInStep) ? DiskCopyState.InStep
            : mirrors.All(mirror => mirror.IsCopied) ? DiskCopyState.Copied
            : DiskCopyState.Copying;
        return new(state, effectCount)
        {
            CopiedBytes = mirrors.Sum(mirror => mirror.CopiedBytes),
            TotalBytes = mirrors.Sum(mirror => mirror.TotalBytes),
            Failure = failure ?? "",
        };
    }
}
