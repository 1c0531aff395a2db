using Godwit.Migration.Convergence;
using Godwit.Migration.Models;

namespace Godwit.Migration.Protocol;

/// <content>The phases in which the source owns the guest and nothing would be lost by turning back.</content>
public abstract partial record SourcePhase
{
    /// <summary>On the way to the order "run": every refusal, failure or cancel turns back.</summary>
    public abstract record Revocable : SourcePhase
    {
        private protected Revocable(Move move)
            : base(move)
        {
        }

        public sealed override HostName Owner => Plan.Source;

        internal sealed override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.CancelRequested cancel => TurnBack(TurnBackKind.Cancelled, cancel.Reason, now),
            SourceInput.TargetDeclaredDead dead => TurnBack(TurnBackKind.TargetDead, dead.Reason, now),
            SourceInput.Reported { Report: { Standing: TargetStanding.Refused } report } => TurnBack(TurnBackKind.TargetRefused, report.Reason, now),
            SourceInput.DisksObserved { Reading: { State: DiskCopyState.Broken } reading } =>
                TurnBack(TurnBackKind.DisksFailed, $"a disk could not be copied: {reading.Failure}", now),
            SourceInput.Decided { Decision: ServiceDecision.ReturnAll or ServiceDecision.Missing } returned =>
                TurnBack(TurnBackKind.ServiceReturns, returned.Reason, now),
            SourceInput.PersistFailed failed => TurnBack(TurnBackKind.JournalFailed, failed.Reason, now),
            SourceInput.Observed { Reading.Guest: GuestState.Gone } => Fencing.Enter(
                Move, new(TurnBackKind.StreamFailed, "the source's QEMU ended while the guest was still its own"), guestGone: true, now),
            _ => Further(input, now),
        };

        private protected abstract SourceMove Further(SourceInput input, DateTimeOffset now);

        /// <summary>Before there is a stream the guest runs as ever, and only the target has to be told.</summary>
        private protected virtual SourceMove TurnBack(TurnBackKind kind, string text, DateTimeOffset now) =>
            Fencing.Enter(Move, new(kind, text), guestGone: false, now);
    }

    /// <summary>As <see cref="Revocable"/>, with a stream that has to be ended first.</summary>
    public abstract record Streaming : Revocable
    {
        private protected Streaming(Move move)
            : base(move)
        {
        }

        private protected sealed override SourceMove TurnBack(TurnBackKind kind, string text, DateTimeOffset now) =>
            TurningBack.Enter(Move, new(kind, text), now).And(new SourceEffect.CancelStream());
    }

    /// <summary>The record that a target is asked is being written.</summary>
    public sealed record Recording(Move Move) : Revocable(Move)
    {
        public override string Describe() => "recording the move";

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input is SourceInput.Persisted
            ? Go(new Preparing(Move, Repetition.From(now, Plan.Patience)), new SourceEffect.Send(new Order.Prepare()))
            : Stay;
    }

    /// <summary>The target is asked to get ready.</summary>
    public sealed record Preparing(Move Move, Repetition Repetition) : Revocable(Move)
    {
        public override string Describe() => $"waiting for {Plan.Target} to be ready";

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Reported { Report.Standing: TargetStanding.Ready } => Arm(targetReady: true),
            SourceInput.Reported { Report: { Standing: TargetStanding.Preparing, TakesStream: true } } when Plan.OpensEarly => Arm(targetReady: false),
            SourceInput.Tick when now - Move.Trace.BeganAt > Plan.Patience.Preparation => TurnBack(
                TurnBackKind.TargetSilent, $"{Plan.Target} was not ready within {Plan.Patience.Preparation.TotalSeconds:0} s", now),
            SourceInput.Tick when now >= Repetition.DueAt =>
                Go(this with { Repetition = Repetition.Next(now, Plan.Patience) }, new SourceEffect.Send(new Order.Prepare())),
            _ => Stay,
        };

        private SourceMove Arm(bool targetReady) => Go(new Arming(Move, targetReady), new SourceEffect.Persist(SourceRecord.HandingOver));
    }

    /// <summary>
    /// The target is ready, or takes the stream in before it is; the record that the guest may be found paused is being written.
    /// </summary>
    public sealed record Arming(Move Move, bool TargetReady) : Revocable(Move)
    {
        public override string Describe() => "recording that the guest is about to be handed over";

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Reported { Report.Standing: TargetStanding.Ready } => Go(this with { TargetReady = true }),
            SourceInput.Persisted { Record: SourceRecord.HandingOver } when Plan.MovesDisks => Mirroring.Enter(Move, now),
            SourceInput.Persisted { Record: SourceRecord.HandingOver } => TargetReady ? Precopying.Enter(Move, now) : Opening.Enter(Move, now),
            _ => Stay,
        };
    }

    /// <summary>The guest runs (cold: stands) here while its memory is copied in rounds.</summary>
    public sealed partial record Precopying : Streaming
    {
        internal Precopying(Move move, ConvergenceController controller, ProgressWatch watch)
            : base(move)
        {
            Controller = controller;
            Watch = watch;
        }

        public ConvergenceController Controller { get; internal init; }

        internal static SourceMove Enter(Move move, DateTimeOffset now)
        {
            var cold = move.Plan.Mode == MigrationMode.Cold;
            var precopying = new Precopying(
                move.Note(trace => trace with
                {
                    StreamStartedAt = now,
                    PausedAt = cold ? now : null,
                    EndedBy = cold ? TerminationRule.StoppedFirst : null,
                }),
                new(move.Plan.Convergence),
                new(0, StreamStatus.None, now));
            return cold
                ? Go(precopying, new SourceEffect.PauseGuest(), new SourceEffect.StartStream())
                : Go(precopying, new SourceEffect.StartStream());
        }

        internal ProgressWatch Watch { get; init; }

        internal override SourcePhase Awoken(TimeSpan slept) => this with { Watch = Watch.Slept(slept) };

        public override string Describe() => $"copying memory, round {Controller.Current.Round}";

        internal override SourcePhase Knowing(DirtyCurve dirty) => this with
        {
            Move = Move.Expecting(dirty),
            Controller = Controller with { Settings = Controller.Settings with { ExpectedDirty = dirty } },
        };

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Observed observed when Barrier(Move, observed.Reading, Watch, now) is { } beyond => beyond,
            SourceInput.Observed { Reading.StreamLives: true } observed => Sample(observed.Reading, now),
            SourceInput.Observed { Reading: { Stream: not StreamStatus.None } reading } => TurnBack(TurnBackKind.StreamFailed, Words(reading), now),
            SourceInput.StreamMoved moved => Go(this with { Watch = Watch.Saw(moved.Bytes, now) }),

            // A bound that stays would hold the stream back for ever (SourcePhase.Opening.cs).
            SourceInput.MachineFailed { Effect: SourceEffect.StartStream or SourceEffect.PauseGuest or SourceEffect.SetBandwidth { BytesPerSecond: null } } failed =>
                TurnBack(TurnBackKind.StreamFailed, failed.Reason, now),
            SourceInput.Tick when Watch.Stands(now, Plan.Patience.Progress) => TurnBack(TurnBackKind.LinkDead, Stood(Plan), now),
            _ => Stay,
        };

        private SourceMove Sample(QemuReading reading, DateTimeOffset now)
        {
            var (controller, advice) = Controller.Observe(PrecopySample.Of(reading, now - (Move.Trace.StreamStartedAt ?? now)));
            var next = this with
            {
                Controller = controller,
                Watch = Watch.Saw(reading, now),
                Move = Move.Note(trace => trace.With(reading) with
                {
                    BytesPerSecond = controller.BytesPerSecond,
                    DirtyBytesPerSecond = controller.DirtyBytesPerSecond,
                    RoundsSeen = controller.RoundsSeen,
                }),
            };
            return advice switch
            {
                _ when Plan.IsOfService => next.Gather(reading, advice, began: controller.Current.Round > Controller.Current.Round, now),
                ConvergenceAdvice.SetDowntimeLimit limit => Go(next, new SourceEffect.SetDowntimeLimit(limit.LimitMs)),
                ConvergenceAdvice.EndRounds ended => next.EndRounds(ended.Rule, now),
                _ => Go(next),
            };
        }

        private SourceMove EndRounds(TerminationRule rule, DateTimeOffset now)
        {
            var move = Move.Note(trace => trace with { EndedBy = rule });
            return Plan.Convergence.Action switch
            {
                NonConvergenceAction.GiveUp => (this with { Move = move }).TurnBack(
                    TurnBackKind.NotConverging, $"the rounds ended by the rule {rule} and the policy is to leave the guest where it is", now),
                NonConvergenceAction.Postcopy when Plan.PostcopyOpen => Go(
                    new EndingRounds(move, Watch), new SourceEffect.StartPostcopy(Postcopying.BackgroundBytesPerSecond(Controller.BytesPerSecond))),
                _ => Go(new EndingRounds(move, Watch), new SourceEffect.SetDowntimeLimit(EndingRounds.DowntimeLimitMaxMs)),
            };
        }
    }

    /// <summary>A rule has ended the rounds; QEMU has been told to go to the barrier, and takes the next chance to.</summary>
    public sealed partial record EndingRounds : Streaming
    {
        /// <summary>QEMU's largest: the guest is stopped at once, however long the rest takes.</summary>
        internal const double DowntimeLimitMaxMs = 2_000_000;

        internal EndingRounds(Move move, ProgressWatch watch)
            : base(move) => Watch = watch;

        internal ProgressWatch Watch { get; init; }

        internal override SourcePhase Awoken(TimeSpan slept) => this with { Watch = Watch.Slept(slept) };

        public override string Describe() => $"ending the rounds ({Move.Trace.EndedBy})";

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Observed observed when Barrier(Move, observed.Reading, Watch, now) is { } beyond => beyond,
            SourceInput.Observed { Reading: { StreamLives: true } reading } =>
                Go(this with { Watch = Watch.Saw(reading, now), Move = Move.Note(trace => trace.With(reading)) }),
            SourceInput.Observed observed => TurnBack(TurnBackKind.StreamFailed, Words(observed.Reading), now),
            SourceInput.StreamMoved moved => Go(this with { Watch = Watch.Saw(moved.Bytes, now) }),

            // Post-copy refused: stop the guest for as long as the rest takes, as if it had not been possible.
            SourceInput.MachineFailed { Effect: SourceEffect.StartPostcopy } => StayAnd(new SourceEffect.SetDowntimeLimit(DowntimeLimitMaxMs)),
            SourceInput.Tick when Watch.Stands(now, Plan.Patience.Progress) => TurnBack(TurnBackKind.LinkDead, Stood(Plan), now),
            _ => Stay,
        };
    }

    /// <summary>
    /// The guest stands still; the rest of its state is on its way. QEMU's monitor may hang until that is sent.
    /// </summary>
    public sealed record SwitchingOver : Streaming
    {
        internal SwitchingOver(Move move, ProgressWatch watch, Repetition repetition)
            : base(move)
        {
            Watch = watch;
            Repetition = repetition;
        }

        /// <summary>QEMU has said <c>completed</c>: it will not resume the guest by itself.</summary>
        public bool SourceFinished { get; private init; }

        public bool TargetArrived { get; private init; }

        internal ProgressWatch Watch { get; init; }

        private Repetition Repetition { get; init; }

        internal override SourcePhase Awoken(TimeSpan slept) => this with { Watch = Watch.Slept(slept) };

        public override string Describe() => "the guest stands still; its last state is being sent";

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Observed { Reading.InPostcopy: true } observed => Postcopying.Enter(Move, observed.Reading, now),
            SourceInput.Observed { Reading: { Stream: StreamStatus.Completed, Guest: GuestState.PostMigrate } reading } => (this with
            {
                SourceFinished = true,
                Move = Move.Note(trace => trace.With(reading)),
                Watch = Watch.Saw(reading, now),
            }).RunIfReady(now),

            // QEMU says "completed" an instant before it says "postmigrate": only the second is final.
            SourceInput.Observed { Reading: { StreamLives: true } or { Stream: StreamStatus.Completed, Guest: GuestState.Paused } } observed =>
                Go(this with { Watch = Watch.Saw(observed.Reading, now) }),
            SourceInput.Observed observed => TurnBack(TurnBackKind.StreamFailed, Words(observed.Reading), now),
            SourceInput.Reported { Report.Standing: TargetStanding.Arrived } => (this with { TargetArrived = true }).RunIfReady(now),
            SourceInput.StreamMoved moved => Go(this with { Watch = Watch.Saw(moved.Bytes, now) }),
            SourceInput.MachineFailed { Effect: SourceEffect.ContinueSwitchover } failed => TurnBack(TurnBackKind.StreamFailed, failed.Reason, now),
            SourceInput.Tick when Watch.Stands(now, Plan.Patience.Switchover) => TurnBack(
                TurnBackKind.SwitchoverStalled, $"the last of the guest's state did not reach {Plan.Target}: {Stood(Plan)}", now),
            SourceInput.Tick when now >= Repetition.DueAt =>
                Go(this with { Repetition = Repetition.Next(now, Plan.Patience) }, new SourceEffect.Send(new Order.Ask())),
            _ => Stay,
        };

        /// <summary>The point of no return: both must be seen, in whichever order they come.</summary>
        private SourceMove RunIfReady(DateTimeOffset now) =>
            !SourceFinished || !TargetArrived ? Go(this)
            : Plan.IsOfService ? Awaiting.Enter(Move, now)
            : Activating.Enter(Move, now);
    }

    /// <summary>Where a streaming phase goes when QEMU stands at the barrier, or is beyond it already; null: it is before it.</summary>
    private static SourceMove? Barrier(Move move, QemuReading reading, ProgressWatch watch, DateTimeOffset now)
    {
        if (reading.InPostcopy)
        {
            return Postcopying.Enter(move, reading, now);
        }

        if (reading.Stream is not (StreamStatus.PreSwitchover or StreamStatus.Device or StreamStatus.Completed))
        {
            return null;
        }

        var paused = move.Note(trace => trace.With(reading) with
        {
            PausedAt = trace.PausedSince(reading, now),
            BarrierAt = trace.BarrierAt ?? now,
            RestBytes = reading.RemainingBytes,
            EndedBy = trace.EndedBy ?? TerminationRule.FitsDowntimeLimit,
        });
        if (move.Plan.MovesDisks)
        {
            return reading.Stream == StreamStatus.PreSwitchover
                ? Go(new FinishingDisks(paused, watch.Saw(reading, now)), new SourceEffect.FinishMirrors())
                : TurningBack.Enter(move, new(TurnBackKind.DisksFailed, "QEMU left the barrier before the disks were finished"), now).And(new SourceEffect.CancelStream());
        }

        var switching = new SwitchingOver(paused, watch.Saw(reading, now), Repetition.From(now, move.Plan.Patience));
        return reading.Stream == StreamStatus.PreSwitchover
            ? Go(switching, new SourceEffect.ContinueSwitchover(), new SourceEffect.Send(new Order.Ask()))
            : switching.On(new SourceInput.Observed(reading), now).And(new SourceEffect.Send(new Order.Ask()));
    }

    private static string Words(QemuReading reading) =>
        reading.Failure.Length > 0 ? $"QEMU ended the stream: {reading.Failure}" : $"QEMU ended the stream ({reading.Stream})";

    private static string Stood(MigrationPlan plan) => $"not one byte has moved between {plan.Source} and {plan.Target} for the time allowed";
}
