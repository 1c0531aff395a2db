using Godwit.Migration.Convergence;
using Godwit.Migration.Protocol;

namespace Godwit.Simulation;

/// <summary>
/// The two QEMUs of a move and the stream between them, with what QEMU 10 was measured to do: it stops the guest at the
/// barrier by itself, resumes it by itself when a stream breaks before <c>completed</c>, hangs its monitor while it sends
/// the last of the state over a dead link, does not notice a broken stream at the barrier, neither cancels nor runs the guest in
/// post-copy, runs it all the same when the stream breaks at the end of that (<c>SimulatedMachines.Postcopy.cs</c>), and stops a guest of which
/// nothing is left to send whatever the downtime limit.
/// </summary>
internal sealed partial class SimulatedMachines
{
    private const double BytesPerSecond = 100e6;
    public const double FirstPassBytes = 40e6;
    private const double TickMs = 25;

    private readonly World world;
    private readonly SimulatedNetwork network;
    private readonly bool relayed;
    private readonly double roundRatio;
    private readonly double restFloorBytes;
    private readonly double zeroTailBytes;
    private bool streamTicking;
    private bool whole;
    private bool pausedByAgent;
    private double boundBytesPerSecond;
    private double limitMs = ConvergenceSettings.DowntimeLimitFirstMsDefault;
    private double roundBytes;
    private double leftBytes;
    private double sentBytes;
    private long round;
    private int listeningAttempt;
    private bool targetTakesStream;

    public SimulatedMachines(World world, SimulatedNetwork network)
    {
        this.world = world;
        this.network = network;
        relayed = world.Chance(0.7);
        double[] ratios = [0.05, 0.3, 0.7, 0.98, 1.2];
        roundRatio = ratios[world.Random.Next(ratios.Length)];
        restFloorBytes = world.Chance(0.3) ? 5e6 : world.Chance(0.5) ? 2e5 : PageBytes;
        zeroTailBytes = world.Chance(0.5) ? 0 : world.Chance(0.5) ? 10e6 : 100e6;
    }

    public GuestState SourceGuest { get; private set; } = GuestState.Running;

    public StreamStatus SourceStream { get; private set; }

    public GuestState TargetGuest { get; private set; } = GuestState.Gone;

    public StreamStatus TargetStream { get; private set; }

    public required Func<bool> TargetAgentAlive { get; init; }

    /// <summary>As the source's agent has it now.</summary>
    public required Func<MigrationPlan> Plan { get; init; }

    /// <summary>As set before the stream begins.</summary>
    public double DowntimeLimitMs
    {
        init => limitMs = value;
    }

    /// <summary>A guest was lost for a reason that the documents allow.</summary>
    public string? AllowedLoss { get; private set; }

    /// <summary>The source's monitor answers nothing but what is sent out-of-band.</summary>
    public bool SourceMonitorHangs => SourceStream == StreamStatus.Device && !network.LinkUp && whole;

    public QemuReading ReadSource(int effectCount) => new(SourceGuest, SourceGuest == GuestState.Gone ? StreamStatus.None : SourceStream, effectCount)
    {
        Round = round,
        TransferredBytes = (long)sentBytes,
        RemainingBytes = (long)(leftBytes + zeroBytes),
        MemoryBytes = (long)FirstPassBytes * 2,
    };

    public QemuReading ReadTarget(int effectCount) =>
        new(TargetGuest, TargetGuest == GuestState.Gone ? StreamStatus.None : TargetStream, effectCount);

    /// <summary>Carries out an effect; the answer is QEMU's error, or null.</summary>
    public string? Execute(SourceEffect.Machine effect)
    {
        if (SourceGuest == GuestState.Gone)
        {
            return effect is SourceEffect.QuitGuest ? null : "no process";
        }

        switch (effect)
        {
            case SourceEffect.PauseGuest:
                pausedByAgent = true;
                SetSource(GuestState.Paused);
                return null;
            case SourceEffect.StartMirrors:
                return StartMirrors();
            case SourceEffect.KeepDisksInStep:
                return KeepInStep();
            case SourceEffect.FinishMirrors:
                return FinishMirrors();
            case SourceEffect.StartStream:
                return StartStream();
            case SourceEffect.SetDowntimeLimit limit:
                limitMs = limit.LimitMs;
                return null;
            case SourceEffect.StartPostcopy:
                return StartPostcopy();
            case SourceEffect.SetBandwidth bandwidth:
                Bound(bandwidth.BytesPerSecond);
                return null;
            case SourceEffect.LiftPostcopyBandwidth:
                Bound(null);
                return null;
            case SourceEffect.SetDiskBandwidth:
                return null;
            case SourceEffect.ContinueSwitchover:
                return Continue();
            case SourceEffect.CancelStream:
                EndMirrors();
                return Cancel();
            case SourceEffect.ResumeGuest:
                return Resume();
            case SourceEffect.PauseStream:
                return SourceStream == StreamStatus.PostcopyActive ? Do(Break) : "not in post-copy";
            case SourceEffect.RecoverStream recover:
                return Recover(recover.Attempt);
            case SourceEffect.ReclaimGuest:
                return Reclaim();
            default:
                return Do(KillSource);
        }
    }

    public string? Execute(TargetEffect.Machine effect)
    {
        switch (effect)
        {
            case TargetEffect.StartMachine when TargetGuest == GuestState.Gone:
                TargetGuest = GuestState.Waiting;
                TargetStream = whole ? StreamStatus.Active : StreamStatus.None;
                return null;
            case TargetEffect.StartMachine:
                return null;
            case TargetEffect.Fence:
                return Do(KillTarget);
        }

        if (TargetGuest == GuestState.Gone)
        {
            return "no process";
        }

        switch (effect)
        {
            case TargetEffect.RunGuest:
                world.Check(TargetGuest != GuestState.Waiting, "RunsOnlyWhatArrived", () => "told to run before the state had arrived");
                if (world.Chance(0.02))
                {
                    TargetCouldNotRun = true;
                    return "could not lock the disk";
                }

                SetTarget(GuestState.Running);
                return null;
            case TargetEffect.CutStream:
                return TargetStream == StreamStatus.PostcopyActive ? Do(Break) : "not in post-copy";
            case TargetEffect.ListenAgain listen when TargetStream == StreamStatus.PostcopyPaused:
                listeningAttempt = listen.Attempt;
                return null;
            default:
                return "not paused";
        }
    }

    /// <summary>The target's agent keeps what comes until its QEMU listens, if agents carry the stream.</summary>
    public bool TakeStreamEarly() => targetTakesStream = relayed && world.Chance(0.7);

    /// <summary>The process ends by a fault; what is lost with it is lost with its host.</summary>
    public void FaultKillSource()
    {
        AllowedLoss ??= "the source's QEMU was killed";
        KillSource();
    }

    public void FaultKillTarget()
    {
        if (TargetGuest != GuestState.Gone)
        {
            AllowedLoss ??= "the target's QEMU was killed";
            KillTarget();
        }
    }

    /// <summary>With the host goes what it knew: whether it had run the guest, if it was asked to.</summary>
    public void FaultLoseTargetHost()
    {
        AllowedLoss ??= "the target host was lost";
        FaultKillTarget();
    }

    /// <summary>An agent died: with it the stream, if the agents carry it.</summary>
    public void AgentDied()
    {
        targetTakesStream = targetTakesStream && TargetAgentAlive();
        if (relayed)
        {
            BreakMirrors();
            Break();
        }
    }

    /// <summary>The connection is reset.</summary>
    public void Break()
    {
        if (!whole)
        {
            return;
        }

        whole = false;
        world.Log("stream", () => $"broken (source {SourceStream}, target {TargetStream}/{TargetGuest})");
        BreakTarget();
        BreakSource();
    }

    private string? StartStream()
    {
        if (SourceStream != StreamStatus.None)
        {
            return "a migration is or was under way";
        }

        SourceStream = StreamStatus.Setup;
        limitMs = Plan().DowntimeLimitFirstMs;
        Bound(null);
        leftBytes = roundBytes = FirstPassBytes;
        zeroBytes = zeroTailBytes;
        roundSince = world.Now;
        round = 1;
        whole = (TargetGuest == GuestState.Waiting || targetTakesStream) && network.LinkUp && (!relayed || TargetAgentAlive());
        if (!whole)
        {
            EndSourceStream(StreamStatus.Failed);
            return null;
        }

        TargetStream = TargetGuest == GuestState.Waiting ? StreamStatus.Active : StreamStatus.None;
        TickStream();
        return null;
    }

    private string? Continue()
    {
        if (SourceStream != StreamStatus.PreSwitchover)
        {
            return "not at the barrier";
        }

        world.Check(!whole || TargetGuest != GuestState.Gone, "StopsForTheReady", () => "QEMU was to leave the barrier for a target whose QEMU does not listen");
        world.Check(mirrors is null, "DiskOfTheSameMoment", () => "QEMU was to leave the barrier while it mirrors disks");

        if (!whole)
        {
            EndSourceStream(StreamStatus.Failed);
            return null;
        }

        if (postcopyWanted && world.Chance(0.9))
        {
            SourceStream = StreamStatus.PostcopyActive;
            packageLoaded = false;
        }
        else
        {
            SourceStream = StreamStatus.Device;
        }

        TickStream();
        return null;
    }

    private string? Cancel()
    {
        switch (SourceStream)
        {
            case StreamStatus.PostcopyActive or StreamStatus.PostcopyPaused or StreamStatus.PostcopyRecovering:
                return "not in post-copy";
            case StreamStatus.Setup or StreamStatus.Active or StreamStatus.PreSwitchover or StreamStatus.Device:
                whole = false;
                BreakTarget();
                EndSourceStream(StreamStatus.Cancelled);
                return null;
            default:
                return null;
        }
    }

    private string? Resume()
    {
        if (SourceStream is StreamStatus.PostcopyActive or StreamStatus.PostcopyPaused or StreamStatus.PostcopyRecovering)
        {
            return "not finalized";
        }

        SetSource(GuestState.Running);
        return null;
    }

    /// <summary>QEMU gives the guest back to its CPUs, unless it was stopped before the stream began.</summary>
    private void EndSourceStream(StreamStatus status)
    {
        SourceStream = status;
        if (SourceGuest == GuestState.Paused && !pausedByAgent)
        {
            SetSource(GuestState.Running);
        }
    }

    private void KillSource()
    {
        EndMirrors();
        SourceGuest = GuestState.Gone;
        Break();
        SourceStream = StreamStatus.None;
    }

    private void KillTarget()
    {
        BreakMirrors();
        targetTakesStream = false;
        TargetGuest = GuestState.Gone;
        Break();
        TargetStream = StreamStatus.None;
    }

    private static string? Do(Action action)
    {
        action();
        return null;
    }
}
