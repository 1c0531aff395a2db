namespace Godwit.Migration.Protocol;

/// <content>
/// The two ways in which post-copy ends without the target. QEMU has a point of no return of its own, <c>postcopy-active</c>, which comes before the
/// target runs the guest, and it has an end of its own, at which it waits for the word that the last page arrived:
/// <code>
///     postcopy-active ──▶ the target has the devices ──▶ "run" ─ ─ ─ ─ ▶ the last page is sent ──▶ its receipt ──▶ completed
///         └─────────────┬─────────────────────────────────┘                    └──────────┬────────────┘
///        a break here is mended, or the target refuses               a break here fails the stream, and QEMU takes
///        and dies: Reclaiming, the guest goes on here                its guest back, wherever it may run: Asking
/// </code>
/// For the second QEMU would run the guest again by itself, as it does when a stream breaks before the switch; it does not if the guest was stopped
/// by order before. That is why a guest is stopped before it is told to go on by post-copy.
/// </content>
public abstract partial record SourcePhase
{
    /// <summary>
    /// In post-copy, by QEMU, and the target never ran the guest and never will: all of it is here as it was when it was stopped. QEMU is
    /// brought to let go of the stream; then the guest runs here again.
    /// </summary>
    public sealed record Reclaiming : SourcePhase
    {
        /// <summary>A QEMU that would not let go so often, over some forty seconds, never will.</summary>
        internal const int FailuresMax = 10;

        private Reclaiming(Move move, string reason, Repetition repetition)
            : base(move)
        {
            Reason = reason;
            Repetition = repetition;
        }

        public string Reason { get; }

        public override HostName Owner => Plan.Source;

        private Repetition Repetition { get; init; }

        private int Failures { get; init; }

        private string LastFailure { get; init; } = "";

        public override string Describe() => LastFailure.Length == 0
            ? $"taking the guest back ({Reason})"
            : $"taking the guest back ({Reason}); failed {Failures} of at most {FailuresMax} times: {LastFailure}";

        internal static SourceMove Enter(Move move, string reason, DateTimeOffset now) =>
            Go(new Reclaiming(move, reason, Repetition.From(now, move.Plan.Patience)), new SourceEffect.ReclaimGuest());

        internal override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Observed { Reading.Guest: GuestState.Gone } => Losing.Enter(
                Move, $"{Reason}; the source's QEMU ended before it had taken the guest back", targetEnded: true, now),
            SourceInput.Observed { Reading.InPostcopy: false } => TurningBack.EnterRefused(Move, new(TurnBackKind.TargetRefused, Reason), now),
            SourceInput.Observed { Reading.Stream: StreamStatus.PostcopyActive } when now >= Repetition.DueAt => Again(new SourceEffect.PauseStream(), now),
            SourceInput.Observed { Reading.Stream: StreamStatus.PostcopyPaused } when now >= Repetition.DueAt => Again(new SourceEffect.ReclaimGuest(), now),
            SourceInput.MachineFailed { Effect: SourceEffect.ReclaimGuest } failed when Failures + 1 >= FailuresMax =>
                Losing.Enter(Move, $"{Reason}; the source's QEMU did not give the guest back: {failed.Reason}", targetEnded: true, now),
            SourceInput.MachineFailed { Effect: SourceEffect.ReclaimGuest } failed => Go(this with { Failures = Failures + 1, LastFailure = failed.Reason }),
            _ => Stay,
        };

        private SourceMove Again(SourceEffect.Machine step, DateTimeOffset now) => Go(this with { Repetition = Repetition.Next(now, Plan.Patience) }, step);
    }

    /// <summary>
    /// QEMU has let go of a stream that may have been in post-copy. The guest stands still here, and whether it runs there only the target can say.
    /// </summary>
    public sealed record Asking : SourcePhase
    {
        private const string Reason = "the stream ended at the source before it was told that all had arrived";

        private Asking(Move move, Repetition repetition)
            : base(move) => Repetition = repetition;

        public override HostName Owner => Plan.Target;

        private Repetition Repetition { get; init; }

        /// <summary>The target runs it. What was under way may still arrive, or was lost with the stream: then so is the guest.</summary>
        private DateTimeOffset? RunsSince { get; init; }

        internal override SourcePhase Awoken(TimeSpan slept) => this with { RunsSince = RunsSince + slept };

        public override string Describe() => RunsSince is null
            ? $"{Reason}; asking {Plan.Target} whether the guest runs there"
            : $"{Reason}; the guest runs on {Plan.Target}, which has yet to say that all of its memory is there";

        internal static SourceMove Enter(Move move, DateTimeOffset now) =>
            Go(new Asking(move, Repetition.From(now, move.Plan.Patience)), new SourceEffect.Send(new Order.Abort(Reason)));

        internal override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Reported { Report.Standing: TargetStanding.Completed } => Completing.Enter(
                Move.Note(trace => trace with { RunningAt = trace.RunningAt ?? now, CompletedAt = now }), now),
            SourceInput.Reported { Report: { Standing: TargetStanding.Refused } report } => TurningBack.EnterRefused(
                Move, new(TurnBackKind.TargetRefused, report.Reason), now),
            SourceInput.Reported { Report: { Standing: TargetStanding.Lost } report } => Losing.Enter(Move, report.Reason, targetEnded: true, now),
            SourceInput.Reported { Report.Standing: TargetStanding.Running } => Go(this with { RunsSince = RunsSince ?? now }),
            SourceInput.TargetDeclaredDead dead => Losing.Enter(
                Move, $"{dead.Reason}; the guest may have run there, so what is left of it here must not", targetEnded: true, now),
            SourceInput.Observed { Reading.Guest: GuestState.Gone } => Fencing.Enter(Move, new(TurnBackKind.StreamFailed, Reason), guestGone: true, now),
            SourceInput.Tick when now - RunsSince > Plan.Patience.Progress => Losing.Enter(
                Move, $"{Reason}, and a part of the guest's memory was lost with it", targetEnded: false, now),
            SourceInput.Tick when now >= Repetition.DueAt => Go(
                this with { Repetition = Repetition.Next(now, Plan.Patience) }, new SourceEffect.Send(new Order.Abort(Reason))),
            _ => Stay,
        };
    }
}
