using Godwit.Migration.Convergence;
using Godwit.Migration.Models;

namespace Godwit.Migration.Protocol;

/// <content>
/// A QEMU takes a part of a second to start, or several where its host is busy. The stream need not wait for it: the
/// target's agent takes it in and keeps what comes until its QEMU listens.
/// <code>
///  Preparing ─ "I take the stream" ─▶ Arming ─▶ Opening ─ "ready" ─▶ Precopying
///      └────────────── "ready" ────────▶ Arming ──────────────────────────▲
/// </code>
/// <b>The guest is not stopped for a target that may never be ready.</b> The downtime limit is zero until it is, so QEMU goes on with
/// rounds; a guest that writes nothing at all may still reach the barrier, and waits there no longer than the switch-over may take.
/// Nothing else changes: the guest is the source's, and a target that cannot start refuses and turns the move back as ever.
/// </content>
public abstract partial record SourcePhase
{
    /// <summary>Memory is copied already; the target's QEMU is still being started.</summary>
    public sealed partial record Opening : Streaming
    {
        /// <summary>Often enough for its answers to tell a target that is slow from a link that is dead.</summary>
        private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(1);

        private Opening(Move move, ConvergenceController controller, ProgressWatch watch, Repetition repetition)
            : base(move)
        {
            Controller = controller;
            Watch = watch;
            Repetition = repetition;
        }

        /// <summary>It sees the rounds, so that it knows them when its advice begins to count.</summary>
        internal ConvergenceController Controller { get; private init; }

        private ProgressWatch Watch { get; init; }

        private Repetition Repetition { get; init; }

        public override string Describe() => $"copying memory while {Plan.Target} gets ready";

        internal static SourceMove Enter(Move move, DateTimeOffset now) => Go(
            new Opening(
                move.Note(trace => trace with { StreamStartedAt = now }),
                new(move.Plan.Convergence),
                new(0, StreamStatus.None, now),
                Repetition.From(now, move.Plan.Patience)),
            new SourceEffect.StartStream(),
            new SourceEffect.SetDowntimeLimit(0));

        internal override SourcePhase Awoken(TimeSpan slept) => this with { Watch = Watch.Slept(slept) };

        internal override SourcePhase Knowing(DirtyCurve dirty) => this with
        {
            Move = Move.Expecting(dirty),
            Controller = Controller with { Settings = Controller.Settings with { ExpectedDirty = dirty } },
        };

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Reported { Report.Standing: TargetStanding.Ready } => Go(
                new Precopying(Move, Controller, Watch with { MovedAt = now }), new SourceEffect.SetDowntimeLimit(Controller.DowntimeLimitMs)),
            SourceInput.Observed { Reading: { StreamLives: true } reading } => Saw(reading, now),
            SourceInput.Observed { Reading: { Stream: not StreamStatus.None } reading } => TurnBack(TurnBackKind.StreamFailed, Words(reading), now),
            SourceInput.StreamMoved moved => Go(this with { Watch = Watch.Saw(moved.Bytes, now) }),

            // What is kept for it may be full, but it answers: the link lives.
            SourceInput.Reported => Go(this with { Watch = Watch with { MovedAt = now } }),
            SourceInput.MachineFailed { Effect: SourceEffect.StartStream or SourceEffect.SetDowntimeLimit } failed =>
                TurnBack(TurnBackKind.StreamFailed, failed.Reason, now),
            SourceInput.Tick when now - Move.Trace.BeganAt > Plan.Patience.Preparation => TurnBack(
                TurnBackKind.TargetSilent, $"{Plan.Target} was not ready within {Plan.Patience.Preparation.TotalSeconds:0} s", now),
            SourceInput.Tick when now - Move.Trace.PausedAt > Plan.Patience.Switchover => TurnBack(
                TurnBackKind.TargetSilent, $"the guest stood still for {Plan.Patience.Switchover.TotalSeconds:0} s and {Plan.Target} was still not ready", now),
            SourceInput.Tick when Watch.Stands(now, Plan.Patience.Progress) => TurnBack(TurnBackKind.LinkDead, Stood(Plan), now),
            SourceInput.Tick when now >= Repetition.DueAt =>
                Go(this with { Repetition = new(now + AskAgain, AskAgain) }, new SourceEffect.Send(new Order.Prepare())),
            _ => Stay,
        };

        private SourceMove Saw(QemuReading reading, DateTimeOffset now)
        {
            var elapsed = now - (Move.Trace.StreamStartedAt ?? now);
            var (controller, _) = Controller.Observe(new(elapsed, reading.Round, reading.TransferredBytes, reading.RemainingBytes, reading.MemoryBytes));
            return Go(this with
            {
                Controller = controller,
                Watch = Watch.Saw(reading, now),
                Move = Move.Note(trace => trace.With(reading) with
                {
                    PausedAt = reading.Stream == StreamStatus.PreSwitchover ? trace.PausedSince(reading, now) : null,
                    BytesPerSecond = controller.BytesPerSecond,
                    DirtyBytesPerSecond = controller.DirtyBytesPerSecond,
                    RoundsSeen = controller.RoundsSeen,
                }),
            });
        }
    }
}
