namespace Godwit.Migration.Protocol;

/// <summary>The target's engine: orders and readings in, the next state and the effects out, no I/O. Effects are counted as in <see cref="SourceEngine"/>.</summary>
public sealed record TargetEngine
{
    private TargetEngine(TargetPhase phase, int effectCount)
    {
        Phase = phase;
        EffectCount = effectCount;
    }

    public TargetPhase Phase { get; }

    public int EffectCount { get; }

    /// <summary>
    /// The first order of a move that this host has no record of. Null: nothing begins, and the answer is
    /// <see cref="TargetStanding.Unknown"/>.
    /// </summary>
    public static TargetStep? Open(Order order) => TargetPhase.Open(order) is { } move ? Step(move, 0) : null;

    /// <summary>After a restart of the agent; the reading as in <see cref="SourceEngine.Recover"/>, or null when QEMU lives and does not answer.</summary>
    public static TargetStep Recover(TargetRecord record, QemuReading? reading) => Step(TargetPhase.Recover(record, reading), 0);

    public TargetStep Step(TargetInput input, DateTimeOffset now) =>
        input is TargetInput.Observed observed && observed.Reading.EffectCount < EffectCount
            ? new(this, [])
            : Step(Phase.On(input, now), EffectCount);

    private static TargetStep Step(TargetMove move, int effectCount) =>
        new(new(move.Phase, effectCount + move.Effects.Count(effect => effect is TargetEffect.Machine)), move.Effects);
}

/// <summary>The next state, and what to do now, in order.</summary>
public readonly record struct TargetStep(TargetEngine Engine, IReadOnlyList<TargetEffect> Effects);
