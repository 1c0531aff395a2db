using Godwit.Migration.Convergence;

namespace Godwit.Migration.Protocol;

/// <content>
/// Guests that are one service are switched over together, or none of them (docs/decisions/0008). A member's way:
/// <code>
///  Precopying ─▶ Gathering ── "all are there: pause" ─▶ EndingRounds ─▶ SwitchingOver ─▶ Awaiting
///  the guest runs, its rounds go on                     the guest stands still            ready: all has arrived
///      │             │                                    │               │                  │
///      ▼             ▼     by its own judgement, or       ▼               ▼                  │ only by the record
///  TurningBack  ◀────┴───── because all return  ──────────┴───────────────┘                  │
///      ▲                                                                                     │
///      └───────────────────────── ReturnAll ──────────────────────────────────────────────────┤
///  ═══════════════════════════════════════════════ "run" ══════════════════════════════════════╪═════
///  Activating ◀────────────────── RunAll ─────────────────────────────────────────────────────┘
/// </code>
/// <b>Before Awaiting</b> the member has not said that it is ready, and without its word <c>RunAll</c> cannot be written: it
/// may turn back as a guest that moves alone.
/// <para>
/// <b>In Awaiting</b> it does what the record says and nothing else. It may ask that all return
/// (<see cref="Awaiting.ReturnReason"/>), which is granted unless <c>RunAll</c> came first. An agent that was restarted and
/// finds that it may have been here reads the record too: ordering "run" again, as for a guest that moves alone, could
/// start this one while the others return.
/// </para>
/// <b>After RunAll</b> the rules of one guest hold.
/// </content>
public abstract partial record SourcePhase
{
    /// <content>The rounds of a guest that is one of a service: it does not stop when it could, but says that it could.</content>
    public sealed partial record Precopying
    {
        private ServicePace Pace { get; init; } = ServicePace.Unbounded;

        /// <param name="began">A round has just begun: only then does what is left say how long the next stop would be.</param>
        private SourceMove Gather(QemuReading reading, ConvergenceAdvice advice, bool began, DateTimeOffset now)
        {
            var (pace, isChanged) = Pace.Observe(reading, now - (Move.Trace.StreamStartedAt ?? now));
            var fits = reading.Round > 1 && began && reading.RemainingBytes <= pace.FullBytesPerSecond * Plan.Convergence.DowntimeBudgetMs / 1000;
            var next = (fits, advice) switch
            {
                (false, ConvergenceAdvice.EndRounds ended) when Plan.Convergence.Action == NonConvergenceAction.GiveUp => EndRounds(ended.Rule, now),
                (false, ConvergenceAdvice.EndRounds ended) => Gathering.Enter(Move.Note(trace => trace with { EndedBy = ended.Rule }), Watch, pace, now),
                (false, not ConvergenceAdvice.SetDowntimeLimit) => Go(this with { Pace = pace }),
                _ => Gathering.Enter(Move, Watch, pace, now),
            };
            return isChanged && next.Phase is (Precopying or Gathering) ? next.And(new SourceEffect.SetBandwidth(pace.BytesPerSecond)) : next;
        }
    }

    /// <summary>The guest runs here, its memory nearly in step, until all of its service have come so far.</summary>
    public sealed partial record Gathering : Streaming
    {
        private Gathering(Move move, ProgressWatch watch, ServicePace pace, DateTimeOffset since)
            : base(move)
        {
            Watch = watch;
            Pace = pace;
            Since = since;
        }

        internal ProgressWatch Watch { get; init; }

        private ServicePace Pace { get; init; }

        private DateTimeOffset Since { get; init; }

        public override string Describe() => "in its last rounds; waiting for the other guests of its service";

        internal static SourceMove Enter(Move move, ProgressWatch watch, ServicePace pace, DateTimeOffset now) =>
            Go(new Gathering(move, watch, pace, now));

        internal override SourcePhase Awoken(TimeSpan slept) => this with { Watch = Watch.Slept(slept) };

        private protected override SourceMove Further(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Observed observed when Barrier(Move, observed.Reading, Watch, now) is { } beyond => beyond,
            SourceInput.Observed { Reading: { StreamLives: true } reading } => Sample(reading, now),
            SourceInput.Observed { Reading: { Stream: not StreamStatus.None } reading } => TurnBack(TurnBackKind.StreamFailed, Words(reading), now),
            SourceInput.StreamMoved moved => Go(this with { Watch = Watch.Saw(moved.Bytes, now) }),
            SourceInput.SwitchoverOrdered => Go(
                new EndingRounds(Move.Note(trace => trace with { EndedBy = trace.EndedBy ?? TerminationRule.ServiceTogether }), Watch with { MovedAt = now }),
                new SourceEffect.SetBandwidth(null),
                new SourceEffect.SetDowntimeLimit(EndingRounds.DowntimeLimitMaxMs)),
            SourceInput.Tick when Watch.Stands(now, Plan.Patience.Progress) => TurnBack(TurnBackKind.LinkDead, Stood(Plan), now),
            SourceInput.Tick when now - Since > Plan.Patience.Gathering => TurnBack(
                TurnBackKind.ServiceIncomplete,
                $"the other guests of its service did not come to their last round within {Plan.Patience.Gathering.TotalSeconds:0} s",
                now),
            _ => Stay,
        };

        private SourceMove Sample(QemuReading reading, DateTimeOffset now)
        {
            var (pace, isChanged) = Pace.Observe(reading, now - (Move.Trace.StreamStartedAt ?? now));
            var next = this with { Pace = pace, Watch = Watch.Saw(reading, now), Move = Move.Note(trace => trace.With(reading)) };
            return isChanged ? Go(next, new SourceEffect.SetBandwidth(pace.BytesPerSecond)) : Go(next);
        }
    }

    /// <summary>All of the guest is at the target, and it stands still on both hosts: what follows is decided for all of its service at once.</summary>
    public sealed record Awaiting : SourcePhase
    {
        private Awaiting(Move move, bool sourceFinished, bool targetArrived, bool mayHaveRun, DateTimeOffset now)
            : base(move)
        {
            SourceFinished = sourceFinished;
            TargetArrived = targetArrived;
            MayHaveRun = mayHaveRun;
            Since = now;
            Repetition = Repetition.From(now, move.Plan.Patience);
        }

        /// <summary>It can be run at the target, and still be resumed here. The word that <c>RunAll</c> needs of every member.</summary>
        public bool IsReady => SourceFinished && TargetArrived;

        /// <summary>Why this member asks that all return; null: it does not. Asking decides nothing.</summary>
        public string? ReturnReason { get; private init; }

        public override HostName Owner => MayHaveRun ? Plan.Target : Plan.Source;

        /// <summary>An earlier life of the agent may have read <c>RunAll</c> and ordered "run".</summary>
        private bool MayHaveRun { get; }

        /// <summary>
        /// The source's QEMU says <c>completed</c>. One that is gone may have run the guest again before it ended, and then what
        /// has arrived is not the guest any more.
        /// </summary>
        private bool SourceFinished { get; }

        private bool TargetArrived { get; init; }

        private DateTimeOffset Since { get; init; }

        private Repetition Repetition { get; init; }

        public override string Describe() => ReturnReason is { } reason
            ? $"the guest stands still, and asks that all of its service return: {reason}"
            : IsReady ? $"ready to run on {Plan.Target}; waiting for what is decided for all of its service"
            : $"asking {Plan.Target} whether the guest has arrived, and waiting for what was decided for all of its service";

        internal static SourceMove Enter(Move move, DateTimeOffset now) => Go(new Awaiting(move, sourceFinished: true, targetArrived: true, mayHaveRun: false, now));

        /// <summary>After the agent's restart.</summary>
        internal static SourceMove EnterAgain(Move move, QemuReading reading, DateTimeOffset now) =>
            Go(
                new Awaiting(move, sourceFinished: reading.Guest == GuestState.PostMigrate, targetArrived: false, mayHaveRun: true, now), new SourceEffect.Send(new Order.Ask()));

        internal override SourcePhase Awoken(TimeSpan slept) => this with { Since = Since + slept };

        internal override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Decided { Decision: ServiceDecision.RunAll } => Activating.Enter(Move, now),
            SourceInput.Decided { Decision: ServiceDecision.ReturnAll } returned => Return(returned.Reason, now),

            // The target must be asked who runs it, and ordering "run" is the question; if it never was ordered, nobody else can have been told to.
            SourceInput.Decided { Decision: ServiceDecision.Missing } when MayHaveRun => Activating.Enter(Move, now),
            SourceInput.Decided { Decision: ServiceDecision.Missing } missing => Return(missing.Reason, now),
            SourceInput.Reported { Report.Standing: TargetStanding.Arrived } => Go(this with { TargetArrived = true }),
            SourceInput.Reported { Report: { Standing: TargetStanding.Refused or TargetStanding.Lost } report } => Ask(report.Reason),
            SourceInput.CancelRequested cancel => Ask(cancel.Reason),
            SourceInput.TargetDeclaredDead dead => Ask(dead.Reason),
            SourceInput.Tick when ReturnReason is null && now - Since > Plan.Patience.Decision =>
                Ask($"nothing was decided for its service within {Plan.Patience.Decision.TotalSeconds:0} s"),
            SourceInput.Tick when !TargetArrived && now >= Repetition.DueAt =>
                Go(this with { Repetition = Repetition.Next(now, Plan.Patience) }, new SourceEffect.Send(new Order.Ask())),
            _ => Stay,
        };

        private SourceMove Ask(string reason) => Go(this with { ReturnReason = ReturnReason ?? reason });

        private SourceMove Return(string reason, DateTimeOffset now) => TurningBack.EnterReturned(Move, new(TurnBackKind.ServiceReturns, reason), now);
    }
}
