using Godwit.Migration.Models;

namespace Godwit.Migration.Forecasts;

public enum Confidence
{
    Low,
    Medium,
    High,
}

/// <summary>The ways that a forecast compares: the modes, and pre-copy with the guest slowed down.</summary>
public enum ForecastMode
{
    Cold,
    Precopy,
    AutoConverge,
    Postcopy,
    Hybrid,
}

/// <summary>What a move most likely costs.</summary>
/// <param name="TotalMs">From the request to the guest whole on the target.</param>
/// <param name="DowntimeMs">The guest stands still.</param>
/// <param name="Bytes">On the wire.</param>
public readonly record struct LikelyCost(double TotalMs, double DowntimeMs, double Bytes);

/// <summary>What one way of moving would cost.</summary>
public sealed record ModeForecast
{
    public required ForecastMode Mode { get; init; }

    /// <summary>From the request to the guest whole on the target, in milliseconds.</summary>
    public required Interval TotalMs { get; init; }

    /// <summary>The guest stands still, in milliseconds.</summary>
    public required Interval DowntimeMs { get; init; }

    /// <summary>Nobody outside gets an answer, in milliseconds; in post-copy mostly the wait for pages that the guest needs first.</summary>
    public required Interval NetworkDowntimeMs { get; init; }

    /// <summary>On the wire.</summary>
    public required Interval Bytes { get; init; }

    /// <summary>Within those ranges, with everything that is known at the middle of its own.</summary>
    public required LikelyCost Likely { get; init; }

    public required Interval Rounds { get; init; }

    public required Confidence Confidence { get; init; }

    /// <summary>Stays within the downtime budget, as far as the ranges tell: in the bad case too.</summary>
    public required bool KeepsBudget { get; init; }

    /// <summary>In words: whether and why it converges, what makes it uncertain.</summary>
    public required string Reason { get; init; }
}

/// <summary>All ways side by side and the one to take.</summary>
public sealed record Forecast(IReadOnlyList<ModeForecast> Modes, ForecastMode Recommended, string RecommendedReason)
{
    public ModeForecast this[ForecastMode mode] => Modes.First(forecast => forecast.Mode == mode);
}
