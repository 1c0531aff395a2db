namespace Godwit.Migration.Protocol;

/// <summary>
/// The source's engine: events in, the next state and the effects out, no I/O. <see cref="EffectCount"/> counts the
/// effects on QEMU, so that a reading taken before the newest of them is not taken for the world after it.
/// </summary>
public sealed record SourceEngine
{
    private SourceEngine(SourcePhase phase, int effectCount)
    {
        Phase = phase;
        EffectCount = effectCount;
    }

    public SourcePhase Phase { get; }

    public int EffectCount { get; }

    /// <summary>A new move.</summary>
    public static SourceStep Begin(MigrationPlan plan, DateTimeOffset now) => Step(SourcePhase.Begin(plan, now), 0);

    /// <summary>
    /// After a restart of the agent. The reading must have been taken on a new session with QEMU, after all that the old
    /// one had been told was done or dropped: its effect count is zero.
    /// </summary>
    public static SourceStep Recover(MigrationPlan plan, SourceRecord record, QemuReading reading, DateTimeOffset now) =>
        Step(SourcePhase.Recover(plan, record, reading, now), 0);

    public SourceStep Step(SourceInput input, DateTimeOffset now) => input switch
    {
        SourceInput.Observed observed when observed.Reading.EffectCount < EffectCount => new(this, []),
        SourceInput.DisksObserved observed when observed.Reading.EffectCount < EffectCount => new(this, []),
        SourceInput.Slept slept => new(new(Phase.Awoken(slept.Time), EffectCount), []),
        SourceInput.Forecasted forecasted => new(new(Phase.Knowing(forecasted.Dirty), EffectCount), []),
        SourceInput.FirstPassExpected expected => new(new(Phase.Knowing(expected.Bytes), EffectCount), []),
        SourceInput.BudgetChanged changed => Step(Phase.Under(changed.Budget), EffectCount),
        _ => Step(Phase.On(input, now), EffectCount),
    };

    private static SourceStep Step(SourceMove move, int effectCount) =>
        new(new(move.Phase, effectCount + move.Effects.Count(effect => effect is SourceEffect.Machine)), move.Effects);
}

/// <summary>The next state, and what to do now, in order.</summary>
public readonly record struct SourceStep(SourceEngine Engine, IReadOnlyList<SourceEffect> Effects);
