using Godwit.Migration.Convergence;

namespace Godwit.Migration.Protocol;

/// <summary>What a move may cost, as its policy and its own wishes say. It may change while the move runs.</summary>
public sealed record MoveBudget
{
    /// <summary>The longest stop of the guest that is aimed at, in milliseconds.</summary>
    public double DowntimeBudgetMs { get; init; } = 300;

    public TerminationSettings Termination { get; init; } = new();

    public NonConvergenceAction Action { get; init; } = NonConvergenceAction.SwitchOver;

    /// <summary>What memory, and what disks, may take of the link, in bytes per second; zero: all of it.</summary>
    public long BandwidthBytesPerSecond { get; init; }

    /// <summary>What a move that was planned so may cost.</summary>
    public static MoveBudget Of(MigrationPlan plan) => new()
    {
        DowntimeBudgetMs = plan.Convergence.DowntimeBudgetMs,
        Termination = plan.Convergence.Termination,
        Action = plan.Convergence.Action,
        BandwidthBytesPerSecond = plan.BandwidthBytesPerSecond,
    };

    /// <summary>What is expected of the guest stays; so does what was fixed when the move began.</summary>
    public ConvergenceSettings ApplyTo(ConvergenceSettings settings) => settings with
    {
        DowntimeBudgetMs = DowntimeBudgetMs,
        DowntimeLimitFirstMs = Math.Min(DowntimeBudgetMs, ConvergenceSettings.DowntimeLimitFirstMsDefault),
        Termination = Termination,
        Action = Action,
    };

    internal MigrationPlan ApplyTo(MigrationPlan plan) =>
        plan with { BandwidthBytesPerSecond = BandwidthBytesPerSecond, Convergence = ApplyTo(plan.Convergence) };
}

/// <summary>The parts of a <see cref="MoveBudget"/> that a phase can still obey.</summary>
[Flags]
public enum BudgetParts
{
    None = 0,
    Bandwidth = 1,

    /// <summary>When the rounds of pre-copy end and what then, and how long the guest may stand still.</summary>
    Rounds = 2,
}
