using Godwit.Migration.Models;

namespace Godwit.Migration.Forecasts;

/// <summary>Costs that do not depend on the guest's memory, in milliseconds.</summary>
/// <param name="SetupMs">From the request to the first byte: starting the target's QEMU, its network and disks.</param>
/// <param name="RestartMs">Within the stop: device state, the order to run and its answer, activation.</param>
/// <param name="ReachMs">From the guest running to its first answer seen outside: announcement, cold caches.</param>
/// <param name="EndMs">From the guest running, whole, to the source cleaned up.</param>
public readonly record struct FixedCosts(Interval SetupMs, Interval RestartMs, Interval ReachMs, Interval EndMs)
{
    /// <summary>What unknown hosts need; replaced by measurements after the first move.</summary>
    public static FixedCosts Unmeasured { get; } = new(new(80, 2500), new(10, 150), new(20, 150), new(20, 300));

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
        double[] ends = [.. recent.Select(move => move.EndMs).Where(end => end > 0)];
        return new(
            Around([.. recent.Select(move => move.SetupMs)], doubt),
            Around([.. recent.Select(move => move.RestartMs)], doubt),
            Unmeasured.ReachMs,
            ends.Length == 0 ? Unmeasured.EndMs : Around(ends, doubt));
    }

    private static Interval Around(double[] values, double doubt) => Typical.Around([.. values.Select(value => Math.Max(value, 1))], doubt);
}

/// <summary>What one finished move showed of <see cref="FixedCosts"/>, and of the link.</summary>
public sealed record PastCosts(double SetupMs, double RestartMs)
{
    /// <summary>More than this many moves back say nothing about today.</summary>
    public const int MovesMax = 16;

    /// <summary>A shorter copy is mostly the time until it begins.</summary>
    private static readonly TimeSpan DisksMin = TimeSpan.FromSeconds(0.5);

    /// <summary>
    /// What a stream gets of the rate that a burst between the two agents saw: less by its framing and by what the hosts' processors are
    /// busy with, or more where the burst itself was disturbed.
    /// </summary>
    private static readonly Interval LinkShareUnmeasured = new(0.72, 1.1);

    /// <summary>
    /// What the mirrors of disks get of it where none has shown it: they read and write storage beside what they send, and no processor of either host is theirs alone.
    /// </summary>
    private static readonly Interval DiskShareUnmeasured = new(0.3, 1.05);

    /// <summary>Zero when the move did not tell.</summary>
    public double EndMs { get; init; }

    /// <summary>The rate of the rounds, over the rate that was measured before; zero when either is not known.</summary>
    public double RateShare { get; init; }

    /// <summary>The rate of the mirrors of disks, over the same; zero when no disk of some size went along, or the link was not measured.</summary>
    public double DiskRateShare { get; init; }

    /// <summary>Null when the trace does not tell: a move that an agent's restart went through.</summary>
    /// <param name="trace">Of a finished move.</param>
    /// <param name="linkBytesPerSecond">As a burst showed it before the move; null: not measured.</param>
    public static PastCosts? From(Protocol.MoveTrace trace, double? linkBytesPerSecond = null)
    {
        if (trace is not { StreamStartedAt: { } started, PausedAt: { } paused, RunningAt: { } running } || trace.EndedBy == Convergence.TerminationRule.StoppedFirst)
        {
            return null; // Cold: the stop is the whole copy, and tells nothing of what is fixed.
        }

        // In post-copy the guest is stopped before QEMU goes to the barrier; how long that takes is not the hosts' to tell.
        var stopped = trace.Postcopy ? trace.BarrierAt ?? paused : paused;
        var sentMs = !trace.Postcopy && trace.BytesPerSecond > 0 ? trace.RestBytes / trace.BytesPerSecond * 1000 : 0;

        // Held back for a target that was not ready: a wait for it, as before the stream, and no time in which the link carried what it can.
        var roundsSeconds = (paused - started - trace.HeldBackFor).TotalSeconds;
        var disks = trace is { DisksStartedAt: { } copying, DisksInStepAt: { } inStep } ? inStep - copying : TimeSpan.Zero;
        return new((started - trace.BeganAt - disks + trace.HeldBackFor).TotalMilliseconds, Math.Max(1, (running - stopped).TotalMilliseconds - sentMs))
        {
            EndMs = !trace.Postcopy && trace.CompletedAt is { } completed ? (completed - running).TotalMilliseconds : 0,
            RateShare = linkBytesPerSecond > 0 && roundsSeconds > 0.2 && !trace.Postcopy ? trace.TransferredBytes / roundsSeconds / linkBytesPerSecond.Value : 0,
            DiskRateShare = linkBytesPerSecond > 0 && disks > DisksMin ? trace.DiskCopiedBytes / disks.TotalSeconds / linkBytesPerSecond.Value : 0,
        };
    }

    /// <summary>The share of a link's measured rate that moves over it got, newest last.</summary>
    public static Interval LinkShare(IReadOnlyList<PastCosts> moves) => Share(moves, move => move.RateShare, LinkShareUnmeasured);

    /// <summary>The share of it that the mirrors of disks got.</summary>
    public static Interval DiskShare(IReadOnlyList<PastCosts> moves) => Share(moves, move => move.DiskRateShare, DiskShareUnmeasured);

    private static Interval Share(IReadOnlyList<PastCosts> moves, Func<PastCosts, double> of, Interval unmeasured)
    {
        var shares = moves.TakeLast(MovesMax / 2).Select(of).Where(share => share > 0).ToArray();
        var doubt = 1 + (0.1 / Math.Max(1, shares.Length));
        return shares.Length == 0 ? unmeasured : Typical.Around([.. shares.Select(share => Math.Clamp(share, 0.01, 10))], doubt);
    }
}
