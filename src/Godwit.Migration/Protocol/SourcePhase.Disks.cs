namespace Godwit.Migration.Protocol;

/// <content>
/// Disks that only the source has go along. Who holds what, and in which order:
/// <code>
///              source's disk          target's file                     guest writes
///  Mirroring    the guest's           filled over NBD                   to the source; copied again later
///     │ copied once                     │
///     │ "keep in step"                  │                               to both, acknowledged when both have them
///  Precopying … (memory, as ever)       │
///     │ barrier: the guest stands still │
///  FinishingDisks  mirrors end, the target has flushed: exact           none
///     │ only now may QEMU leave the barrier
///  SwitchingOver   let go of by QEMU    still nobody's                  none
///  ══ "run" ══     a remainder          the export ends, then "cont"    to the target
/// </code>
/// <b>The source's disk stays whole</b> until "run" was ordered: a mirror only reads it, so turning back at any point is
/// to end the mirrors and nothing else. The target's file is nobody's until then and is removed with its QEMU.
/// <b>The target's disk is exact before the guest can run there</b>, because the barrier is not left before the mirrors
/// have ended well; a mirror that breaks at any moment before that turns the move back.
/// </content>
public abstract partial record SourcePhase
{
    /// <summary>The guest runs here while its disks are copied; memory follows when they are in step.</summary>
    public sealed partial record Mirroring : Streaming
    {
        private Mirroring(Move move, ProgressWatch watch)
            : base(move) => Watch = watch;

        internal ProgressWatch Watch { get; init; }

        private bool IsTightened { get; init; }

        public override string Describe() => $"copying disks, {Move.Trace.DiskCopiedBytes >> 20} of {Move.Trace.DiskTotalBytes >> 20} MiB";

        internal static SourceMove Enter(Move move, DateTimeOffset now) => Go(
            new Mirroring(move.Note(trace => trace with { DisksStartedAt = now }), new(0, StreamStatus.None, now)), new SourceEffect.StartMirrors());

        internal override SourcePhase Awoken(TimeSpan slept) => this with { Watch = Watch.Slept(slept) };

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.DisksObserved { Reading: { State: DiskCopyState.InStep } reading } =>
                Precopying.Enter(Move.Note(trace => trace.With(reading) with { DisksInStepAt = now }), now),
            SourceInput.DisksObserved { Reading: { State: DiskCopyState.Copied } } observed when !IsTightened =>
                (this with { IsTightened = true }).Saw(observed.Reading, now).And(new SourceEffect.KeepDisksInStep()),
            SourceInput.DisksObserved observed => Saw(observed.Reading, now),
            SourceInput.StreamMoved moved => Go(this with { Watch = Watch.Saw(moved.Bytes, now) }),
            SourceInput.MachineFailed { Effect: SourceEffect.StartMirrors or SourceEffect.KeepDisksInStep } failed =>
                TurnBack(TurnBackKind.DisksFailed, failed.Reason, now),
            SourceInput.Tick when Watch.Stands(now, Plan.Patience.Disks) => TurnBack(TurnBackKind.LinkDead, Stood(Plan), now),
            _ => Stay,
        };

        private SourceMove Saw(DiskReading reading, DateTimeOffset now) => Go(this with
        {
            Watch = reading.CopiedBytes > Move.Trace.DiskCopiedBytes ? Watch with { MovedAt = now } : Watch,
            Move = Move.Note(trace => trace.With(reading)),
        });
    }

    /// <summary>The guest stands still at the barrier; its mirrors are being ended, with all that they hold written and flushed at the target.</summary>
    public sealed record FinishingDisks : Streaming
    {
        internal FinishingDisks(Move move, ProgressWatch watch)
            : base(move) => Watch = watch;

        internal ProgressWatch Watch { get; init; }

        public override string Describe() => "the guest stands still; the target is writing the last of its disks";

        internal override SourcePhase Awoken(TimeSpan slept) => this with { Watch = Watch.Slept(slept) };

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.DisksFinished => Go(
                new SwitchingOver(Move, Watch with { MovedAt = now }, Repetition.From(now, Plan.Patience)),
                new SourceEffect.ContinueSwitchover(),
                new SourceEffect.Send(new Order.Ask())),
            SourceInput.MachineFailed { Effect: SourceEffect.FinishMirrors } failed => TurnBack(TurnBackKind.DisksFailed, failed.Reason, now),
            SourceInput.Observed { Reading: { Stream: StreamStatus.PreSwitchover } reading } => Go(this with { Watch = Watch.Saw(reading, now) }),
            SourceInput.Observed observed => TurnBack(TurnBackKind.StreamFailed, Words(observed.Reading), now),
            SourceInput.StreamMoved moved => Go(this with { Watch = Watch.Saw(moved.Bytes, now) }),
            SourceInput.Tick when Watch.Stands(now, Plan.Patience.Progress) => TurnBack(
                TurnBackKind.SwitchoverStalled, $"{Plan.Target} did not write the last of the guest's disks in time", now),
            _ => Stay,
        };
    }
}
