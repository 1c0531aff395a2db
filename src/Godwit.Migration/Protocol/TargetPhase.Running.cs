namespace Godwit.Migration.Protocol;

/// <content>From the grant on: this host owns the guest.</content>
public abstract partial record TargetPhase
{
    /// <summary>The grant is on disk; QEMU is told to run the guest until it is seen to.</summary>
    public sealed record Starting : TargetPhase
    {
        /// <summary>After so many errors of QEMU's own, with the guest seen never to have run, it is refused and goes back to the source.</summary>
        public const int ErrorsMax = 3;

        private Starting(bool mayHaveRun) => MayHaveRun = mayHaveRun;

        public override TargetStanding Standing => TargetStanding.Arrived;

        public override bool Owns => true;

        /// <summary>
        /// An order to QEMU may have been obeyed unseen, by an earlier life or before a monitor hung. A guest found standing
        /// still may then have run and stopped, so it is never refused.
        /// </summary>
        private bool MayHaveRun { get; init; }

        private int Errors { get; init; }

        /// <summary>QEMU has answered the newest order with an error.</summary>
        private bool Answered { get; init; }

        private string LastError { get; init; } = "";

        private Mending Mending { get; init; }

        public override string Describe() => LastError.Length == 0 ? "starting the guest" : $"starting the guest; QEMU answered: {LastError}";

        public override Report Report => new(Standing, Mending.ListeningAttempt, Describe());

        internal static TargetMove Enter(bool mayHaveRun) => Go(new Starting(mayHaveRun), new TargetEffect.RunGuest());

        /// <summary>After a restart, with a QEMU whose main loop hangs: it was told to run or was not, and nothing more is told until it answers.</summary>
        internal static TargetMove EnterUnseen() => Go(new Starting(mayHaveRun: true));

        internal override TargetMove On(TargetInput input, DateTimeOffset now) => input switch
        {
            TargetInput.Observed { Reading: { Guest: GuestState.Running } reading } => Running.Enter(reading, Mending),

            // Gone before it could be told: what answered the order was no QEMU, so the guest never ran.
            TargetInput.Observed { Reading.Guest: GuestState.Gone } when !MayHaveRun && Answered =>
                Refusing.EnterAfterGrant($"QEMU ended before it was told to run the guest: {LastError}"),
            TargetInput.Observed { Reading.Guest: GuestState.Gone } => Burying.Enter("QEMU ended when the guest was to run", recorded: false),
            TargetInput.MachineFailed { Effect: TargetEffect.RunGuest } failed => Go(this with { Errors = Errors + 1, Answered = true, LastError = failed.Reason }),

            // It stands still and QEMU has answered each time that it would not run it, so it never ran. In post-copy nobody
            // else could run it.
            TargetInput.Observed { Reading: { Guest: GuestState.Paused, Stream: StreamStatus.Completed } } when Errors >= ErrorsMax && !MayHaveRun && Answered =>
                Refusing.EnterAfterGrant($"QEMU would not run the guest: {LastError}"),
            TargetInput.Observed { Reading.Guest: GuestState.Paused } => Go(
                this with { MayHaveRun = MayHaveRun || !Answered, Answered = false }, new TargetEffect.RunGuest()),
            TargetInput.Ordered { Order: Order.Recover recover } when recover.Attempt > Mending.ListeningAttempt => Mend(recover.Attempt),
            TargetInput.Listening listening => GoAndTell(this with { Mending = Mending.Listens(listening.Attempt) }),
            TargetInput.Ordered => Tell,
            _ => Stay,
        };

        private TargetMove Mend(int attempt)
        {
            var next = this with { Mending = Mending.Wants(attempt) };
            return Go(next, next.Mending.Steps);
        }
    }

    /// <summary>The guest runs here, and pulls what is still at the source.</summary>
    public sealed record Running : TargetPhase
    {
        private Running(Mending mending) => Mending = mending;

        public override TargetStanding Standing => TargetStanding.Running;

        public override bool Owns => true;

        private Mending Mending { get; init; }

        public override string Describe() => Mending.Stream == StreamStatus.PostcopyPaused
            ? "the guest waits for memory that is still at the source; the stream is broken"
            : "the guest runs; a part of its memory is still at the source";

        public override Report Report => new(Standing, Mending.ListeningAttempt, Describe());

        internal static TargetMove Enter(QemuReading reading, Mending mending = default) =>
            reading.InPostcopy ? GoAndTell(new Running(mending.Saw(reading))) : Completed.Enter();

        internal override TargetMove On(TargetInput input, DateTimeOffset now) => input switch
        {
            TargetInput.Observed { Reading.Guest: GuestState.Gone } => Burying.Enter("QEMU ended while the guest ran here", recorded: false),
            TargetInput.Observed { Reading.Stream: StreamStatus.Completed } => Completed.Enter(),
            TargetInput.Observed { Reading.Stream: StreamStatus.PostcopyPaused } observed when Mending.IsDue =>
                Mend(Mending.Saw(observed.Reading)),
            TargetInput.Observed observed => Go(this with { Mending = Mending.Saw(observed.Reading) }),
            TargetInput.Listening listening => GoAndTell(this with { Mending = Mending.Listens(listening.Attempt) }),
            TargetInput.Ordered { Order: Order.Recover recover } when recover.Attempt > Mending.ListeningAttempt => Mend(Mending.Wants(recover.Attempt)),
            TargetInput.Ordered { Order: Order.Bury bury } => Burying.Enter(bury.Reason, recorded: false),
            TargetInput.SourceDeclaredDead dead => Burying.Enter($"{dead.Reason}, with a part of the guest's memory", recorded: false),
            TargetInput.Ordered => Tell,
            _ => Stay,
        };

        private TargetMove Mend(Mending wanted) => Go(this with { Mending = wanted }, wanted.Steps);
    }

    /// <summary>The guest runs here, whole: the machine is like any other.</summary>
    public sealed record Completed : TargetPhase
    {
        public override TargetStanding Standing => TargetStanding.Completed;

        public override bool IsEnd => IsRecorded;

        public override bool Owns => true;

        /// <summary>An earlier record says the same to whoever finds it; it only costs a look at QEMU.</summary>
        internal bool IsRecorded { get; init; }

        public override string Describe() => "the guest runs here, whole";

        internal static TargetMove Enter() => GoAndTell(new Completed(), new TargetEffect.Persist(TargetRecord.Finished));

        internal override TargetMove On(TargetInput input, DateTimeOffset now) => input switch
        {
            TargetInput.Ordered => Tell,
            TargetInput.Persisted { Record: TargetRecord.Finished } => Go(this with { IsRecorded = true }),
            TargetInput.Tick when !IsRecorded => Go(this, new TargetEffect.Persist(TargetRecord.Finished)),
            _ => Stay,
        };
    }

    /// <summary>It was granted to run here and cannot any more: its remains are removed before that is told.</summary>
    public sealed record Burying : TargetPhase
    {
        private Burying(string reason, bool recorded)
        {
            Reason = reason;
            Recorded = recorded;
        }

        public string Reason { get; }

        public override TargetStanding Standing => TargetStanding.Arrived;

        public override bool Owns => true;

        private bool Recorded { get; init; }

        private bool Dead { get; init; }

        public override string Describe() => $"the guest is lost: {Reason}";

        internal static TargetMove Enter(string reason, bool recorded) => Go(
            new Burying(reason, recorded),
            recorded ? [new TargetEffect.Fence()] : [new TargetEffect.Persist(TargetRecord.Lost), new TargetEffect.Fence()]);

        internal override TargetMove On(TargetInput input, DateTimeOffset now) => input switch
        {
            TargetInput.Persisted { Record: TargetRecord.Lost } => (this with { Recorded = true }).EndIfDone(),
            TargetInput.Observed { Reading.Guest: GuestState.Gone } => (this with { Dead = true }).EndIfDone(),
            TargetInput.Tick or TargetInput.Ordered => Go(this, [.. Missing()]),
            _ => Stay,
        };

        private IEnumerable<TargetEffect> Missing()
        {
            if (!Recorded)
            {
                yield return new TargetEffect.Persist(TargetRecord.Lost);
            }

            if (!Dead)
            {
                yield return new TargetEffect.Fence();
            }
        }

        private TargetMove EndIfDone() => Recorded && Dead ? GoAndTell(new Lost(Reason)) : Go(this);
    }

    /// <summary>It may have run here, and is gone.</summary>
    public sealed record Lost(string Reason) : TargetPhase
    {
        public override TargetStanding Standing => TargetStanding.Lost;

        public override bool IsEnd => true;

        public override bool Owns => true;

        public override string Describe() => Reason;

        internal override TargetMove On(TargetInput input, DateTimeOffset now) => input is TargetInput.Ordered ? Tell : Stay;
    }
}
