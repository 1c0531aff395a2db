using Godwit.Migration.Models;

namespace Godwit.Migration.Protocol;

/// <summary>
/// What the source's engine wants done. Effects on QEMU (<see cref="Machine"/>) are carried out one after the other, in
/// order, and a reading follows them; each may be asked for again and must not mind.
/// </summary>
public abstract record SourceEffect
{
    private SourceEffect()
    {
    }

    /// <summary>Answered by <see cref="SourceInput.Persisted"/> when it is on disk.</summary>
    public sealed record Persist(SourceRecord Record) : SourceEffect;

    /// <summary>The move is over: its record may go. Tried until it is gone; a record that stays is asked about again, in vain.</summary>
    public sealed record Forget : SourceEffect;

    public sealed record Send(Order Order) : SourceEffect;

    public abstract record Machine : SourceEffect;

    public sealed record PauseGuest : Machine;

    public sealed record StartStream : Machine;

    /// <summary>Begin to copy the disks that go along to the target's export.</summary>
    public sealed record StartMirrors : Machine;

    /// <summary>From now on acknowledge a write to the guest only when the target has it too.</summary>
    public sealed record KeepDisksInStep : Machine;

    /// <summary>
    /// At the barrier: end the mirrors with the target's disks exact and flushed. Answered by
    /// <see cref="SourceInput.DisksFinished"/> and by nothing else: an outcome that is unknown is not that.
    /// </summary>
    public sealed record FinishMirrors : Machine;

    public sealed record SetDowntimeLimit(double LimitMs) : Machine;

    /// <summary>Bound what the rounds may send, in bytes per second; null: what the move itself may.</summary>
    public sealed record SetBandwidth(long? BytesPerSecond) : Machine;

    /// <summary>Bound what the mirrors may send, all together, by what the move itself may now.</summary>
    public sealed record SetDiskBandwidth : Machine;

    /// <summary>
    /// Stop the guest and go on by post-copy: a guest that was stopped by QEMU itself would be run again by it when the stream breaks
    /// at its very end (<see cref="SourcePhase.Asking"/>). At first no more than <paramref name="BackgroundBytesPerSecond"/> is pushed unasked, so that the pages
    /// which the guest waits for do not queue behind it.
    /// </summary>
    public sealed record StartPostcopy(long BackgroundBytesPerSecond) : Machine;

    /// <summary>Post-copy: the guest has what it needs first; push the rest as fast as the move may.</summary>
    public sealed record LiftPostcopyBandwidth : Machine;

    /// <summary>Leave the barrier: send the rest.</summary>
    public sealed record ContinueSwitchover : Machine;

    /// <summary>End the mirrors of disks, and the stream, by force if it hangs. QEMU then runs the guest again by itself unless all had been sent.</summary>
    public sealed record CancelStream : Machine;

    public sealed record ResumeGuest : Machine;

    /// <summary>Post-copy: break the stream so that it can be recovered.</summary>
    public sealed record PauseStream : Machine;

    public sealed record RecoverStream(int Attempt) : Machine;

    /// <summary>
    /// Post-copy whose stream is paused, its target dead without ever having run the guest: bring QEMU to let go of the stream, with the
    /// guest as it was when it was stopped.
    /// </summary>
    public sealed record ReclaimGuest : Machine;

    /// <summary>The guest is elsewhere, or lost: end this QEMU.</summary>
    public sealed record QuitGuest : Machine;
}

/// <summary>What the source's engine is told.</summary>
public abstract record SourceInput
{
    private SourceInput()
    {
    }

    public sealed record Persisted(SourceRecord Record) : SourceInput;

    public sealed record PersistFailed(SourceRecord Record, string Reason) : SourceInput;

    public sealed record Reported(Report Report) : SourceInput;

    public sealed record Observed(QemuReading Reading) : SourceInput;

    public sealed record DisksObserved(DiskReading Reading) : SourceInput;

    /// <summary>The mirrors have ended, and the target's disks are exact.</summary>
    public sealed record DisksFinished : SourceInput;

    /// <summary>Bytes that the stream and the mirrors have carried, as counted outside QEMU: its monitor hangs while it sends the last of them.</summary>
    public sealed record StreamMoved(long Bytes) : SourceInput;

    /// <summary>An effect on QEMU was refused; a reading follows.</summary>
    public sealed record MachineFailed(SourceEffect.Machine Effect, string Reason) : SourceInput;

    public sealed record Tick : SourceInput;

    /// <summary>The agent, or all of its host, stood still for so long: no watchdog may count that against the link.</summary>
    public sealed record Slept(TimeSpan Time) : SourceInput;

    /// <summary>What the forecast, made while the target prepared, knows of the guest's writes.</summary>
    public sealed record Forecasted(DirtyCurve Dirty) : SourceInput;

    /// <summary>About as much of the guest's memory is not zero.</summary>
    public sealed record FirstPassExpected(double Bytes) : SourceInput;

    /// <summary>What the move may cost has changed; repeating it changes nothing. See <c>SourcePhase.Budget.cs</c>.</summary>
    public sealed record BudgetChanged(MoveBudget Budget) : SourceInput;

    /// <summary>All guests of the service are in their last round: stop this one now.</summary>
    public sealed record SwitchoverOrdered : SourceInput;

    /// <summary>The service's record was read, and this is what it says; repeated for as long as the move lasts.</summary>
    public sealed record Decided(ServiceDecision Decision, string Reason) : SourceInput;

    public sealed record CancelRequested(string Reason) : SourceInput;

    /// <summary>An operator, or a fencing device, vouches that the target host is dead and stays so.</summary>
    public sealed record TargetDeclaredDead(string Reason) : SourceInput;
}
