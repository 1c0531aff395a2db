using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <content>
/// The mirrors of the guest's disks: a connection of their own, which the agents carry, breaks with them and stalls with the
/// link. The target's disk is exact only from the moment at which mirrors in step were ended with the guest standing still,
/// until the source's copy runs again.
/// </content>
internal sealed partial class SimulatedMachines
{
    private DiskCopyState? mirrors;
    private int mirrorEpoch;
    private bool targetDiskExact;

    public required bool MovesDisks { get; init; }

    /// <summary>The mirrors ended well. Told by the one who ended them, and by nobody else.</summary>
    public Action DisksFinished { get; set; } = () => { };

    /// <summary>Null while nothing is mirrored.</summary>
    public DiskReading? ReadDisks(int effectCount) => mirrors is { } state ? new(state, effectCount) { Failure = state == DiskCopyState.Broken ? "the export was lost" : "" } : null;

    private string? StartMirrors()
    {
        if (!network.LinkUp || TargetGuest != GuestState.Waiting || (relayed && !TargetAgentAlive()))
        {
            return "the export is not reached";
        }

        mirrors = DiskCopyState.Copying;
        After(world.Between(20, 400), () => mirrors = DiskCopyState.Copied);
        return null;
    }

    private string? KeepInStep()
    {
        if (mirrors != DiskCopyState.Copied)
        {
            return "not copied";
        }

        After(world.Between(1, 30), () => mirrors = DiskCopyState.InStep);
        return null;
    }

    private string? FinishMirrors()
    {
        if (mirrors != DiskCopyState.InStep || !network.LinkUp || TargetGuest == GuestState.Gone)
        {
            return "a mirror did not end well";
        }

        mirrorEpoch++;
        mirrors = null;
        targetDiskExact = SourceGuest == GuestState.Paused;
        DisksFinished();
        return null;
    }

    private void EndMirrors()
    {
        mirrorEpoch++;
        mirrors = null;
    }

    private void BreakMirrors()
    {
        if (mirrors is not null)
        {
            mirrorEpoch++;
            mirrors = DiskCopyState.Broken;
        }
    }

    /// <summary>Later, unless the mirrors ended or broke; a link that is down makes it wait.</summary>
    private void After(TimeSpan delay, Action step)
    {
        var started = mirrorEpoch;
        world.After(delay, () =>
        {
            if (started != mirrorEpoch)
            {
                return;
            }

            if (network.LinkUp)
            {
                step();
            }
            else
            {
                After(TimeSpan.FromMilliseconds(200), step);
            }
        });
    }
}
