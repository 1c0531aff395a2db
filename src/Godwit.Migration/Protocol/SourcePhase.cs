using Godwit.Migration.Models;

namespace Godwit.Migration.Protocol;

/// <summary>
/// The source's side of a move: who owns the guest at every moment, and what may follow.
/// <code>
///  (between Arming and Precopying disks that go along are copied, SourcePhase.Disks.cs, or the stream begins before the
///  target is ready, SourcePhase.Opening.cs; disks are finished at the barrier; guests that are one service wait for each
///  other before the barrier and before "run": SourcePhase.Service.cs)
///  Recording ─▶ Preparing ─▶ Arming ─▶ Precopying ─▶ EndingRounds ─▶ SwitchingOver
///  [Outgoing]    "prepare"   [Handing-     └──────────────────────────▶  │    │
///                              Over]                                     │    │
///      │             │          │           │             │              │    │
///      ▼             ▼          ▼           ▼             ▼              │    │
///  ┌───────────────────────┐  ┌──────────────────────────────┐          │    │
///  │ Fencing      "abort"  │◀─│ TurningBack                  │◀─────────┘    │
///  │ the guest runs here   │  │ stream ended, guest resumed  │               │
///  └───────────┬───────────┘  └──────────▲─────┬─────────────┘               │
///              ▼                         │     └ too late: in post-copy ┐    │
///           Aborted                      │                              │    │
///  the source owns the guest             │ "refused": the proof         │    │
/// ═══════════════════════════════════════╪══ the order "run" ═══════════╪════╪═══
///  only the target may run it            │                              │    │
///                                   Activating ◀──── completed, arrived ┼────┤
///                                        │                              ▼    ▼
///  (post-copy that ends without the      │     Recovering ◀──────────▶ Postcopying
///  target: SourcePhase.Doubt.cs)         ▼        │  "recover"            │
///                                   Completing ◀──┴───────────────────────┤
///                                   source's QEMU quits                   ▼
///                                        ▼                              Losing "bury"
///                                    Completed                            ▼
///                                                                      GuestLost
///  [record] written to disk before the phase is left      "order" repeated until the target's report fulfils it
/// </code>
/// <b>When "run" is ordered.</b> When the source's QEMU cannot run the guest by itself any more: it says
/// <c>completed</c> and the target reports that the state has arrived (pre-copy), or it says <c>postcopy-active</c>.
/// Until QEMU says so it resumes the guest on its own when the stream breaks, and that must never meet a guest that
/// runs elsewhere. Above the double line the order was never sent, and an order that was never sent cannot be obeyed:
/// that is why turning back there needs nobody's leave, not even that of a target that cannot be reached.
/// <para>
/// <b>After it</b>, the source resumes only on the target's report <see cref="TargetStanding.Refused"/>. A lost reply is
/// answered by asking again; no time limit leads below the double line back above it.
/// </para>
/// <para>
/// <b>After a crash</b> of the agent the record and QEMU's own state say where to go on (<see cref="Recover"/>). "Run"
/// is only ever sent after QEMU said <c>completed</c> or a post-copy word. It never unsays the first, and of the second it is
/// left to say <c>failed</c>, with a guest that stands still, as it does after nothing else (<c>SourcePhase.Doubt.cs</c>); so any other
/// word proves that it was not sent. That is why no write to disk is needed while the guest stands still.
/// </para>
/// </summary>
public abstract partial record SourcePhase
{
    private SourcePhase(Move move) => Move = move;

    public Move Move { get; private init; }

    public MigrationPlan Plan => Move.Plan;

    /// <summary>The only host that may run the guest, should every process stop at this moment.</summary>
    public abstract HostName Owner { get; }

    /// <summary>Nothing follows.</summary>
    public virtual bool IsEnd => false;

    /// <summary>
    /// A stream that is reset now cannot be mended: before the target has the device state the guest would be brought back, and when the last
    /// of its memory is under way it would be lost. Nobody who can wait for a moment may break it.
    /// </summary>
    public virtual bool IsStreamVital => false;

    /// <summary>For people: what is going on, and what is waited for.</summary>
    public abstract string Describe();

    internal abstract SourceMove On(SourceInput input, DateTimeOffset now);

    /// <summary>The same phase, with what the forecast knows.</summary>
    internal virtual SourcePhase Knowing(DirtyCurve dirty) => this with { Move = Move.Expecting(dirty) };

    internal SourcePhase Knowing(double firstPassBytes) => this with { Move = Move with { Plan = Plan with { ExpectedFirstPassBytes = firstPassBytes } } };

    /// <summary>The same phase, after a time in which nobody watched.</summary>
    internal virtual SourcePhase Awoken(TimeSpan slept) => this;

    /// <summary>A new move. Nothing has happened yet.</summary>
    internal static SourceMove Begin(MigrationPlan plan, DateTimeOffset now) =>
        new(new Recording(new(plan, new(now))), [new SourceEffect.Persist(SourceRecord.Outgoing)]);

    /// <summary>After the agent's restart: from the record on disk and a first look at QEMU.</summary>
    internal static SourceMove Recover(MigrationPlan plan, SourceRecord record, QemuReading reading, DateTimeOffset now)
    {
        var move = new Move(plan, new MoveTrace(now).With(reading));
        var restarted = new TurnBackReason(TurnBackKind.AgentRestarted, "the source's agent was restarted while the guest was still its own");
        return (record, reading) switch
        {
            // It may have been ready, or ordered to run: the service's record says what became of that.
            (SourceRecord.HandingOver, { Guest: GuestState.Gone } or { Stream: StreamStatus.Completed, Guest: GuestState.PostMigrate })
                when plan.IsOfService => Awaiting.EnterAgain(move, reading, now),

            // The target may have it: only it can say.
            (_, { Guest: GuestState.Gone }) => Fencing.Enter(move, restarted, guestGone: true, now),
            (SourceRecord.HandingOver, { InPostcopy: true }) => Postcopying.Enter(move, reading, now),

            // "Run" may have been sent. Sending it (again) is the question and the way forward in one.
            (SourceRecord.HandingOver, { Stream: StreamStatus.Completed, Guest: GuestState.PostMigrate }) => Activating.Enter(move, now),

            // QEMU has let go of the stream, and the guest, which it would run again by itself, was stopped by order: for post-copy.
            (SourceRecord.HandingOver, { HasLetGo: true }) when plan.PostcopyOpen => Asking.Enter(move, now),

            // Any other word of QEMU's: "run" was never sent. That includes a guest which an earlier life has resumed.
            _ => TurningBack.Enter(move, restarted, now).And(new SourceEffect.CancelStream()),
        };
    }

    private SourceMove Stay => new(this, []);

    private SourceMove StayAnd(params SourceEffect[] effects) => new(this, effects);

    private static SourceMove Go(SourcePhase next, params SourceEffect[] effects) => new(next, effects);
}

/// <summary>A phase and what to do on the way into it.</summary>
internal readonly record struct SourceMove(SourcePhase Phase, IReadOnlyList<SourceEffect> Effects)
{
    public SourceMove And(params SourceEffect[] effects) => this with { Effects = [.. Effects, .. effects] };
}
