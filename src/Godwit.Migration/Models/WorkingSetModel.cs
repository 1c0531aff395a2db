using Godwit.Migration.Convergence;

namespace Godwit.Migration.Models;

/// <summary>
/// Pre-copy as QEMU does it, for a guest whose writes follow a <see cref="DirtyCurve"/>.
/// <code>
/// V(0) = memory that is not zero          T(i) = (V(i) − R·L) / R        a pass stops short, at R·L left
/// V(i+1) = R·L' + u(T(i)), L' = what was left of the pass                 u saturates at the working set
/// the rounds end when V(i+1) ≤ R·L        Tdown = min(L, V(i+1)/R) + Tres
/// stalled: V(i+1) &gt; 0.9·V(i)              L is raised to hold V(i+1), if the budget does; twice running not: the rounds end
/// </code>
/// L is the downtime limit: QEMU looks again, and may stop the guest, as soon as what it knows to be left fits R·L, in
/// the middle of a pass. So a generous limit is used in full, whatever the dirty rate: measured downtimes lie at 220 to
/// 300 ms for a limit of 300 ms and at 16 ms for one of 30 ms. Zero pages cost eight bytes each on the wire. What a round that
/// stalls leads to is <see cref="ConvergenceController"/>'s to say: it is done here as there, by the same numbers.
/// </summary>
public sealed record WorkingSetModel
{
    /// <summary>Bytes that QEMU's estimate of its own rate lets through above the limit, as a factor: it is never exact.</summary>
    private const double LimitSlack = 1.05;

    private const double ZeroPageWireBytes = 8;
    private const double PageBytes = 4096;

    public required double FirstPassBytes { get; init; }

    public double ZeroBytes { get; init; }

    public required DirtyCurve Dirty { get; init; }

    /// <summary>For so long the first pass has run already: what the guest dirtied since is left to the next one.</summary>
    public double SpentSeconds { get; init; }

    public required double LinkBytesPerSecond { get; init; }

    /// <summary>L, in seconds.</summary>
    public required double DowntimeLimitSeconds { get; init; }

    /// <summary>What L may be raised to when rounds stall, in seconds; no more than L: it stays.</summary>
    public double DowntimeBudgetSeconds { get; init; }

    /// <summary>Rounds end as soon as the curve says that none will ever fit the budget: there is something better to do than to stop the guest for long.</summary>
    public bool EndsWhenHopeless { get; init; }

    /// <summary>Tres: device state, the order to run and activation, in seconds.</summary>
    public double RestartSeconds { get; init; }

    public TerminationSettings Termination { get; init; } = new();

    /// <summary>By how much the guest is slowed from one round to the next, and at most; zero: not at all (auto-converge).</summary>
    public ThrottleSettings Throttle { get; init; }

    /// <summary>Runs the rounds to their end; <see cref="PrecopyRun.RestBytes"/> is what the guest would be stopped for.</summary>
    public PrecopyRun Precopy()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(LinkBytesPerSecond);
        var limit = new Limit(DowntimeLimitSeconds, StallCount: 0);
        var memoryBytes = FirstPassBytes + ZeroBytes;
        var seconds = ZeroWireBytes / LinkBytesPerSecond;
        var copiedBytes = ZeroWireBytes;
        var leftBytes = FirstPassBytes;
        var throttle = 0.0;
        for (var round = 0; ; round++)
        {
            var fitsBytes = LinkBytesPerSecond * limit.Seconds;
            var sentBytes = Math.Min(Math.Max(0, leftBytes - fitsBytes), AllowedBytes(copiedBytes, memoryBytes, seconds));
            var passSeconds = sentBytes / LinkBytesPerSecond;
            seconds += passSeconds;
            copiedBytes += sentBytes;
            var nextBytes = leftBytes - sentBytes + Dirty.Faster(1 - throttle).UniqueBytes(passSeconds + (round == 0 ? SpentSeconds : 0));
            var ended = EndedBy(round, nextBytes, fitsBytes, copiedBytes / memoryBytes, seconds);
            limit = nextBytes <= leftBytes * ConvergenceController.ShrinkShare ? limit with { StallCount = 0 } : Stalled(limit, nextBytes / LinkBytesPerSecond);
            if ((ended ?? (limit.StallCount >= ConvergenceController.StallsMax || IsHopeless(nextBytes) ? TerminationRule.NotConverging : null)) is { } rule)
            {
                return new(seconds, copiedBytes, nextBytes, round, rule, throttle, LinkBytesPerSecond, RestartSeconds);
            }

            throttle = Throttle.Next(throttle, shrank: nextBytes < leftBytes * 0.5);
            leftBytes = nextBytes;
        }
    }

    /// <summary>The first pass alone: where post-copy begins.</summary>
    public PrecopyRun FirstPass() =>
        (this with { Termination = new() { RoundsMax = 0, CopiedFactorMax = double.MaxValue } }).Precopy();

    private Limit Stalled(Limit limit, double neededSeconds) => neededSeconds <= DowntimeBudgetSeconds && limit.Seconds < DowntimeBudgetSeconds
        ? new(Math.Min(DowntimeBudgetSeconds, Math.Max(limit.Seconds * ConvergenceController.RaiseFactorMin, neededSeconds * ConvergenceController.RaiseHeadroom)), 0)
        : limit with { StallCount = Throttle.InitialShare > 0 ? 0 : limit.StallCount + 1 };

    /// <summary>Time and copied memory end the rounds within a pass: what of it is left then is a part of the rest.</summary>
    private double AllowedBytes(double copiedBytes, double memoryBytes, double seconds) => Math.Max(0, Math.Min(
        (Termination.CopiedFactorMax * memoryBytes) - copiedBytes, (Termination.Deadline.TotalSeconds - seconds) * LinkBytesPerSecond));

    private bool IsHopeless(double leftBytes)
    {
        var budgetBytes = LinkBytesPerSecond * DowntimeBudgetSeconds;
        return EndsWhenHopeless && leftBytes > budgetBytes
            && Dirty.UniqueBytes(Dirty.UniqueBytes(leftBytes / LinkBytesPerSecond) / LinkBytesPerSecond) > budgetBytes * ConvergenceController.ExpectationMargin;
    }

    private double ZeroWireBytes => ZeroBytes / PageBytes * ZeroPageWireBytes;

    private TerminationRule? EndedBy(int round, double leftBytes, double fitsBytes, double copiedFactor, double seconds) =>
        leftBytes <= fitsBytes * LimitSlack ? TerminationRule.FitsDowntimeLimit
        : leftBytes <= Termination.ThresholdBytes ? TerminationRule.Threshold
        : round >= Termination.RoundsMax ? TerminationRule.Rounds
        : copiedFactor >= Termination.CopiedFactorMax * (1 - 1e-9) ? TerminationRule.CopiedMemory
        : seconds >= Termination.Deadline.TotalSeconds * (1 - 1e-9) ? TerminationRule.Deadline
        : null;

    /// <summary>L in force, and for how many rounds running nothing could be done about what is left.</summary>
    private readonly record struct Limit(double Seconds, int StallCount);
}

/// <summary>Auto-converge: the share of its CPU time that the guest loses when the rounds do not shrink.</summary>
public readonly record struct ThrottleSettings(double InitialShare, double IncrementShare, double MaximumShare)
{
    /// <summary>QEMU's way, with the values that Godwit sets.</summary>
    public static ThrottleSettings AutoConverge { get; } = new(0.2, 0.1, 0.99);

    public double Next(double current, bool shrank) =>
        shrank || InitialShare <= 0 ? current : current == 0 ? InitialShare : Math.Min(MaximumShare, current + IncrementShare);
}

/// <summary>How the rounds went: seconds and bytes before the stop, what is left, and why they ended.</summary>
public readonly record struct PrecopyRun(
    double RoundsSeconds,
    double CopiedBytes,
    double RestBytes,
    int Rounds,
    TerminationRule EndedBy,
    double ThrottleShare,
    double LinkBytesPerSecond,
    double RestartSeconds)
{
    public bool Converged => EndedBy is TerminationRule.FitsDowntimeLimit or TerminationRule.Threshold;

    public double RestSeconds => RestBytes / LinkBytesPerSecond;

    /// <summary>If the guest is stopped now and the rest sent.</summary>
    public double DowntimeSeconds => RestSeconds + RestartSeconds;

    public double TotalSeconds => RoundsSeconds + DowntimeSeconds;

    public double TotalBytes => CopiedBytes + RestBytes;
}
