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
/// <b>The guest is not stopped for a target that may never be ready.</b> QEMU 10 stops it by two rules. What is left is less than the
/// limit: so the limit is its smallest until the target is ready. Or nothing is left: so the last of each round is held back
/// (<see cref="OpeningPace"/>). The limit is not zero, for with zero QEMU would not even look for what the guest wrote meanwhile: it would
/// stop it at the end of the first pass, and send all of that while it stands still. A guest that writes nothing for a whole round may
/// still reach the barrier, when the end of a round came between two looks; it waits there for a moment, and then the move is turned back.
/// Nothing else changes: the guest is the source's, and a target that cannot start refuses and turns the move back as ever.
/// </content>
public abstract partial record SourcePhase
{
    /// <summary>Memory is copied already; the target's QEMU is still being started.</summary>
    public sealed partial record Opening : Streaming
    {
        /// <summary>Often enough for its answers to tell a target that is slow from a link that is dead.</summary>
        private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(1);

        /// <summary>QEMU's smallest.</summary>
        internal const double DowntimeLimitMs = ServicePace.DowntimeLimitMs;

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

        private OpeningPace Pace { get; init; } = new();

        private DateTimeOffset PaceSince { get; init; }

        public override string Describe() => $"copying memory while {Plan.Target} gets ready";

        internal static SourceMove Enter(Move move, DateTimeOffset now) => Go(
            new Opening(
                move.Note(trace => trace with { StreamStartedAt = now }),
                new(move.Plan.Convergence),
                new(0, StreamStatus.None, now),
                Repetition.From(now, move.Plan.Patience)),
            new SourceEffect.StartStream(),
            new SourceEffect.SetDowntimeLimit(DowntimeLimitMs));

        internal override SourcePhase Awoken(TimeSpan slept) => this with { Watch = Watch.Slept(slept) };

        internal override SourcePhase Knowing(DirtyCurve dirty) => this with
        {
            Move = Move.Expecting(dirty),
            Controller = Controller with { Settings = Controller.Settings with { ExpectedDirty = dirty } },
        };

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Reported { Report.Standing: TargetStanding.Ready } => Ready(now),
            SourceInput.Observed { Reading: { StreamLives: true } reading } => Saw(reading, now),
            SourceInput.Observed { Reading: { Stream: not StreamStatus.None } reading } => TurnBack(TurnBackKind.StreamFailed, Words(reading), now),
            SourceInput.StreamMoved moved => Go(this with { Watch = Watch.Saw(moved.Bytes, now) }),

            // What is kept for it may be full, but it answers: the link lives.
            SourceInput.Reported => Go(this with { Watch = Watch with { MovedAt = now } }),
            SourceInput.MachineFailed { Effect: SourceEffect.StartStream or SourceEffect.SetDowntimeLimit or SourceEffect.SetBandwidth } failed =>
                TurnBack(TurnBackKind.StreamFailed, failed.Reason, now),
            SourceInput.Tick when now - Move.Trace.BeganAt > Plan.Patience.Preparation => TurnBack(
                TurnBackKind.TargetSilent, $"{Plan.Target} was not ready within {Plan.Patience.Preparation.TotalSeconds:0} s", now),
            SourceInput.Tick when now - Move.Trace.PausedAt > StandMax => TurnBack(
                TurnBackKind.TargetSilent, $"the guest stood still for {StandMax.TotalSeconds:0.0} s and {Plan.Target} was still not ready", now),
            SourceInput.Tick when Watch.Stands(now, Plan.Patience.Progress) => TurnBack(TurnBackKind.LinkDead, Stood(Plan), now),
            SourceInput.Tick when now >= Repetition.DueAt =>
                Go(this with { Repetition = new(now + AskAgain, AskAgain) }, new SourceEffect.Send(new Order.Prepare())),
            _ => Stay,
        };

        /// <summary>A policy that lets the guest stand still for longer means it.</summary>
        private TimeSpan StandMax => TimeSpan.FromMilliseconds(
            Math.Min(Plan.Patience.Switchover.TotalMilliseconds, Math.Max(Plan.Patience.Unready.TotalMilliseconds, Plan.Convergence.DowntimeBudgetMs)));

        private SourceMove Ready(DateTimeOffset now)
        {
            var next = new Precopying(Waited(now), Controller, Watch with { MovedAt = now });
            var limit = new SourceEffect.SetDowntimeLimit(Controller.DowntimeLimitMs);
            return Pace.IsHeld

                // What was held back says nothing of the link.
                ? Go(next with { Controller = Controller.Under(Controller.Settings, isRateChanged: true) }, new SourceEffect.SetBandwidth(null), limit)
                : Go(next, limit);
        }

        private Move Waited(DateTimeOffset now) =>
            Pace.IsHeld ? Move.Note(trace => trace with { HeldBackFor = trace.HeldBackFor + ((trace.PausedAt ?? now) - PaceSince) }) : Move;

        private SourceMove Saw(QemuReading reading, DateTimeOffset now)
        {
            var (pace, isPaceChanged) = reading.Stream == StreamStatus.PreSwitchover ? (Pace, false) : Pace.Observe(reading, Plan.ExpectedFirstPassBytes);
            var (controller, _) = Controller.Observe(PrecopySample.Of(reading, now - (Move.Trace.StreamStartedAt ?? now)));
            var next = this with
            {
                Controller = controller,
                Watch = Watch.Saw(reading, now),
                Pace = pace,
                PaceSince = isPaceChanged ? now : PaceSince,
                Move = (isPaceChanged ? Waited(now) : Move).Note(trace => trace.With(reading) with
                {
                    PausedAt = reading.Stream == StreamStatus.PreSwitchover ? trace.PausedSince(reading, now) : null,
                    BytesPerSecond = controller.BytesPerSecond,
                    DirtyBytesPerSecond = controller.DirtyBytesPerSecond,
                    RoundsSeen = controller.RoundsSeen,
                }),
            };
            return isPaceChanged ? Go(next, new SourceEffect.SetBandwidth(pace.BytesPerSecond)) : Go(next);
        }
    }
}
