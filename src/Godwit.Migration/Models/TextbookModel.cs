namespace Godwit.Migration.Models;

/// <summary>
/// The textbook model of live migration: one constant dirty rate, one constant link rate. It is kept exactly as it is
/// taught, because people know it and compare with it; forecasts use <see cref="WorkingSetModel"/> instead.
/// <code>
/// r = P·D / R          share of the link that the guest's writes would fill
/// n = ⌈log_r(Vth / V)⌉ rounds after the first copy, at most RoundsMax
/// Tmig  = (V/R)·(1 − r^(n+1)) / (1 − r) + Tres
/// Tdown = r^n·(V/R) + Tres
/// </code>
/// Sources: the model of Callegati and Cerroni (2013), as used by Sun et al. (FGCS 55, 2016) for several VMs.
/// </summary>
public sealed record TextbookModel
{
    /// <summary>V: the guest's memory, in bytes.</summary>
    public required double MemoryBytes { get; init; }

    /// <summary>R: what the link carries, in bytes per second; above zero.</summary>
    public required double LinkBytesPerSecond { get; init; }

    /// <summary>P·D: page size times pages dirtied per second, in bytes per second.</summary>
    public double DirtyBytesPerSecond { get; init; }

    /// <summary>Vth: dirty memory at which the rounds end, in bytes.</summary>
    public double ThresholdBytes { get; init; }

    /// <summary>Tres: from the last byte to the guest running again, in seconds.</summary>
    public double RestartSeconds { get; init; }

    /// <summary>The most rounds after the first copy.</summary>
    public int RoundsMax { get; init; } = 30;

    /// <summary>r: below 1 the rounds shrink, at 1 they stay, above 1 they grow.</summary>
    public double DirtyRatio => DirtyBytesPerSecond / LinkBytesPerSecond;

    /// <summary>Stop-and-copy: the guest stands still for the whole time, <c>Tmig = Tdown = V/R</c>.</summary>
    public TextbookResult NonLive()
    {
        Check();
        var copySeconds = MemoryBytes / LinkBytesPerSecond;
        return new(copySeconds, copySeconds, 0, MemoryBytes, Diverges: false);
    }

    /// <summary>Iterative pre-copy. With r above 1 the result is that of all <see cref="RoundsMax"/> rounds and says that it diverges.</summary>
    public TextbookResult Precopy()
    {
        Check();
        var rounds = Rounds(DirtyRatio, ThresholdBytes / MemoryBytes, RoundsMax);
        var copySeconds = MemoryBytes / LinkBytesPerSecond;
        var factor = SeriesFactor(DirtyRatio, rounds);
        return new(
            TotalSeconds: (copySeconds * factor) + RestartSeconds,
            DowntimeSeconds: (copySeconds * Math.Pow(DirtyRatio, rounds)) + RestartSeconds,
            Rounds: rounds,
            Bytes: MemoryBytes * factor,
            Diverges: DirtyRatio > 1);
    }

    /// <summary>
    /// n: rounds until what a round leaves dirty, as a share of memory, is at most <paramref name="thresholdShare"/>.
    /// A threshold of the whole memory or more needs none; at r ≥ 1, or with no threshold, only the limit ends them.
    /// </summary>
    public static int Rounds(double dirtyRatio, double thresholdShare, int roundsMax)
    {
        if (thresholdShare >= 1)
        {
            return 0;
        }

        if (dirtyRatio <= 0)
        {
            return Math.Min(1, roundsMax); // The limit of the logarithm for r → 0: one look at what is left, and nothing is.
        }

        if (dirtyRatio >= 1 || thresholdShare <= 0)
        {
            return roundsMax;
        }

        // The small allowance keeps a quotient that is whole in arithmetic from being rounded up by the last bit.
        var exact = Math.Log(thresholdShare) / Math.Log(dirtyRatio);
        return (int)Math.Min(roundsMax, Math.Ceiling(exact - 1e-9));
    }

    /// <summary>1 + r + … + r^n = (1 − r^(n+1)) / (1 − r), which is n + 1 at r = 1.</summary>
    public static double SeriesFactor(double dirtyRatio, int rounds) =>
        Math.Abs(dirtyRatio - 1) < 1e-12 ? rounds + 1 : (1 - Math.Pow(dirtyRatio, rounds + 1)) / (1 - dirtyRatio);

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(LinkBytesPerSecond);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MemoryBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(DirtyBytesPerSecond);
        ArgumentOutOfRangeException.ThrowIfNegative(ThresholdBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(RestartSeconds);
        ArgumentOutOfRangeException.ThrowIfNegative(RoundsMax);
    }
}

/// <summary>What a formula gives: times in seconds, bytes on the wire. <paramref name="Diverges"/>: rounds grow, so only a limit ends them.</summary>
public readonly record struct TextbookResult(double TotalSeconds, double DowntimeSeconds, int Rounds, double Bytes, bool Diverges);
