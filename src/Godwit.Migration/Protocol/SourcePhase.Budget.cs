namespace Godwit.Migration.Protocol;

/// <content>
/// What a move may cost can change while it runs. A phase obeys what can still be obeyed, at once:
/// <code>
///                                  bandwidth                   downtime, rounds, deadline, what then
///  before the stream               it begins so                it begins so
///  Mirroring                       the mirrors' speed          the rounds begin so
///  Opening, Precopying, Gathering  QEMU's bound                the controller; QEMU's downtime limit
///  EndingRounds                    QEMU's bound                too late: the rounds have ended
///  SwitchingOver and later         of what is pulled, if any   too late
///  Postcopying, Recovering         QEMU's bound                too late: the guest has moved
///  turning back, ended             nothing is sent             too late
/// </code>
/// No decision about who owns the guest looks at a budget, so a change at any moment is safe. One that is given again
/// changes nothing.
/// </content>
public abstract partial record SourcePhase
{
    /// <summary>What of a changed budget this phase, or one that may follow it, obeys. What is not named stays as it was.</summary>
    public BudgetParts Obeys => this switch
    {
        EndingRounds or Postcopying or Recovering => BudgetParts.Bandwidth,
        SwitchingOver or FinishingDisks when Plan.PostcopyOpen => BudgetParts.Bandwidth,
        SwitchingOver or FinishingDisks => BudgetParts.None,
        Revocable => BudgetParts.Bandwidth | BudgetParts.Rounds,
        _ => BudgetParts.None,
    };

    /// <summary>The same phase with another budget, as far as it can obey it.</summary>
    internal SourceMove Under(MoveBudget budget)
    {
        var obeys = Obeys;
        if (obeys == BudgetParts.None)
        {
            return Stay;
        }

        var plan = budget.ApplyTo(Plan);
        var obeyed = obeys.HasFlag(BudgetParts.Rounds) ? plan : Plan with { BandwidthBytesPerSecond = plan.BandwidthBytesPerSecond };
        return obeyed == Plan ? Stay : (this with { Move = Move with { Plan = obeyed } }).Obey(isBandwidthChanged: obeyed.BandwidthBytesPerSecond != Plan.BandwidthBytesPerSecond);
    }

    /// <summary>The plan is the new one already.</summary>
    private protected virtual SourceMove Obey(bool isBandwidthChanged) => Stay;

    public sealed partial record Mirroring
    {
        private protected override SourceMove Obey(bool isBandwidthChanged) => isBandwidthChanged ? StayAnd(new SourceEffect.SetDiskBandwidth()) : Stay;
    }

    public sealed partial record Opening
    {
        private protected override SourceMove Obey(bool isBandwidthChanged)
        {
            var next = this with { Controller = Controller.Under(Plan.Convergence, isBandwidthChanged) };
            return isBandwidthChanged ? Go(next, new SourceEffect.SetBandwidth(Pace.BytesPerSecond)) : Go(next);
        }
    }

    public sealed partial record Precopying
    {
        private protected override SourceMove Obey(bool isBandwidthChanged)
        {
            var next = this with { Controller = Controller.Under(Plan.Convergence, isBandwidthChanged), Pace = Pace.Under(Plan.BandwidthBytesPerSecond) };
            List<SourceEffect> effects = [];
            if (next.Controller.DowntimeLimitMs != Controller.DowntimeLimitMs && !Plan.IsOfService)
            {
                effects.Add(new SourceEffect.SetDowntimeLimit(next.Controller.DowntimeLimitMs));
            }

            if (isBandwidthChanged)
            {
                effects.Add(new SourceEffect.SetBandwidth(Pace.BytesPerSecond));
            }

            return Go(next, [.. effects]);
        }
    }

    public sealed partial record Gathering
    {
        private protected override SourceMove Obey(bool isBandwidthChanged)
        {
            var next = this with { Pace = Pace.Under(Plan.BandwidthBytesPerSecond) };
            return isBandwidthChanged ? Go(next, new SourceEffect.SetBandwidth(Pace.BytesPerSecond)) : Go(next);
        }
    }

    public sealed partial record EndingRounds
    {
        private protected override SourceMove Obey(bool isBandwidthChanged) => isBandwidthChanged ? StayAnd(new SourceEffect.SetBandwidth(null)) : Stay;
    }

    public sealed partial record Postcopying
    {
        /// <summary>Before the push is lifted it is held below any bandwidth; lifting obeys the new one.</summary>
        private protected override SourceMove Obey(bool isBandwidthChanged) => isBandwidthChanged && Lifted ? StayAnd(new SourceEffect.LiftPostcopyBandwidth()) : Stay;
    }
}
