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

    /// <summary>The share of the link that is free for this move, in bytes per second.</summary>
    public required Interval LinkBytesPerSecond { get; init; }

    public bool LinkMeasured { get; init; }

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

/// <summary>Costs that do not depend on the guest's memory, in milliseconds.</summary>
/// <param name="SetupMs">From the request to the first byte: starting the target's QEMU, its network and disks.</param>
/// <param name="RestartMs">Within the stop: device state, the order to run and its answer, activation.</param>
/// <param name="ReachMs">From the guest running to its first answer seen outside: announcement, cold caches.</param>
public readonly record struct FixedCosts(Interval SetupMs, Interval RestartMs, Interval ReachMs)
{
    /// <summary>What unknown hosts need; replaced by measurements after the first move.</summary>
    public static FixedCosts Unmeasured { get; } = new(new(80, 2500), new(10, 150), new(20, 150));

    /// <summary>
    /// As the moves between two hosts showed them, newest last. The fewer, the wider the ranges stay; what is seen outside
    /// (<see cref="ReachMs"/>) the hosts do not learn.
    /// </summary>
    public static FixedCosts From(IReadOnlyList<PastCosts> moves)
    {
        var recent = moves.TakeLast(PastCosts.MovesMax).ToArray();
        if (recent.Length == 0)
        {
            return Unmeasured;
        }

        var doubt = 1 + (0.5 / recent.Length);
        return new(
            Around([.. recent.Select(move => move.SetupMs)], doubt),
            Around([.. recent.Select(move => move.RestartMs)], doubt),
            Unmeasured.ReachMs);
    }

    private static Interval Around(double[] values, double doubt) => new(Math.Max(values.Min(), 0) / doubt, Math.Max(values.Max(), 1) * doubt);
}

/// <summary>What one finished move showed of <see cref="FixedCosts"/>.</summary>
public sealed record PastCosts(double SetupMs, double RestartMs)
{
    /// <summary>More than this many moves back say nothing about today.</summary>
    public const int MovesMax = 16;

    /// <summary>Null when the trace does not tell: a move that an agent's restart went through.</summary>
    public static PastCosts? From(Protocol.MoveTrace trace)
    {
        if (trace is not { StreamStartedAt: { } started, PausedAt: { } paused, RunningAt: { } running } || trace.EndedBy == Convergence.TerminationRule.StoppedFirst)
        {
            return null; // Cold: the stop is the whole copy, and tells nothing of what is fixed.
        }

        var sentMs = !trace.Postcopy && trace.BytesPerSecond > 0 ? trace.RestBytes / trace.BytesPerSecond * 1000 : 0;
        return new((started - trace.BeganAt).TotalMilliseconds, Math.Max(1, (running - paused).TotalMilliseconds - sentMs));
    }
}

/// <summary>One finished move of a VM: what was forecast in the middle, what was measured.</summary>
public sealed record PastMove
{
    public required double ForecastTotalMs { get; init; }

    public required double MeasuredTotalMs { get; init; }

    /// <summary>Before the move, in bytes per second; zero when it could not be told.</summary>
    public double DirtyBeforeBytesPerSecond { get; init; }

    /// <summary>While it ran, as the rounds showed it, in bytes per second.</summary>
    public double DirtyDuringBytesPerSecond { get; init; }

    /// <summary>Bytes of the first pass.</summary>
    public double FirstPassBytes { get; init; }
}

/// <summary>
/// What a VM's past moves teach about its next one. Dirty rates during a move run two to three times those sampled
/// before it, so without history the upper end is three times the sample.
/// </summary>
public sealed record LearnedCorrection(Interval TotalFactor, Interval DirtyFactor, Interval? FirstPassBytes, int MoveCount)
{
    /// <summary>More than this many moves back teaches nothing about today.</summary>
    public const int MovesMax = 8;

    public static LearnedCorrection None { get; } = new(new(0.85, 1.35), new(0.7, 3), null, 0);

    /// <summary>From the newest moves last. The fewer, the wider the ranges stay.</summary>
    public static LearnedCorrection From(IReadOnlyList<PastMove> moves)
    {
        var recent = moves.TakeLast(MovesMax).Where(move => move.ForecastTotalMs > 0 && move.MeasuredTotalMs > 0).ToArray();
        if (recent.Length == 0)
        {
            return None;
        }

        var doubt = 1 + (0.3 / recent.Length);
        var total = Around([.. recent.Select(move => move.MeasuredTotalMs / move.ForecastTotalMs)], doubt);
        var dirtyRatios = recent
            .Where(move => move is { DirtyBeforeBytesPerSecond: > 0, DirtyDuringBytesPerSecond: > 0 })
            .Select(move => move.DirtyDuringBytesPerSecond / move.DirtyBeforeBytesPerSecond)
            .ToArray();
        var firstPass = recent.Where(move => move.FirstPassBytes > 0).Select(move => move.FirstPassBytes).ToArray();
        return new(
            total,
            dirtyRatios.Length == 0 ? None.DirtyFactor : Around(dirtyRatios, doubt),
            firstPass.Length == 0 ? null : Around(firstPass, doubt),
            recent.Length);
    }

    private static Interval Around(double[] values, double doubt) =>
        new(Math.Max(values.Min(), 0.05) / doubt, Math.Clamp(values.Max(), 0.05, double.MaxValue / 4) * doubt);
}
