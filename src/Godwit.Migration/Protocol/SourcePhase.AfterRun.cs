namespace Godwit.Migration.Protocol;

/// <content>The phases after the order "run": only the target may run the guest, until it proves that it never will.</content>
public abstract partial record SourcePhase
{
    /// <summary>The order stands. A cancel comes too late, and silence decides nothing.</summary>
    public abstract record Irrevocable : SourcePhase
    {
        private protected Irrevocable(Move move)
            : base(move)
        {
        }

        public sealed override HostName Owner => Plan.Target;

        private protected Move Finished(DateTimeOffset now) => Move.Note(trace => trace with { RunningAt = trace.RunningAt ?? now, CompletedAt = now });
    }

    /// <summary>"Run" is ordered, all of the guest is on the target, and the source waits to hear that it runs.</summary>
    public sealed record Activating : Irrevocable
    {
        private Activating(Move move, Repetition repetition)
            : base(move) => Repetition = repetition;

        private Repetition Repetition { get; init; }

        public override string Describe() =>
            $"{Plan.Target} was ordered to run the guest and has not answered; it is asked again until it does, or is declared dead";

        internal static SourceMove Enter(Move move, DateTimeOffset now) => Go(
            new Activating(move.Note(trace => trace with { RunOrderedAt = now }), Repetition.From(now, move.Plan.Patience)),
            new SourceEffect.Send(new Order.Run()));

        internal override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Reported { Report.Standing: TargetStanding.Running or TargetStanding.Completed } => Completing.Enter(Finished(now), now),
            SourceInput.Reported { Report: { Standing: TargetStanding.Refused } report } => TurningBack.EnterRefused(
                Move, new(TurnBackKind.TargetRefused, report.Reason), now),
            SourceInput.Reported { Report: { Standing: TargetStanding.Lost } report } => Losing.Enter(Move, report.Reason, targetEnded: true, now),
            SourceInput.TargetDeclaredDead dead => Losing.Enter(
                Move, $"{dead.Reason}; the guest may have run there, so what is left of it here must not", targetEnded: true, now),
            SourceInput.Tick when now >= Repetition.DueAt =>
                Go(this with { Repetition = Repetition.Next(now, Plan.Patience) }, new SourceEffect.Send(new Order.Run())),
            _ => Stay,
        };
    }

    /// <summary>The guest's CPUs are the target's; a part of its memory is still here and is pulled and pushed over.</summary>
    /// <remarks>
    /// A page that the guest waits for shares the link with what is pushed unasked, and a link's queue is first in, first out. So
    /// the push is held down from the switch until <see cref="BackgroundHush"/> after the guest runs, while it touches its hot
    /// pages one after the other; that cuts the silence seen outside and delays the end by little more than that time.
    /// </remarks>
    public sealed partial record Postcopying : Irrevocable
    {
        internal static readonly TimeSpan BackgroundHush = TimeSpan.FromMilliseconds(300);
        private const double BackgroundShare = 0.1;
        private const long BackgroundBytesPerSecondMin = 1 << 20;

        private Postcopying(Move move, ProgressWatch watch, Repetition repetition)
            : base(move)
        {
            Watch = watch;
            Repetition = repetition;
        }

        /// <summary>The target has the device state: from here on the stream may be broken and mended.</summary>
        internal bool TargetArrived { get; init; }

        public override bool IsStreamVital => (!TargetArrived || NothingLeft) && !AllSent;

        private bool TargetRuns { get; init; }

        /// <summary>QEMU has sent its last page and waits for the word that it arrived: a stream that breaks now cannot be mended.</summary>
        private bool NothingLeft { get; init; }

        private bool AllSent { get; init; }

        /// <summary>The background push goes at full speed.</summary>
        private bool Lifted { get; init; }

        /// <summary>The target never ran the guest and never will: it goes on here, as soon as QEMU has let go of the stream.</summary>
        private string? RefusedBecause { get; init; }

        /// <summary>The stream is broken, and the target has not said that it has the device state.</summary>
        private DateTimeOffset? BrokenSince { get; init; }

        private ProgressWatch Watch { get; init; }

        private Repetition Repetition { get; init; }

        internal override SourcePhase Awoken(TimeSpan slept) => this with { Watch = Watch.Slept(slept) };

        public override string Describe() => (TargetRuns, AllSent) switch
        {
            _ when BrokenSince is not null => $"the stream broke before {Plan.Target} had said that the guest arrived",
            (false, _) => $"{Plan.Target} was ordered to run the guest; its memory follows",
            (true, false) => $"the guest runs on {Plan.Target}; {Move.Trace.RemainingBytes >> 20} MiB of its memory are still here",
            _ => $"the guest runs on {Plan.Target}, which has yet to say that all of its memory is there",
        };

        /// <summary>What may be pushed unasked at first, on a link that carries that much.</summary>
        internal static long BackgroundBytesPerSecond(double linkBytesPerSecond) =>
            Math.Max(BackgroundBytesPerSecondMin, (long)(linkBytesPerSecond * BackgroundShare));

        internal static SourceMove Enter(Move move, QemuReading reading, DateTimeOffset now)
        {
            var ordered = move.Note(trace => trace.With(reading) with
            {
                Postcopy = true,
                PausedAt = trace.PausedSince(reading, now),
                RunOrderedAt = trace.RunOrderedAt ?? now,
            });
            return Go(
                new Postcopying(ordered, new(reading.TransferredBytes, reading.Stream, now), Repetition.From(now, move.Plan.Patience)),
                new SourceEffect.Send(new Order.Run()));
        }

        /// <summary>After a recovery, or when QEMU mended the stream before it was asked to.</summary>
        internal static SourceMove Mended(Move move, bool targetRuns, DateTimeOffset now) => Go(
            new Postcopying(move, new(0, StreamStatus.None, now), Repetition.From(now, move.Plan.Patience)) { TargetArrived = true, TargetRuns = targetRuns, Lifted = true },
            new SourceEffect.LiftPostcopyBandwidth(),
            new SourceEffect.Send(targetRuns ? new Order.Ask() : new Order.Run()));

        internal override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Reported reported => Heard(reported.Report, now),
            SourceInput.Observed observed => Saw(observed.Reading, now),
            SourceInput.StreamMoved moved => Go(this with { Watch = Watch.Saw(moved.Bytes, now) }),
            SourceInput.TargetDeclaredDead dead => Losing.Enter(Move, dead.Reason, targetEnded: true, now),
            SourceInput.Tick when RefusedBecause is not null && now >= Repetition.DueAt => Go(
                this with { Repetition = Repetition.Next(now, Plan.Patience) }, new SourceEffect.PauseStream()),

            SourceInput.Tick when !Lifted && TargetRuns && now - (Move.Trace.RunningAt ?? now) >= BackgroundHush =>
                Go(this with { Lifted = true }, new SourceEffect.LiftPostcopyBandwidth()),

            // Before the target has the device state a broken stream could not be mended: TCP must be given all its time.
            // Nor after the last page was sent.
            SourceInput.Tick when TargetArrived && !NothingLeft && !AllSent && Watch.Stands(now, Plan.Patience.Pull) =>
                Recovering.Enter(Move, TargetRuns, now).And(new SourceEffect.PauseStream()),
            SourceInput.Tick when now >= Repetition.DueAt => Go(this with { Repetition = Repetition.Next(now, Plan.Patience) }, new SourceEffect.Send(Repeated(now))),
            _ => Stay,
        };

        /// <summary>
        /// A target without the device state cannot get it any more. Its QEMU may end by that, or hang for ever on a page that the devices need, so it
        /// is told to refuse; which it does not once it has written that the guest may run there.
        /// </summary>
        private Order Repeated(DateTimeOffset now) => TargetRuns ? new Order.Ask()
            : now - BrokenSince > Plan.Patience.Switchover ? new Order.Abort(Describe())
            : new Order.Run();

        private SourceMove Heard(Report report, DateTimeOffset now) => report.Standing switch
        {
            TargetStanding.Arrived => Go(this with { TargetArrived = true }),
            TargetStanding.Running => Go(this with
            {
                TargetArrived = true,
                TargetRuns = true,
                Move = Move.Note(trace => trace with { RunningAt = trace.RunningAt ?? now }),
            }),
            TargetStanding.Completed => Completing.Enter(Finished(now), now),
            TargetStanding.Refused => (this with { RefusedBecause = report.Reason }).Judge(now),
            TargetStanding.Lost => Losing.Enter(Move, report.Reason, targetEnded: true, now),
            _ => Stay,
        };

        private SourceMove Saw(QemuReading reading, DateTimeOffset now)
        {
            var seen = this with
            {
                Watch = Watch.Saw(reading, now),
                BrokenSince = reading.Stream == StreamStatus.PostcopyPaused ? BrokenSince ?? now : null,
                NothingLeft = reading is { Stream: StreamStatus.PostcopyActive, RemainingBytes: 0, TransferredBytes: > 0 },
                Move = Move.Note(trace => trace.With(reading)),
            };
            return reading switch
            {
                { Guest: GuestState.Gone } => Losing.Enter(
                    seen.Move, "the source's QEMU ended while a part of the guest's memory was still there", targetEnded: false, now),
                { Stream: StreamStatus.PostcopyPaused } when RefusedBecause is { } reason => Reclaiming.Enter(seen.Move, reason, now),
                { HasLetGo: true } when RefusedBecause is { } reason => TurningBack.EnterRefused(seen.Move, new(TurnBackKind.TargetRefused, reason), now),
                { HasLetGo: true } => Asking.Enter(seen.Move, now),
                { Stream: StreamStatus.PostcopyPaused } when TargetArrived => Recovering.Enter(seen.Move, TargetRuns, now),
                { Stream: StreamStatus.Completed, Guest: GuestState.PostMigrate } => (seen with { AllSent = true }).Judge(now),
                _ => Go(seen),
            };
        }

        private SourceMove Judge(DateTimeOffset now) => AllSent && RefusedBecause is { } reason
            ? TurningBack.EnterRefused(Move, new(TurnBackKind.TargetRefused, reason), now)
            : Go(this);
    }

    /// <summary>The post-copy stream is broken: the guest stands still where it misses memory, until the stream is mended.</summary>
    public sealed record Recovering : Irrevocable
    {
        private Recovering(Move move, int attempt, Repetition repetition)
            : base(move)
        {
            Attempt = attempt;
            Repetition = repetition;
        }

        /// <summary>Counts from 1, and on over all interruptions of this move.</summary>
        public int Attempt { get; private init; }

        private bool TargetRuns { get; init; }

        /// <summary>The target listens, and QEMU has been told to connect.</summary>
        private bool Connecting { get; init; }

        /// <summary>As QEMU last said; a stream that still lives must be stopped first.</summary>
        private StreamStatus Stream { get; init; }

        private Repetition Repetition { get; init; }

        public override string Describe() =>
            $"the stream is broken with memory on both sides; attempt {Attempt} to mend it, repeated until it is or a host is declared dead";

        internal static SourceMove Enter(Move move, bool targetRuns, DateTimeOffset now)
        {
            var noted = move.Note(trace => trace with { RecoveryCount = trace.RecoveryCount + 1 });
            return Go(
                new Recovering(noted, noted.Trace.RecoveryCount, Repetition.From(now, move.Plan.Patience)) { TargetRuns = targetRuns },
                new SourceEffect.Send(new Order.Recover(noted.Trace.RecoveryCount)));
        }

        internal override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Reported { Report.Standing: TargetStanding.Completed } => Completing.Enter(Finished(now), now),
            SourceInput.Reported { Report: { Standing: TargetStanding.Refused } report } => Reclaiming.Enter(Move, report.Reason, now),
            SourceInput.Reported { Report: { Standing: TargetStanding.Lost } report } => Losing.Enter(Move, report.Reason, targetEnded: true, now),
            SourceInput.Reported reported => Heard(reported.Report, now),
            SourceInput.TargetDeclaredDead dead => Losing.Enter(Move, dead.Reason, targetEnded: true, now),
            SourceInput.Observed observed => Saw(observed.Reading, now),
            SourceInput.Tick when now >= Repetition.DueAt => Again(now),
            _ => Stay,
        };

        private SourceMove Heard(Report report, DateTimeOffset now)
        {
            var next = report.Standing == TargetStanding.Running
                ? this with { TargetRuns = true, Move = Move.Note(trace => trace with { RunningAt = trace.RunningAt ?? now }) }
                : this;
            return report.ListeningAttempt == Attempt && !Connecting && Stream == StreamStatus.PostcopyPaused
                ? Go(next with { Connecting = true }, new SourceEffect.RecoverStream(Attempt))
                : Go(next);
        }

        private SourceMove Saw(QemuReading reading, DateTimeOffset now) => reading switch
        {
            { Guest: GuestState.Gone } => Losing.Enter(
                Move, "the source's QEMU ended while a part of the guest's memory was still there", targetEnded: false, now),
            { Stream: StreamStatus.Completed } => Postcopying.Mended(Move, TargetRuns, now),
            { HasLetGo: true } => Asking.Enter(Move, now),
            { Stream: StreamStatus.PostcopyActive } when Connecting => Postcopying.Mended(Move, TargetRuns, now),
            { Stream: StreamStatus.PostcopyPaused } when Connecting => Failed(now),
            _ => Go(this with { Stream = reading.Stream }),
        };

        /// <summary>This attempt's connection broke too. The next one waits for its turn, or a dead link would be dialled without pause.</summary>
        private SourceMove Failed(DateTimeOffset now)
        {
            var attempt = Attempt + 1;
            return Go(this with
            {
                Attempt = attempt,
                Connecting = false,
                Stream = StreamStatus.PostcopyPaused,
                Repetition = Repetition.Next(now, Plan.Patience),
                Move = Move.Note(trace => trace with { RecoveryCount = attempt }),
            });
        }

        private SourceMove Again(DateTimeOffset now)
        {
            List<SourceEffect> effects = [new SourceEffect.Send(new Order.Recover(Attempt))];
            if (!TargetRuns)
            {
                effects.Insert(0, new SourceEffect.Send(new Order.Run()));
            }

            if (Stream == StreamStatus.PostcopyActive && !Connecting)
            {
                effects.Add(new SourceEffect.PauseStream());
            }

            return Go(this with { Repetition = Repetition.Next(now, Plan.Patience) }, [.. effects]);
        }
    }
}
