using Godwit.Migration.Protocol;

namespace Godwit.Migration.Tests.Protocol;

/// <summary>A source's engine that is told one thing after the other, beginning with time zero.</summary>
internal sealed class SourceScript(SourceStep first)
{
    private DateTimeOffset now = DateTimeOffset.UnixEpoch;

    public SourceEngine Engine { get; private set; } = first.Engine;

    public IReadOnlyList<SourceEffect> Effects { get; private set; } = first.Effects;

    public SourceScript Give(SourceInput input)
    {
        var step = Engine.Step(input, now);
        (Engine, Effects) = (step.Engine, step.Effects);
        return this;
    }

    public SourceScript Hear(TargetStanding standing) => Give(new SourceInput.Reported(new(standing)));

    public SourceScript See(GuestState guest, StreamStatus stream) => Give(new SourceInput.Observed(new(guest, stream, Engine.EffectCount)));

    public SourceScript Later(TimeSpan time)
    {
        now += time;
        return this;
    }

    public SourceScript Wait(TimeSpan time)
    {
        now += time;
        return Give(new SourceInput.Tick());
    }

    public void ExpectPhase<TPhase>() => Assert.IsType<TPhase>(Engine.Phase);

    public void Expect<TPhase>(params SourceEffect[] effects)
    {
        Assert.IsType<TPhase>(Engine.Phase);
        Assert.Equal(effects, Effects);
    }
}
