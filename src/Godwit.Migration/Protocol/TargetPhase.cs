namespace Godwit.Migration.Protocol;

/// <summary>
/// The target's side of a move. It never acts on its own but to refuse what can no longer arrive; it never lets the guest
/// run but by <see cref="TargetEffect.RunGuest"/>, and that only when all four hold: the guest's state is loaded, the
/// source has ordered it, the grant is on disk, and no refusal is.
/// <code>
///  Recording ─▶ Preparing ─▶ Waiting ─▶ Arrived ─▶ Granting ─▶ Starting ─▶ Running ─▶ Completed
///  [Arriving]   QEMU starts  it listens  loaded,    [RunGranted]  QEMU runs  post-copy:  [Finished]
///                                        paused                              pulls       the guest is whole here
///      │            │           │          │           ┊            ┊          │
///      └────────────┴───────────┴──────────┘           ┊ only while it provably never ran
///        "abort", or QEMU cannot get there  ▼ ◀────────┴────────────┘          ▼ QEMU is gone
///                                        Refusing ─▶ Refused                Burying ─▶ Lost
///                                        kill, [Refused]                    kill, [Lost]
/// </code>
/// Grant and refusal exclude each other: whichever is on disk first decides between a late "run" and a late "abort",
/// and the answer to any later order is the same for ever. So the source can ask as often as it needs to.
/// </summary>
public abstract partial record TargetPhase
{
    private TargetPhase()
    {
    }

    public abstract TargetStanding Standing { get; }

    /// <summary>Nothing follows; orders are still answered.</summary>
    public virtual bool IsEnd => false;

    /// <summary>Whether the guest may run here at this moment, or be made to.</summary>
    public virtual bool Owns => false;

    public abstract string Describe();

    /// <summary>What the source is told when it asks.</summary>
    public virtual Report Report => new(Standing, 0, Describe());

    internal abstract TargetMove On(TargetInput input, DateTimeOffset now);

    /// <summary>The first order of a move that nothing is known of; null phase: none begins by it.</summary>
    internal static TargetMove? Open(Order order) => order switch
    {
        Order.Prepare => new(new Recording(), [new TargetEffect.Persist(TargetRecord.Arriving)]),
        Order.Ask => null,

        // Nothing was ever prepared, so nothing can run. It must stay so: a late "prepare" for it is refused from here on.
        Order.Abort abort => Refusing.EnterUnknown(abort.Reason),
        _ => Refusing.EnterUnknown("this host knows nothing of the move"),
    };

    /// <summary>
    /// After the agent's restart: from the record on disk and a first look at QEMU; null: it lives and does not answer, as
    /// one does whose guest waits for a page of a broken post-copy stream.
    /// </summary>
    internal static TargetMove Recover(TargetRecord record, QemuReading? reading) => (record, reading) switch
    {
        (TargetRecord.Finished, _) => new(new Completed { IsRecorded = true }, []),
        (TargetRecord.Lost, _) => Burying.Enter("running was granted here before QEMU ended", recorded: true),
        (TargetRecord.Refused, _) => Refusing.Enter("it was refused here", recorded: true),
        (TargetRecord.RunGranted, null) => Starting.EnterUnseen(),
        (_, null) => new(new Waiting(RunOrdered: false), []),
        (TargetRecord.RunGranted, { Guest: GuestState.Gone }) => Burying.Enter("running was granted, and QEMU is gone", recorded: false),
        (TargetRecord.RunGranted, { Guest: GuestState.Running }) => Running.Enter(reading),
        (TargetRecord.RunGranted, _) => Starting.Enter(mayHaveRun: true),
        (TargetRecord.Arriving, { Guest: GuestState.Gone }) => Refusing.Enter("the agent was restarted, and QEMU is gone", recorded: false),
        (TargetRecord.Arriving, { Guest: GuestState.Waiting, Stream: StreamStatus.None }) =>
            Refusing.Enter("the agent was restarted before the stream began", recorded: false),
        _ => new Waiting(RunOrdered: false).On(new TargetInput.Observed(reading), default),
    };

    private protected TargetMove Stay => new(this, []);

    private protected static TargetMove Go(TargetPhase next, params TargetEffect[] effects) => new(next, effects);

    /// <summary>Into a phase, and the source is told.</summary>
    private protected static TargetMove GoAndTell(TargetPhase next, params TargetEffect[] effects) =>
        new(next, [.. effects, new TargetEffect.Send(next.Report)]);

    /// <summary>Every order is at least answered.</summary>
    private protected TargetMove Tell => new(this, [new TargetEffect.Send(Report)]);

    /// <summary>The guest's state is all here and QEMU waits: whole, or with the rest of its memory to be pulled.</summary>
    private static bool HasArrived(QemuReading reading) =>
        reading.Guest == GuestState.Paused && (reading.Stream == StreamStatus.Completed || reading.InPostcopy);
}

/// <summary>A phase and what to do on the way into it.</summary>
internal readonly record struct TargetMove(TargetPhase Phase, IReadOnlyList<TargetEffect> Effects);
