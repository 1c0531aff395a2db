namespace Godwit.Migration.Protocol;

/// <content>Until the order to run is obeyed: the guest is the source's, and refusing costs nothing.</content>
public abstract partial record TargetPhase
{
    /// <summary>It has not run here, so it can be refused.</summary>
    public abstract record Revocable : TargetPhase
    {
        internal sealed override TargetMove On(TargetInput input, DateTimeOffset now) => input switch
        {
            TargetInput.Ordered { Order: Order.Abort abort } => Refusing.Enter(abort.Reason, recorded: false),
            TargetInput.Ordered { Order: Order.Bury bury } => Refusing.Enter(bury.Reason, recorded: false),
            TargetInput.SourceDeclaredDead dead => Refusing.Enter(dead.Reason, recorded: false),

            // Nobody here told it to. Whatever did must not go on: the source believes that the guest is its own.
            TargetInput.Observed { Reading.Guest: GuestState.Running } => Refusing.Enter("QEMU ran the guest without an order", recorded: false),
            TargetInput.PersistFailed { Record: TargetRecord.Arriving or TargetRecord.RunGranted } failed =>
                Refusing.Enter($"the journal could not be written: {failed.Reason}", recorded: false),
            _ => Further(input),
        };

        private protected abstract TargetMove Further(TargetInput input);
    }

    /// <summary>The record that a QEMU may come to be here is being written.</summary>
    public sealed record Recording : Revocable
    {
        public override TargetStanding Standing => TargetStanding.Preparing;

        public override string Describe() => "recording the arrival";

        private protected override TargetMove Further(TargetInput input) => input switch
        {
            TargetInput.Persisted => Go(new Preparing(), new TargetEffect.StartMachine()),
            TargetInput.Ordered => Tell,
            _ => Stay,
        };
    }

    /// <summary>QEMU is being started.</summary>
    public sealed record Preparing : Revocable
    {
        public override TargetStanding Standing => TargetStanding.Preparing;

        public override string Describe() => "starting QEMU";

        private protected override TargetMove Further(TargetInput input) => input switch
        {
            TargetInput.Observed { Reading.Guest: GuestState.Waiting } => GoAndTell(new Waiting(RunOrdered: false)),
            TargetInput.MachineFailed failed => Refusing.Enter(failed.Reason, recorded: false),
            TargetInput.Observed { Reading.Guest: GuestState.Gone } => Refusing.Enter("QEMU ended while it was being prepared", recorded: false),
            TargetInput.Ordered => Tell,
            _ => Stay,
        };
    }

    /// <summary>QEMU listens, or loads what comes. <paramref name="RunOrdered"/>: the order was here before the guest was.</summary>
    public sealed record Waiting(bool RunOrdered) : Revocable
    {
        public override TargetStanding Standing => TargetStanding.Ready;

        public override string Describe() => "QEMU waits for the guest";

        private protected override TargetMove Further(TargetInput input) => input switch
        {
            TargetInput.Ordered { Order: Order.Run } => Go(this with { RunOrdered = true }, new TargetEffect.Send(Report)),
            TargetInput.Ordered => Tell,
            TargetInput.Observed { Reading.Guest: GuestState.Gone } => Refusing.Enter("QEMU ended before the guest had arrived", recorded: false),
            TargetInput.Observed { Reading: { Stream: StreamStatus.Failed or StreamStatus.Cancelled } reading } =>
                Refusing.Enter($"the stream ended before the guest had arrived: {reading.Failure}", recorded: false),
            TargetInput.Observed observed when HasArrived(observed.Reading) => RunOrdered
                ? Granting.Enter(observed.Reading)
                : GoAndTell(new Arrived(observed.Reading.InPostcopy)),
            _ => Stay,
        };
    }

    /// <summary>All is here but the order. There is no time limit: the guest is the source's until the source says otherwise.</summary>
    public sealed record Arrived(bool InPostcopy) : Revocable
    {
        public override TargetStanding Standing => TargetStanding.Arrived;

        public override string Describe() => "the guest has arrived and waits for the source's order to run";

        private protected override TargetMove Further(TargetInput input) => input switch
        {
            TargetInput.Ordered { Order: Order.Run } => Granting.Enter(InPostcopy),
            TargetInput.Ordered => Tell,
            TargetInput.Observed { Reading.Guest: GuestState.Gone } => Refusing.Enter("QEMU ended before the order to run came", recorded: false),
            _ => Stay,
        };
    }

    /// <summary>Ordered and arrived: the grant is being written, and the guest does not run before it is on disk.</summary>
    public sealed record Granting : TargetPhase
    {
        private Granting(bool inPostcopy) => InPostcopy = inPostcopy;

        /// <summary>The source cannot take the guest back: a refusal would lose it.</summary>
        public bool InPostcopy { get; }

        public override TargetStanding Standing => TargetStanding.Arrived;

        public override string Describe() => "recording that the guest may run here";

        internal static TargetMove Enter(QemuReading reading) => Enter(reading.InPostcopy);

        internal static TargetMove Enter(bool inPostcopy) => Go(new Granting(inPostcopy), new TargetEffect.Persist(TargetRecord.RunGranted));

        internal override TargetMove On(TargetInput input, DateTimeOffset now) => input switch
        {
            TargetInput.Persisted { Record: TargetRecord.RunGranted } => Starting.Enter(mayHaveRun: false),
            TargetInput.PersistFailed when InPostcopy => Go(this, new TargetEffect.Persist(TargetRecord.RunGranted)),
            TargetInput.PersistFailed failed => Refusing.EnterAfterGrant($"the journal could not be written: {failed.Reason}"),
            TargetInput.Ordered => Tell,
            _ => Stay, // QEMU's end is seen in the next phase: the grant may be on disk already.
        };
    }

    /// <summary>It will not run here. QEMU is killed and the refusal written; only then is it told.</summary>
    public sealed record Refusing : TargetPhase
    {
        private Refusing(string reason, bool recorded, bool dead)
        {
            Reason = reason;
            Recorded = recorded;
            Dead = dead;
        }

        public string Reason { get; }

        public override TargetStanding Standing => TargetStanding.Preparing;

        private bool Recorded { get; init; }

        private bool Dead { get; init; }

        private bool RecordsFirst { get; init; }

        public override string Describe() => $"refusing: {Reason}";

        internal static TargetMove Enter(string reason, bool recorded) => Go(
            new Refusing(reason, recorded, dead: false),
            recorded ? [new TargetEffect.Fence()] : [new TargetEffect.Persist(TargetRecord.Refused), new TargetEffect.Fence()]);

        /// <summary>
        /// A grant is, or may be, on disk: only when the refusal has replaced it may QEMU be killed. A grant without a QEMU
        /// is how a lost guest is told.
        /// </summary>
        internal static TargetMove EnterAfterGrant(string reason) => Go(
            new Refusing(reason, recorded: false, dead: false) { RecordsFirst = true }, new TargetEffect.Persist(TargetRecord.Refused));

        /// <summary>No QEMU was ever started for it here.</summary>
        internal static TargetMove EnterUnknown(string reason) =>
            Go(new Refusing(reason, recorded: false, dead: true), new TargetEffect.Persist(TargetRecord.Refused));

        internal override TargetMove On(TargetInput input, DateTimeOffset now) => input switch
        {
            // Also for a QEMU that died by itself meanwhile: what was made for it is still there.
            TargetInput.Persisted { Record: TargetRecord.Refused } when RecordsFirst =>
                Go(this with { Recorded = true, RecordsFirst = false }, new TargetEffect.Fence()),
            TargetInput.Persisted { Record: TargetRecord.Refused } => (this with { Recorded = true }).EndIfDone(),
            TargetInput.Observed { Reading.Guest: GuestState.Gone } when !RecordsFirst => (this with { Dead = true }).EndIfDone(),
            TargetInput.Tick or TargetInput.Ordered => Go(this, [.. Missing()]),
            _ => Stay,
        };

        private IEnumerable<TargetEffect> Missing()
        {
            if (!Recorded)
            {
                yield return new TargetEffect.Persist(TargetRecord.Refused);
            }

            if (!Dead && !RecordsFirst)
            {
                yield return new TargetEffect.Fence();
            }
        }

        private TargetMove EndIfDone() => Recorded && Dead ? GoAndTell(new Refused(Reason)) : Go(this);
    }

    /// <summary>It never ran here and never will.</summary>
    public sealed record Refused(string Reason) : TargetPhase
    {
        public override TargetStanding Standing => TargetStanding.Refused;

        public override bool IsEnd => true;

        public override string Describe() => Reason;

        internal override TargetMove On(TargetInput input, DateTimeOffset now) => input is TargetInput.Ordered ? Tell : Stay;
    }
}
