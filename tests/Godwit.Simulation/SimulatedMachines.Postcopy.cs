using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <content>
/// Post-copy as QEMU 10 does it: no way back from <c>postcopy-active</c>, a stream that is mended once the target has the devices, and an end at
/// which the source has sent the last page and waits for its receipt. A break there fails the stream, and QEMU runs the guest again by itself,
/// unless it was stopped by order before the switch.
/// </content>
internal sealed partial class SimulatedMachines
{
    private bool postcopyWanted;
    private bool packageLoaded;
    private bool lastPageSent;

    /// <summary>The wrong way: QEMU is left to stop the guest.</summary>
    public bool SwitchesWhileRunning { private get; init; }

    public required Action LastPageIsSent { private get; init; }

    private string? StartPostcopy()
    {
        if (SourceStream != StreamStatus.Active)
        {
            return "not active";
        }

        postcopyWanted = true;
        if (!SwitchesWhileRunning)
        {
            pausedByAgent = true;
            SetSource(GuestState.Paused);
        }

        return null;
    }

    private void AdvancePostcopy(double bytes)
    {
        if (!packageLoaded)
        {
            packageLoaded = true;
            TargetStream = StreamStatus.PostcopyActive;
            TargetGuest = GuestState.Paused;
            return;
        }

        Sent(bytes);
        if (leftBytes <= 0 && !lastPageSent)
        {
            lastPageSent = true;
            LastPageIsSent();
            WhileWhole(() =>
            {
                TargetStream = StreamStatus.Completed;
                WhileWhole(() =>
                {
                    SourceStream = StreamStatus.Completed;
                    SourceGuest = GuestState.PostMigrate;
                });
            });
        }
    }

    /// <summary>Some time later, on a link that is up, if the stream has not broken until then.</summary>
    private void WhileWhole(Action action) => world.After(world.Between(0.5, 40), () =>
    {
        if (!whole || !lastPageSent || SourceStream != StreamStatus.PostcopyActive)
        {
            return;
        }

        if (network.LinkUp)
        {
            action();
        }
        else
        {
            WhileWhole(action);
        }
    });

    private void BreakTarget()
    {
        if (TargetStream == StreamStatus.PostcopyActive)
        {
            if (lastPageSent)
            {
                // The one moment that QEMU leaves open: the source has no stream any more that could be mended.
                AllowedLoss ??= "the stream was reset while the last pages were under way";
            }

            TargetStream = StreamStatus.PostcopyPaused;
        }
        else if (TargetGuest == GuestState.Waiting && SourceStream == StreamStatus.PostcopyActive && world.Chance(0.3))
        {
            world.Log("stream", () => "the target's QEMU hangs on a page that its devices need");
        }
        else if (TargetGuest == GuestState.Waiting)
        {
            TargetStream = StreamStatus.Failed;
            if (world.Chance(0.5))
            {
                TargetGuest = GuestState.Gone;
            }
        }
    }

    private void BreakSource()
    {
        switch (SourceStream)
        {
            case StreamStatus.Setup or StreamStatus.Active or StreamStatus.Device:
                EndSourceStream(StreamStatus.Failed);
                break;
            case StreamStatus.PostcopyActive when lastPageSent:
                lastPageSent = false;
                EndSourceStream(StreamStatus.Failed);
                break;
            case StreamStatus.PostcopyActive or StreamStatus.PostcopyRecovering:
                SourceStream = StreamStatus.PostcopyPaused;
                break;
        }
    }

    private string? Recover(int attempt)
    {
        if (SourceStream != StreamStatus.PostcopyPaused)
        {
            return "not paused";
        }

        if (network.LinkUp && (!relayed || TargetAgentAlive()) && listeningAttempt == attempt && TargetStream == StreamStatus.PostcopyPaused && TargetGuest != GuestState.Gone)
        {
            whole = true;
            SourceStream = StreamStatus.PostcopyActive;
            TargetStream = StreamStatus.PostcopyActive;
            TickStream();
        }

        return null;
    }

    /// <summary>The stream is resumed to one who stands in for the target, and fails at its end. It may break on the way there.</summary>
    private string? Reclaim()
    {
        if (SourceStream != StreamStatus.PostcopyPaused)
        {
            return SourceStream is StreamStatus.PostcopyActive or StreamStatus.PostcopyRecovering ? "not paused" : null;
        }

        if (world.Chance(0.2))
        {
            SourceStream = world.Chance(0.5) ? StreamStatus.PostcopyPaused : StreamStatus.PostcopyActive;
            whole = SourceStream == StreamStatus.PostcopyActive;
            return "broken off";
        }

        EndSourceStream(StreamStatus.Failed);
        return null;
    }
}
