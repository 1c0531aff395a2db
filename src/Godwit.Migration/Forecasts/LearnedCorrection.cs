using Godwit.Migration.Models;

namespace Godwit.Migration.Forecasts;

/// <summary>What one finished move of a VM showed.</summary>
public sealed record PastMove
{
    /// <summary>More rounds than this teach nothing new.</summary>
    public const int RoundsMax = 32;

    /// <summary>Before the move, in bytes per second; zero when it could not be told.</summary>
    public double DirtyBeforeBytesPerSecond { get; init; }

    /// <summary>While it ran, as the last round showed it, in bytes per second.</summary>
    public double DirtyDuringBytesPerSecond { get; init; }

    /// <summary>Bytes of the first pass.</summary>
    public double FirstPassBytes { get; init; }

    /// <summary>u(t), as the rounds showed it.</summary>
    public IReadOnlyList<DirtyPoint> Rounds { get; init; } = [];

    /// <summary>The rate of the rounds over the link's, which was measured before; zero when either is not known. See <see cref="PastCosts.RateShare"/>.</summary>
    public double RateShare { get; init; }

    /// <summary>Whether these can be numbers of a move: asked of what another node says.</summary>
    public bool IsSound =>
        Rounds is { Count: <= RoundsMax }
        && Rounds.All(round => double.IsFinite(round.WindowSeconds) && round.WindowSeconds > 0 && double.IsFinite(round.UniqueBytes) && round.UniqueBytes >= 0)
        && new[] { DirtyBeforeBytesPerSecond, DirtyDuringBytesPerSecond, FirstPassBytes, RateShare }.All(number => double.IsFinite(number) && number >= 0);
}

/// <summary>
/// What a VM's past moves teach about its next one. The rounds of a move are themselves the best readings of u(t): exact, and taken while the guest
/// was being moved. Rates sampled before a move are half or a third of those in it, so without history the upper end is three times the sample.
/// </summary>
/// <param name="TotalFactor">What the model's time may be off by.</param>
/// <param name="DirtyFactor">How much faster or slower than its curve the guest may write.</param>
/// <param name="FirstPassBytes">Null: no move told.</param>
/// <param name="MoveCount">How many moves this is from.</param>
public sealed record LearnedCorrection(Interval TotalFactor, Interval DirtyFactor, Interval? FirstPassBytes, int MoveCount)
{
    /// <summary>More than this many moves back teaches nothing about today.</summary>
    public const int MovesMax = 8;

    /// <summary>Of these moves the rounds are taken together: more would hide that a guest has changed.</summary>
    private const int CurveMovesMax = 3;

    /// <summary>A guest whose sampled rate is this many times what it was before its past moves does something else now.</summary>
    private const double ChangeFactorMin = 4;

    /// <summary>Moves that dirtied less say nothing about how far guests stray from their curve.</summary>
    private const double StrayBytesMin = 4 << 20;

    private const double SampledBytesPerSecondMin = 1 << 20;

    public static LearnedCorrection None { get; } = new(new(0.85, 1.35), new(0.7, 3), null, 0);

    /// <summary>The rounds of the newest moves; empty: none told.</summary>
    public IReadOnlyList<DirtyPoint> Rounds { get; init; } = [];

    /// <summary>The rate sampled before those moves, in bytes per second; zero: not known.</summary>
    public double DirtyBeforeBytesPerSecond { get; init; }

    /// <summary>What the streams of those moves got of their links, newest last.</summary>
    public IReadOnlyList<double> RateShares { get; init; } = [];

    /// <summary>From the newest moves last. The fewer, the wider the ranges stay.</summary>
    public static LearnedCorrection From(IReadOnlyList<PastMove> moves)
    {
        var recent = moves.TakeLast(MovesMax).Where(move => move.FirstPassBytes > 0 || move.Rounds.Count > 0).ToArray();
        if (recent.Length == 0)
        {
            return None;
        }

        var doubt = 1 + (0.1 / recent.Length);
        var firstPass = recent.Where(move => move.FirstPassBytes > 0).TakeLast(CurveMovesMax).Select(move => move.FirstPassBytes).ToArray();
        var seen = recent.Where(move => move.Rounds.Count > 0).TakeLast(CurveMovesMax).ToArray();
        DirtyPoint[] rounds = [.. seen.SelectMany(move => move.Rounds)];
        return new(
            rounds.Length == 0 ? None.TotalFactor : new(1 / 1.04, 1.04),
            rounds.Length == 0 ? Ratios(recent, doubt) : Strays(seen, rounds, doubt),
            firstPass.Length == 0 ? null : Typical.Next(firstPass, 1 + (0.02 / firstPass.Length)),
            recent.Length)
        {
            Rounds = rounds,
            RateShares = [.. recent.Where(move => move.RateShare > 0).Select(move => Math.Clamp(move.RateShare, 0.01, 10))],
            DirtyBeforeBytesPerSecond = seen.Length == 0 ? 0 : seen.Average(move => move.DirtyBeforeBytesPerSecond),
        };
    }

    /// <summary>
    /// What its next stream will get of the link. A guest that is busy itself leaves the stream less of its host than an idle one, so its own moves say more than
    /// those of others between the same hosts; those count as one of its own.
    /// </summary>
    /// <param name="ofNode">As all moves between the two hosts showed it: <see cref="PastCosts.LinkShare"/>.</param>
    public Interval LinkShare(Interval ofNode) => RateShares.Count == 0 ? ofNode : Typical.Around([.. RateShares, ofNode.Middle], 1 + (0.1 / RateShares.Count));

    /// <summary>u(t) for the next move; null when no move told. <paramref name="sampledBytesPerSecond"/> is the rate of now: a guest that has changed much is scaled to it.</summary>
    public DirtyCurve? Curve(double workingSetBytes, double? sampledBytesPerSecond) =>
        Rounds.Count == 0 ? null : DirtyCurve.Fitted(Rounds, workingSetBytes).Faster(Change(sampledBytesPerSecond));

    private double Change(double? sampledBytesPerSecond)
    {
        if (sampledBytesPerSecond is not { } now || now < SampledBytesPerSecondMin || DirtyBeforeBytesPerSecond < SampledBytesPerSecondMin)
        {
            return 1;
        }

        var change = now / DirtyBeforeBytesPerSecond;
        return change is > 1 / ChangeFactorMin and < ChangeFactorMin ? 1 : change;
    }

    private static Interval Ratios(PastMove[] moves, double doubt)
    {
        var ratios = moves
            .Where(move => move is { DirtyBeforeBytesPerSecond: > 0, DirtyDuringBytesPerSecond: > 0 })
            .Select(move => move.DirtyDuringBytesPerSecond / move.DirtyBeforeBytesPerSecond)
            .ToArray();
        return ratios.Length == 0 ? None.DirtyFactor : Around(ratios, doubt + 0.2);
    }

    /// <summary>
    /// How far moves as a whole lie off the curve through the rounds of all of them. Rounds of one move that stray both ways even each other out in its time and
    /// its bytes; what a guest writes more in all rounds of a move, or from move to move, does not.
    /// </summary>
    private static Interval Strays(PastMove[] moves, DirtyPoint[] rounds, double doubt)
    {
        var curve = DirtyCurve.Fitted(rounds, double.MaxValue);
        double Stray(PastMove move)
        {
            var expectedBytes = move.Rounds.Sum(round => curve.UniqueBytes(round.WindowSeconds));
            return expectedBytes < StrayBytesMin ? 1 : Math.Clamp(move.Rounds.Sum(round => round.UniqueBytes) / expectedBytes, 0.6, 1.6);
        }

        return Typical.Next([.. moves.Select(Stray)], doubt);
    }

    private static Interval Around(double[] values, double doubt) =>
        new(Math.Max(values.Min(), 0.05) / doubt, Math.Clamp(values.Max(), 0.05, double.MaxValue / 4) * doubt);
}
