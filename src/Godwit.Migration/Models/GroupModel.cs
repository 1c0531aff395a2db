using System.Globalization;

namespace Godwit.Migration.Models;

/// <summary>
/// Textbook formulas for m equal VMs over one link. The group's downtime is that of one service made of all m: down
/// from the first stop to the last start. An independent VM sees only its own (<see cref="GroupResult.MemberDowntimeSeconds"/>).
/// <code>
/// serial    Tdown = (V/R)·r^n + (m−1)·(V/R)·F(r,n) + Tres        total m·(V/R)·F(r,n)
/// parallel  Tdown = (mV/R)·(mr)^n' + Tres                        total (mV/R)·F(mr,n')     needs mr &lt; 1
/// k-mixed   Tdown = (kV/R)·(kr)^nk + (m−k)·α·V/R + Tres          total (kV/R)·F(kr,nk) + (m−k)·α·V/R
/// with F(r,n) = (1 − r^(n+1)) / (1 − r)
/// </code>
/// In parallel each member has R/k of the link and Vth/k of the threshold, so n' and nk are ⌈log_kr(Vth/(kV))⌉.
/// k = 1 is the "improved serial" strategy (the first by pre-copy, the others by post-copy); k = m is parallel.
/// Source: Sun et al., Future Generation Computer Systems 55 (2016); Cerroni, J. Internet Serv. Appl. 6:6 (2015).
/// </summary>
public sealed record GroupModel(TextbookModel Member, int MemberCount)
{
    /// <summary>α: share of a member's memory that is pulled while the service waits for it; measured values are near 0.7.</summary>
    public double PulledShare { get; init; } = 0.7;

    /// <summary>One after the other, each by pre-copy.</summary>
    public GroupOutcome Serial()
    {
        Check(MemberCount);
        var alone = Member.Precopy();
        if (alone.Diverges)
        {
            return Refuse("serial", Member.DirtyRatio, 1);
        }

        var copySeconds = Member.MemoryBytes / Member.LinkBytesPerSecond;
        var memberSeconds = copySeconds * TextbookModel.SeriesFactor(Member.DirtyRatio, alone.Rounds);
        return new GroupOutcome.Feasible(new(
            TotalSeconds: MemberCount * memberSeconds,
            GroupDowntimeSeconds: alone.DowntimeSeconds + ((MemberCount - 1) * memberSeconds),
            MemberDowntimeSeconds: alone.DowntimeSeconds,
            Rounds: alone.Rounds,
            Bytes: MemberCount * alone.Bytes));
    }

    /// <summary>All at once, one synchronised stop-and-copy; refused with the numbers when m·r ≥ 1.</summary>
    public GroupOutcome Parallel() => Mixed(MemberCount);

    /// <summary>The first by pre-copy, then the others by post-copy.</summary>
    public GroupOutcome ImprovedSerial() => Mixed(1);

    /// <summary>The first <paramref name="parallelCount"/> in parallel by pre-copy, the others by post-copy.</summary>
    public GroupOutcome Mixed(int parallelCount)
    {
        Check(parallelCount);
        var ratio = parallelCount * Member.DirtyRatio;
        if (ratio >= 1)
        {
            return Refuse(parallelCount == MemberCount ? "parallel" : "mixed", ratio, parallelCount);
        }

        var memoryBytes = parallelCount * Member.MemoryBytes;
        var copySeconds = memoryBytes / Member.LinkBytesPerSecond;
        var rounds = TextbookModel.Rounds(ratio, Member.ThresholdBytes / memoryBytes, Member.RoundsMax);
        var factor = TextbookModel.SeriesFactor(ratio, rounds);
        var pulledBytes = (MemberCount - parallelCount) * PulledShare * Member.MemoryBytes;
        var pulledSeconds = pulledBytes / Member.LinkBytesPerSecond;
        var stopSeconds = copySeconds * Math.Pow(ratio, rounds);
        return new GroupOutcome.Feasible(new(
            TotalSeconds: (copySeconds * factor) + pulledSeconds,
            GroupDowntimeSeconds: stopSeconds + pulledSeconds + Member.RestartSeconds,
            MemberDowntimeSeconds: stopSeconds + Member.RestartSeconds,
            Rounds: rounds,
            Bytes: (memoryBytes * factor) + ((MemberCount - parallelCount) * Member.MemoryBytes)));
    }

    private static GroupOutcome.Refused Refuse(string strategy, double ratio, int sharing) => new(string.Create(
        CultureInfo.InvariantCulture,
        $"{strategy} would not converge: {sharing} writing at once fill {ratio:0.##} of the link, and it takes less than 1"));

    private void Check(int parallelCount)
    {
        Member.Check();
        ArgumentOutOfRangeException.ThrowIfLessThan(MemberCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(parallelCount, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parallelCount, MemberCount);
        ArgumentOutOfRangeException.ThrowIfNegative(PulledShare);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(PulledShare, 1);
    }
}

/// <summary>A group strategy either has numbers or a reason why it cannot be used.</summary>
public abstract record GroupOutcome
{
    private GroupOutcome()
    {
    }

    public sealed record Feasible(GroupResult Result) : GroupOutcome;

    public sealed record Refused(string Reason) : GroupOutcome;
}

/// <summary>Times in seconds; downtime as a service of all members sees it, and as one independent member does.</summary>
public readonly record struct GroupResult(
    double TotalSeconds, double GroupDowntimeSeconds, double MemberDowntimeSeconds, int Rounds, double Bytes);
