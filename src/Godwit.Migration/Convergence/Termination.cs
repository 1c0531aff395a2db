namespace Godwit.Migration.Convergence;

/// <summary>What ended the rounds of pre-copy; a move's report names it.</summary>
public enum TerminationRule
{
    /// <summary>What was left fitted the downtime limit in force: the good end.</summary>
    FitsDowntimeLimit,

    /// <summary>Dirty memory was at or below <see cref="TerminationSettings.ThresholdBytes"/>.</summary>
    Threshold,

    /// <summary><see cref="TerminationSettings.RoundsMax"/> rounds had been copied.</summary>
    Rounds,

    /// <summary><see cref="TerminationSettings.CopiedFactorMax"/> times the guest's memory had been copied.</summary>
    CopiedMemory,

    /// <summary>Rounds stopped shrinking and the downtime budget would not hold what is left.</summary>
    NotConverging,

    /// <summary>The policy's time for the whole move was over.</summary>
    Deadline,

    /// <summary>There were no rounds to end: the guest was stopped first (cold).</summary>
    StoppedFirst,

    /// <summary>All guests of its service were in their last rounds.</summary>
    ServiceTogether,
}

/// <summary>When pre-copy gives up copying rounds; whichever comes first.</summary>
public sealed record TerminationSettings
{
    /// <summary>Rounds after the first copy.</summary>
    public int RoundsMax { get; init; } = 30;

    /// <summary>Bytes copied, as a multiple of the guest's memory.</summary>
    public double CopiedFactorMax { get; init; } = 3;

    /// <summary>Vth: dirty memory at which copying another round is pointless, in bytes; 0: only the downtime limit counts.</summary>
    public long ThresholdBytes { get; init; }

    /// <summary>The longest that the rounds may take; a move without a deadline has the largest value.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.MaxValue;
}

/// <summary>What happens when a rule other than <see cref="TerminationRule.FitsDowntimeLimit"/> ends the rounds.</summary>
public enum NonConvergenceAction
{
    /// <summary>Go on by post-copy: the guest moves at once and pulls what is missing.</summary>
    Postcopy,

    /// <summary>Pause the guest for as long as the rest needs.</summary>
    SwitchOver,

    /// <summary>Leave the guest where it is.</summary>
    GiveUp,
}
