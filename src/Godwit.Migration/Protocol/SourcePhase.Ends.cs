namespace Godwit.Migration.Protocol;

/// <content>The ways out: back to the source, on to the target, or the loss of the guest with a host.</content>
public abstract partial record SourcePhase
{
    /// <summary>"Run" was not sent, or was refused for good: QEMU must let go of the stream, and the guest run here again.</summary>
    public sealed record TurningBack : SourcePhase
    {
        private TurningBack(Move move, TurnBackReason reason, Repetition repetition)
            : base(move)
        {
            Reason = reason;
            Repetition = repetition;
        }

        public TurnBackReason Reason { get; }

        public override HostName Owner => Plan.Source;

        /// <summary>The target has said that it never will: nothing is left to tell it.</summary>
        private bool TargetRefused { get; init; }

        /// <summary>As last seen; null: not yet, since the stream was told to end.</summary>
        private QemuReading? Seen { get; init; }

        private Repetition Repetition { get; init; }

        public override string Describe() => $"going back to the source ({Reason.Text})";

        internal static SourceMove Enter(Move move, TurnBackReason reason, DateTimeOffset now) =>
            Go(new TurningBack(move, reason, Repetition.From(now, move.Plan.Patience)));

        internal static SourceMove EnterRefused(Move move, TurnBackReason reason, DateTimeOffset now) => Go(
            new TurningBack(move, reason, Repetition.From(now, move.Plan.Patience)) { TargetRefused = true }, new SourceEffect.ResumeGuest());

        /// <summary>All of the service return: "run" was not ordered, and the stream has ended.</summary>
        internal static SourceMove EnterReturned(Move move, TurnBackReason reason, DateTimeOffset now) =>
            Go(new TurningBack(move, reason, Repetition.From(now, move.Plan.Patience)), new SourceEffect.ResumeGuest());

        internal override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Observed observed => Saw(observed.Reading, now),
            SourceInput.Tick when now >= Repetition.DueAt => Go(
                this with { Repetition = Repetition.Next(now, Plan.Patience) },
                Seen is { StreamLives: false } ? new SourceEffect.ResumeGuest() : new SourceEffect.CancelStream()),
            _ => Stay,
        };

        private SourceMove Saw(QemuReading reading, DateTimeOffset now)
        {
            if (reading.Guest == GuestState.Gone)
            {
                // What was seen first, by either end, may be no more than its effect.
                return Fencing.Enter(Move, Reason with { Text = $"{Reason.Text}; the source's QEMU has ended" }, guestGone: true, now);
            }

            if (reading.InPostcopy)
            {
                // QEMU had passed the barrier before it could be called back. The target has not been told to refuse: this
                // phase does not tell it, for this very case.
                return Postcopying.Enter(Move, reading, now);
            }

            if (reading.StreamLives)
            {
                return Go(this with { Seen = reading });
            }

            if (reading.Guest != GuestState.Running)
            {
                var first = Seen is not { StreamLives: false };
                return first ? Go(this with { Seen = reading }, new SourceEffect.ResumeGuest()) : Go(this with { Seen = reading });
            }

            return TargetRefused ? Go(new Aborted(Move, Reason), new SourceEffect.Forget()) : Fencing.Enter(Move, Reason, guestGone: false, now);
        }
    }

    /// <summary>The guest runs on the source as if nothing had happened (or is gone with its QEMU); the target is told until it says that it is clean.</summary>
    public sealed record Fencing : SourcePhase
    {
        private Fencing(Move move, TurnBackReason reason, bool guestGone, Repetition repetition)
            : base(move)
        {
            Reason = reason;
            GuestGone = guestGone;
            Repetition = repetition;
        }

        public TurnBackReason Reason { get; }

        /// <summary>The source's QEMU is gone, so the question is whether the target has the guest.</summary>
        public bool GuestGone { get; }

        public override HostName Owner => GuestGone ? Plan.Target : Plan.Source;

        private Repetition Repetition { get; init; }

        public override string Describe() => GuestGone
            ? $"the guest is not on {Plan.Source} any more; asking {Plan.Target} whether it runs there"
            : $"the guest runs on {Plan.Source}; {Plan.Target} has yet to say that it cleaned up ({Reason.Text})";

        internal static SourceMove Enter(Move move, TurnBackReason reason, bool guestGone, DateTimeOffset now) => Go(
            new Fencing(move, reason, guestGone, Repetition.From(now, move.Plan.Patience)), new SourceEffect.Send(new Order.Abort(reason.Text)));

        internal override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Reported { Report.Standing: TargetStanding.Refused or TargetStanding.Lost } or SourceInput.TargetDeclaredDead => End(),
            SourceInput.Reported { Report.Standing: TargetStanding.Completed } when GuestGone =>
                Go(new Completed(Move.Note(trace => trace with { RunningAt = now, CompletedAt = now })), new SourceEffect.Forget()),

            // It runs there, but misses what was here: post-copy. If nothing is missing, the target says so instead.
            SourceInput.Reported { Report.Standing: TargetStanding.Running } when GuestGone => Losing.Enter(Move, Reason.Text, targetEnded: false, now),
            SourceInput.Tick when now >= Repetition.DueAt => Go(
                this with { Repetition = Repetition.Next(now, Plan.Patience) }, new SourceEffect.Send(new Order.Abort(Reason.Text))),
            _ => Stay,
        };

        private SourceMove End() => Go(GuestGone ? new GuestLost(Move, Reason.Text) : new Aborted(Move, Reason), new SourceEffect.Forget());
    }

    /// <summary>The guest runs on the target, whole. What is left here is an empty shell.</summary>
    public sealed record Completing : SourcePhase
    {
        private Completing(Move move, Repetition repetition)
            : base(move) => Repetition = repetition;

        public override HostName Owner => Plan.Target;

        private Repetition Repetition { get; init; }

        public override string Describe() => $"the guest runs on {Plan.Target}; ending the source's QEMU";

        internal static SourceMove Enter(Move move, DateTimeOffset now) =>
            Go(new Completing(move, Repetition.From(now, move.Plan.Patience)), new SourceEffect.QuitGuest());

        internal override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Observed { Reading.Guest: GuestState.Gone } => Go(new Completed(Move), new SourceEffect.Forget()),
            SourceInput.Tick when now >= Repetition.DueAt => Go(this with { Repetition = Repetition.Next(now, Plan.Patience) }, new SourceEffect.QuitGuest()),
            _ => Stay,
        };
    }

    /// <summary>The guest cannot be saved: both sides' remains are removed, so that a restart elsewhere meets none of them.</summary>
    public sealed record Losing : SourcePhase
    {
        private Losing(Move move, string reason, bool targetEnded, Repetition repetition)
            : base(move)
        {
            Reason = reason;
            TargetEnded = targetEnded;
            Repetition = repetition;
        }

        public string Reason { get; }

        public override HostName Owner => Plan.Target;

        private bool TargetEnded { get; init; }

        private bool SourceEnded { get; init; }

        private Repetition Repetition { get; init; }

        public override string Describe() => $"the guest is lost ({Reason}); its remains are being removed";

        internal static SourceMove Enter(Move move, string reason, bool targetEnded, DateTimeOffset now)
        {
            var entered = Go(new Losing(move, reason, targetEnded, Repetition.From(now, move.Plan.Patience)), new SourceEffect.QuitGuest());
            return targetEnded ? entered : entered.And(new SourceEffect.Send(new Order.Bury(reason)));
        }

        internal override SourceMove On(SourceInput input, DateTimeOffset now) => input switch
        {
            SourceInput.Observed { Reading.Guest: GuestState.Gone } => (this with { SourceEnded = true }).EndIfDone(),
            SourceInput.Reported { Report.Standing: TargetStanding.Lost or TargetStanding.Refused } or SourceInput.TargetDeclaredDead =>
                (this with { TargetEnded = true }).EndIfDone(),

            // All of its memory had arrived after all.
            SourceInput.Reported { Report.Standing: TargetStanding.Completed } =>
                Completing.Enter(Move.Note(trace => trace with { RunningAt = trace.RunningAt ?? now, CompletedAt = now }), now),
            SourceInput.Tick when now >= Repetition.DueAt => Again(now),
            _ => Stay,
        };

        private SourceMove Again(DateTimeOffset now)
        {
            List<SourceEffect> effects = [];
            if (!SourceEnded)
            {
                effects.Add(new SourceEffect.QuitGuest());
            }

            if (!TargetEnded)
            {
                effects.Add(new SourceEffect.Send(new Order.Bury(Reason)));
            }

            return Go(this with { Repetition = Repetition.Next(now, Plan.Patience) }, [.. effects]);
        }

        private SourceMove EndIfDone() => SourceEnded && TargetEnded ? Go(new GuestLost(Move, Reason), new SourceEffect.Forget()) : Go(this);
    }

    /// <summary>An end: nothing follows, and the record is gone.</summary>
    public abstract record Terminal : SourcePhase
    {
        private protected Terminal(Move move)
            : base(move)
        {
        }

        public sealed override bool IsEnd => true;

        internal sealed override SourceMove On(SourceInput input, DateTimeOffset now) => Stay;
    }

    /// <summary>The guest runs on the target, whole; the source holds nothing of it.</summary>
    public sealed record Completed(Move Move) : Terminal(Move)
    {
        public override HostName Owner => Plan.Target;

        public override string Describe() => $"the guest runs on {Plan.Target}";
    }

    /// <summary>The guest runs on the source as if nothing had happened, and the target holds nothing of it.</summary>
    public sealed record Aborted(Move Move, TurnBackReason Reason) : Terminal(Move)
    {
        public override HostName Owner => Plan.Source;

        public override string Describe() => $"the guest stayed on {Plan.Source}: {Reason.Text}";
    }

    /// <summary>The guest is gone with a host or its QEMU; nothing of it runs anywhere.</summary>
    public sealed record GuestLost(Move Move, string Reason) : Terminal(Move)
    {
        public override HostName Owner => Plan.Target;

        public override string Describe() => $"the guest is lost: {Reason}";
    }
}
