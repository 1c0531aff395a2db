using Godwit.Migration.Convergence;
using Godwit.Migration.Models;

namespace Godwit.Migration.Forecasts;

/// <summary>All that a forecast is made from. Each range says how well the thing is known.</summary>
public sealed record ForecastInput
{
    /// <summary>The guest's memory, in bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>The part that is not zero and must be sent: at most what the process has resident.</summary>
    public required Interval FirstPassBytes { get; init; }

    /// <summary>Readings of unique dirtied bytes, before the move; none: unknown.</summary>
    public required IReadOnlyList<DirtyPoint> DirtyReadings { get; init; }

    /// <summary>What a stream will get of the link, in bytes per second: see <see cref="PastCosts.LinkShare"/>.</summary>
    public required Interval LinkBytesPerSecond { get; init; }

    public bool LinkMeasured { get; init; }

    /// <summary>The disks that go along, copied before memory.</summary>
    public DiskWork Disks { get; init; } = DiskWork.None;

    /// <summary>The downtime limit that the convergence controller begins with, in milliseconds.</summary>
    public double DowntimeLimitMs { get; init; } = ConvergenceSettings.DowntimeLimitFirstMsDefault;

    /// <summary>The longest stop that the policy allows, in milliseconds.</summary>
    public double DowntimeBudgetMs { get; init; } = 300;

    public TerminationSettings Termination { get; init; } = new();

    public FixedCosts Costs { get; init; } = FixedCosts.Unmeasured;

    public LearnedCorrection Learned { get; init; } = LearnedCorrection.None;

    /// <summary>Both hosts can pull pages on demand.</summary>
    public bool PostcopyPossible { get; init; } = true;
}
