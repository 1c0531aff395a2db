using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <content>How the stream runs: rounds that shrink or not, the stop when the rest seems to fit, the arrival of the whole.</content>
internal sealed partial class SimulatedMachines
{
    private void TickStream()
    {
        if (!streamTicking)
        {
            streamTicking = true;
            world.After(TimeSpan.FromMilliseconds(TickMs * (0.5 + world.Random.NextDouble())), () =>
            {
                streamTicking = false;
                Advance();
                if (whole && SourceStream is StreamStatus.Active or StreamStatus.Setup or StreamStatus.Device or StreamStatus.PostcopyActive)
                {
                    TickStream();
                }
            });
        }
    }

    private void Advance()
    {
        if (!whole || !network.LinkUp)
        {
            return;
        }

        var bytes = Math.Min(leftBytes, Rate * TickMs / 1000);
        switch (SourceStream)
        {
            case StreamStatus.Setup:
                SourceStream = StreamStatus.Active;
                break;
            case StreamStatus.Active:
                Sent(bytes);
                AdvanceRound();
                break;
            case StreamStatus.Device:
                Sent(bytes);
                if (leftBytes <= 0 && TargetGuest == GuestState.Waiting)
                {
                    Arrive();
                }

                break;
            case StreamStatus.PostcopyActive when !packageLoaded:
                packageLoaded = true;
                TargetStream = StreamStatus.PostcopyActive;
                TargetGuest = GuestState.Paused;
                break;
            case StreamStatus.PostcopyActive:
                Sent(bytes);
                if (leftBytes <= 0)
                {
                    TargetStream = StreamStatus.Completed;
                    SourceStream = StreamStatus.Completed;
                    SourceGuest = GuestState.PostMigrate;
                }

                break;
        }
    }

    /// <summary>When what is left seems to fit the limit, QEMU looks at what was dirtied meanwhile: only if that fits too it stops the guest.</summary>
    private void AdvanceRound()
    {
        var fitsBytes = Math.Max(1, Rate * limitMs / 1000);
        if (!postcopyWanted && leftBytes > Math.Max(fitsBytes, Rate * TickMs / 1000))
        {
            return;
        }

        leftBytes += pausedByAgent ? 0 : Math.Clamp(roundBytes * roundRatio, restFloorBytes, FirstPassBytes);
        if (postcopyWanted || leftBytes <= fitsBytes)
        {
            SourceGuest = SourceGuest == GuestState.Running ? GuestState.Paused : SourceGuest;
            SourceStream = StreamStatus.PreSwitchover;
            return;
        }

        round++;
        roundBytes = leftBytes;
    }

    /// <summary>The target has everything; its word of thanks is on the way back, and the source is not done before it is there.</summary>
    private void Arrive()
    {
        TargetGuest = GuestState.Paused;
        TargetStream = StreamStatus.Completed;
        world.After(world.Between(0.5, 40), () =>
        {
            if (!whole || SourceStream != StreamStatus.Device || !network.LinkUp)
            {
                if (whole && SourceStream == StreamStatus.Device)
                {
                    world.After(TimeSpan.FromMilliseconds(200), Thank);
                }

                return;
            }

            Thank();
        });

        void Thank()
        {
            if (!whole || SourceStream != StreamStatus.Device)
            {
                return;
            }

            if (!network.LinkUp)
            {
                world.After(TimeSpan.FromMilliseconds(200), Thank);
                return;
            }

            SourceStream = StreamStatus.Completed;
            world.After(world.Between(0, 3), () =>
            {
                if (SourceGuest == GuestState.Paused && SourceStream == StreamStatus.Completed)
                {
                    SourceGuest = GuestState.PostMigrate;
                }
            });
        }
    }

    private void Sent(double bytes)
    {
        leftBytes -= bytes;
        sentBytes += bytes;
    }
}
