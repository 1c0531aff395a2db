using Godwit.Migration.Models;
using Godwit.Migration.Protocol;

namespace Godwit.Migration.Convergence;

/// <summary>What the controller may do and must keep.</summary>
public sealed record ConvergenceSettings
{
    /// <summary>
    /// QEMU stops the guest as soon as the rest fits the downtime limit, so the limit is the downtime. Measured at
    /// 1 Gbit/s with a 20 MB/s writer: 30 ms instead of QEMU's 300 ms cuts the silence seen outside from 346 to 80 ms
    /// and costs 3 % more time; 15 ms take another 12 ms off the stop, for a round more that is too short to be seen in
    /// the total. What is left then is the guest's start at the target, which no limit shortens.
    /// </summary>
    public const double DowntimeLimitFirstMsDefault = 15;

    public double DowntimeLimitFirstMs { get; init; } = DowntimeLimitFirstMsDefault;

    /// <summary>The longest stop that the limit may be raised to, in milliseconds.</summary>
    public double DowntimeBudgetMs { get; init; } = 300;

    public TerminationSettings Termination { get; init; } = new();

    public NonConvergenceAction Action { get; init; } = NonConvergenceAction.SwitchOver;

    /// <summary>End the rounds after the first pass, whatever is left (the mode is post-copy).</summary>
    public bool OnePassOnly { get; init; }

    /// <summary>QEMU slows the guest from round to round (auto-converge): a round that stalls may be followed by one that does not, so stalled rounds end nothing; the other rules do.</summary>
    public bool SlowsGuest { get; init; }

    /// <summary>What the forecast knew of the guest's writes; null: nothing, so only the rounds can tell.</summary>
    public DirtyCurve? ExpectedDirty { get; init; }
}

/// <summary>One reading of a running pre-copy. Time counts from the stream's start.</summary>
public readonly record struct PrecopySample(TimeSpan Elapsed, long Round, long TransferredBytes, long RemainingBytes, long MemoryBytes)
{
    /// <summary>QEMU's clock was read with its counters; this host's only when they had come, later by what the monitor took.</summary>
    public static PrecopySample Of(QemuReading reading, TimeSpan elapsed) => new(
        reading.StreamMs > 0 ? TimeSpan.FromMilliseconds(reading.StreamMs) : elapsed, reading.Round, reading.TransferredBytes, reading.RemainingBytes, reading.MemoryBytes);
}

/// <summary>What the controller wants done; carrying on is the usual answer.</summary>
public abstract record ConvergenceAdvice
{
    private ConvergenceAdvice()
    {
    }

    public sealed record CarryOn : ConvergenceAdvice
    {
        public static CarryOn Instance { get; } = new();
    }

    /// <summary>A new downtime limit, in milliseconds.</summary>
    public sealed record SetDowntimeLimit(double LimitMs) : ConvergenceAdvice;

    /// <summary>A rule ended the rounds: act by <see cref="ConvergenceSettings.Action"/>.</summary>
    public sealed record EndRounds(TerminationRule Rule) : ConvergenceAdvice;
}

/// <summary>
/// Brings pre-copy to its end: keeps the downtime limit as low as the rounds allow, raises it when they stop shrinking,
/// and ends them when not even the whole budget would hold what is left.
/// <code>
///   a round ends with V(i+1) dirty        V(i+1) ≤ 0.9·V(i)         carry on: the next stop will be shorter
///                                         V(i+1) &gt; 0.9·V(i)         stalled: the limit that holds V(i+1) is V(i+1)/R
///                                           fits the budget          raise the limit to it, at least by half
///                                           does not, twice running  NotConverging, unless the guest is being slowed
/// </code>
/// It acts at the ends of rounds only: within one, what remains is a saw tooth that tells nothing. A value: each reading
/// gives the next controller.
/// </summary>
public sealed record ConvergenceController(ConvergenceSettings Settings)
{
    internal const double ShrinkShare = 0.9;
    internal const double RaiseFactorMin = 1.5;
    internal const double RaiseHeadroom = 1.15;
    internal const int StallsMax = 2;
    private const int RoundsSeenMax = 32;

    /// <summary>R from less than this is mostly what lay in buffers.</summary>
    private const double RateSecondsMin = 0.1;

    /// <summary>A round this short is mostly the time between two readings. The shorter ones that count, the truer the curve where the last rounds are.</summary>
    private const double RoundSecondsMin = 0.02;

    /// <summary>A forecast must be this far beyond the budget before rounds end on its word alone.</summary>
    internal const double ExpectationMargin = 2;

    public double DowntimeLimitMs { get; private init; } = Math.Min(Settings.DowntimeLimitFirstMs, Settings.DowntimeBudgetMs);

    /// <summary>The rounds seen so far, the first pass included; the last one is still running.</summary>
    public RoundStart Current { get; private init; } = new(0, TimeSpan.Zero, 0, 0);

    /// <summary>R as the last finished round showed it, in bytes per second; zero: none has finished.</summary>
    public double BytesPerSecond { get; private init; }

    /// <summary>The guest's writes as the last finished round showed them, in unique bytes per second.</summary>
    public double DirtyBytesPerSecond { get; private init; }

    /// <summary>u(t) as the finished rounds showed it: how long each took, and what the guest had dirtied when it ended. Bounded: the first rounds tell most.</summary>
    public IReadOnlyList<DirtyPoint> RoundsSeen { get; private init; } = [];

    /// <summary>False: the bandwidth was changed, and no round has shown R since.</summary>
    public bool IsRateSettled => !IsRateUnsettled && RateFrom is null;

    private int StallCount { get; init; }

    /// <summary>The bandwidth was changed, and no reading has been taken since.</summary>
    private bool IsRateUnsettled { get; init; }

    /// <summary>Where the bandwidth was changed within the round that runs: only what came after it tells R.</summary>
    private (TimeSpan At, long TransferredBytes)? RateFrom { get; init; }

    /// <summary>What the newest reading within the round had left: what of it still was left when the round ended was not dirtied in it.</summary>
    private long LeftBytes { get; init; }

    /// <summary>
    /// What may be done and must be kept has changed. A limit above the new budget is lowered at once. One that the budget held down while
    /// rounds stalled is raised at once, as the round that stalled would have raised it.
    /// </summary>
    /// <param name="settings">From now on.</param>
    /// <param name="isRateChanged">The bandwidth is another: what the rounds so far showed of R holds no more, and until one shows it anew none is called hopeless.</param>
    public ConvergenceController Under(ConvergenceSettings settings, bool isRateChanged)
    {
        var next = this with
        {
            Settings = settings,
            DowntimeLimitMs = Math.Max(Math.Min(DowntimeLimitMs, settings.DowntimeBudgetMs), Math.Min(settings.DowntimeLimitFirstMs, settings.DowntimeBudgetMs)),
            StallCount = isRateChanged || settings.DowntimeBudgetMs > Settings.DowntimeBudgetMs ? 0 : StallCount,
            IsRateUnsettled = IsRateUnsettled || isRateChanged,
            RateFrom = isRateChanged ? null : RateFrom,
        };
        var neededMs = BytesPerSecond > 0 ? Current.RemainingBytes / BytesPerSecond * 1000 : double.MaxValue;
        return StallCount > 0 && !next.IsRateUnsettled && neededMs <= settings.DowntimeBudgetMs ? next with { DowntimeLimitMs = next.Raised(neededMs) } : next;
    }

    /// <summary>Takes a reading and says what to do.</summary>
    public (ConvergenceController Next, ConvergenceAdvice Advice) Observe(PrecopySample sample)
    {
        if (sample.Round > Current.Round && Current.Round > 0)
        {
            return EndOfRound(sample);
        }

        var settling = IsRateUnsettled && Current.Round > 0;
        var next = this with
        {
            LeftBytes = sample.RemainingBytes,
            IsRateUnsettled = false,
            RateFrom = settling ? (sample.Elapsed, sample.TransferredBytes) : RateFrom,
            Current = Current.Round == 0 && sample.Round > 0 ? RoundStart.At(sample) : Current,
        };
        return (next, LimitReached(sample) is { } rule ? new ConvergenceAdvice.EndRounds(rule) : ConvergenceAdvice.CarryOn.Instance);
    }

    private (ConvergenceController Next, ConvergenceAdvice Advice) EndOfRound(PrecopySample sample)
    {
        var seconds = (sample.Elapsed - Current.StartedAt).TotalSeconds;
        var from = RateFrom ?? (At: Current.StartedAt, Current.TransferredBytes);
        var (rateSeconds, sentBytes) = ((sample.Elapsed - from.At).TotalSeconds, sample.TransferredBytes - from.TransferredBytes);
        var isSettled = !IsRateUnsettled && (RateFrom is null || rateSeconds >= RateSecondsMin);
        var rate = isSettled && rateSeconds > 0 && sentBytes > 0 ? sentBytes / rateSeconds : BytesPerSecond;
        var next = this with
        {
            Current = RoundStart.At(sample),
            BytesPerSecond = rate,
            DirtyBytesPerSecond = seconds > 0 ? sample.RemainingBytes / seconds : DirtyBytesPerSecond,
            RoundsSeen = Seen(sample, seconds, rate),
            LeftBytes = sample.RemainingBytes,
            IsRateUnsettled = false,
            RateFrom = null,
        };
        var rule = Settings.OnePassOnly ? TerminationRule.Rounds : LimitReached(sample) ?? AtThreshold(sample) ?? (isSettled ? next.Hopeless(sample) : null);
        if (rule is { } ended)
        {
            return (next, new ConvergenceAdvice.EndRounds(ended));
        }

        var shrank = sample.RemainingBytes <= Current.RemainingBytes * ShrinkShare;
        return shrank || rate <= 0 || !isSettled ? (next with { StallCount = 0 }, ConvergenceAdvice.CarryOn.Instance) : next.Stalled(sample.RemainingBytes / rate * 1000);
    }

    /// <summary>
    /// What the guest dirtied in the round that ended. QEMU learns of it all at once, when the round ends: from one reading to the next what is left grows by
    /// that and falls by what was sent, however long after the ends of their rounds they were taken. Not so in the first pass, in which pages of zeroes are
    /// left and hardly sent: it stops short, with what fits the limit left, and the rest of the next round was dirtied in it.
    /// </summary>
    private IReadOnlyList<DirtyPoint> Seen(PrecopySample sample, double seconds, double rate)
    {
        if (RoundsSeen.Count >= RoundsSeenMax || seconds < RoundSecondsMin || sample.Round != Current.Round + 1)
        {
            return RoundsSeen;
        }

        var dirtiedBytes = Current.Round > 1
            ? sample.RemainingBytes - Current.RemainingBytes + sample.TransferredBytes - Current.TransferredBytes
            : sample.RemainingBytes - Math.Min(LeftBytes, rate * DowntimeLimitMs / 1000);
        return [.. RoundsSeen, new(seconds, Math.Max(0, dirtiedBytes))];
    }

    /// <summary>Rounds no longer shrink: <paramref name="neededMs"/> is the stop that would hold what is left now.</summary>
    private (ConvergenceController Next, ConvergenceAdvice Advice) Stalled(double neededMs)
    {
        if (neededMs <= Settings.DowntimeBudgetMs && DowntimeLimitMs < Settings.DowntimeBudgetMs)
        {
            var raised = Raised(neededMs);
            return (this with { DowntimeLimitMs = raised, StallCount = 0 }, new ConvergenceAdvice.SetDowntimeLimit(raised));
        }

        var stalls = Settings.SlowsGuest ? 0 : StallCount + 1;
        return (this with { StallCount = stalls }, stalls >= StallsMax
            ? new ConvergenceAdvice.EndRounds(TerminationRule.NotConverging)
            : ConvergenceAdvice.CarryOn.Instance);
    }

    private double Raised(double neededMs) => Math.Min(Settings.DowntimeBudgetMs, Math.Max(DowntimeLimitMs * RaiseFactorMin, neededMs * RaiseHeadroom));

    /// <summary>
    /// The forecast's curve, and what the link really carries, say that no round will ever fit the budget. Then further
    /// rounds only waste time; asked once there is a measured rate, and only if there is something better to do.
    /// </summary>
    private TerminationRule? Hopeless(PrecopySample sample)
    {
        if (Settings.ExpectedDirty is not { } expected || Settings.Action == NonConvergenceAction.SwitchOver || Settings.SlowsGuest || BytesPerSecond <= 0)
        {
            return null;
        }

        if (RoundsSeen is [.., var seen] && seen.UniqueBytes * ExpectationMargin < expected.UniqueBytes(seen.WindowSeconds))
        {
            return null; // The guest writes far less than was expected: nothing that follows from it holds.
        }

        var budgetBytes = BytesPerSecond * Settings.DowntimeBudgetMs / 1000;
        var nextBytes = expected.UniqueBytes(sample.RemainingBytes / BytesPerSecond);
        var fixedPointBytes = expected.UniqueBytes(nextBytes / BytesPerSecond);
        return fixedPointBytes > budgetBytes * ExpectationMargin && sample.RemainingBytes > budgetBytes ? TerminationRule.NotConverging : null;
    }

    private TerminationRule? LimitReached(PrecopySample sample)
    {
        var rules = Settings.Termination;
        return sample.Round > rules.RoundsMax + 1 ? TerminationRule.Rounds
            : sample.MemoryBytes > 0 && sample.TransferredBytes >= rules.CopiedFactorMax * sample.MemoryBytes ? TerminationRule.CopiedMemory
            : sample.Elapsed >= rules.Deadline ? TerminationRule.Deadline
            : null;
    }

    /// <summary>At the end of a round: within one, all that was left may have been sent, and what the guest wrote meanwhile is not counted yet.</summary>
    private TerminationRule? AtThreshold(PrecopySample sample) =>
        Settings.Termination.ThresholdBytes > 0 && sample.RemainingBytes <= Settings.Termination.ThresholdBytes ? TerminationRule.Threshold : null;
}

/// <summary>Where a round began: QEMU's pass number (1 is the first copy), time, bytes sent before it and bytes to send in it.</summary>
public readonly record struct RoundStart(long Round, TimeSpan StartedAt, long TransferredBytes, long RemainingBytes)
{
    internal static RoundStart At(PrecopySample sample) => new(sample.Round, sample.Elapsed, sample.TransferredBytes, sample.RemainingBytes);
}
