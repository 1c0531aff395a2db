using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <content>How the stream runs: rounds that shrink or not, the stop when the rest seems to fit, the arrival of the whole.</content>
internal sealed partial class SimulatedMachines
{
    private const double PageBytes = 4096;
    private const double ZeroPageWireBytes = 9;
    private const double ReadBytesPerSecond = 2e9;

    private double zeroBytes;
    private DateTimeOffset roundSince;
    private DateTimeOffset? stoppedUnreadySince;

    /// <summary>The source's agent was told how much of the guest's memory is not zero.</summary>
    public required Func<bool> IsFirstPassKnown { get; init; }

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
            case StreamStatus.PostcopyActive:
                AdvancePostcopy(bytes);
                break;
        }
    }

    /// <summary>
    /// When what is left seems to fit the limit, QEMU looks at what was dirtied meanwhile: only if that fits too it stops the guest. With a
    /// limit of zero it does not look: it stops the guest when it has sent all that it knew of.
    /// </summary>
    private void AdvanceRound()
    {
        SendZeroes();
        var fitsBytes = Rate * limitMs / 1000;
        var rests = IsBoundBelowAStep && world.Now - roundSince < TimeSpan.FromMilliseconds(StepMs);
        if (!postcopyWanted && (rests || leftBytes + zeroBytes > Math.Max(fitsBytes, Math.Max(PageBytes, Rate * TickMs / 1000))))
        {
            return;
        }

        leftBytes += zeroBytes + Dirtied();
        zeroBytes = 0;
        if (postcopyWanted || limitMs <= 0 || leftBytes < Math.Max(PageBytes, fitsBytes))
        {
            Stop();
            return;
        }

        round++;
        roundBytes = leftBytes;
        roundSince = world.Now;
    }

    /// <summary>What is zero comes last in the first pass, and goes as fast as memory is read; of a bound, as every page does.</summary>
    private void SendZeroes()
    {
        if (leftBytes <= Rate * TickMs / 1000)
        {
            zeroBytes = Math.Max(0, zeroBytes - Math.Min(ZeroPagesPerTick * PageBytes, ReadBytesPerSecond * TickMs / 1000));
        }
    }

    /// <summary>A guest that idles writes a page now and then, and in a short round none.</summary>
    private double Dirtied()
    {
        var isIdle = restFloorBytes <= PageBytes;
        return pausedByAgent || (isIdle && world.Now - roundSince < TimeSpan.FromMilliseconds(100)) ? 0
            : Math.Clamp(roundBytes * (isIdle ? 0.001 : roundRatio), restFloorBytes, FirstPassBytes);
    }

    private void Stop()
    {
        // Past a pass that ends in zeroes, faster than anybody looks, a guest that idles may be stopped: then for a moment only.
        world.Check(
            TargetGuest != GuestState.Gone || pausedByAgent || (restFloorBytes <= PageBytes && zeroTailBytes > 0 && !IsFirstPassKnown()),
            "StopsForTheReady",
            () => $"the guest was stopped for a target whose QEMU does not run, {leftBytes:0} bytes left");
        stoppedUnreadySince = TargetGuest == GuestState.Gone && SourceGuest == GuestState.Running ? world.Now : null;
        SourceGuest = SourceGuest == GuestState.Running ? GuestState.Paused : SourceGuest;
        SourceStream = StreamStatus.PreSwitchover;
    }

    /// <summary>While the source's agent waits for the target: a guest that was stopped all the same is taken back soon.</summary>
    public void CheckStanding(TimeSpan allowed) => world.Check(
        SourceStream != StreamStatus.PreSwitchover || TargetGuest != GuestState.Gone || !(world.Now - stoppedUnreadySince > allowed),
        "StandsForTheReady",
        () => $"the guest stands still since {stoppedUnreadySince:ss.fff} for a target whose QEMU does not run");

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
