namespace Godwit.Migration.Protocol;

/// <summary>
/// Holds a guest of a service back from the barrier, while it runs and its memory is kept nearly in step, until all of the
/// service are there. QEMU stops a guest as soon as what is left fits its downtime limit, and the smallest limit is a
/// millisecond; a guest that writes little fits even that. So the less is left of a round the slower it is sent, so that every
/// round takes some time, in which any guest writes a page:
/// <code>
///   bandwidth = what would send the rest of the round in 100 ms, at least 256 KiB/s; unbounded where the link carries less
/// </code>
/// A later round that begins with more than the link carries in 200 ms is not slowed: the next one will not fit either, and a
/// longer round would leave more for the stop. A guest that comes to the barrier all the same stands still there until the
/// others come, or until it asks that all return: nothing hangs on this but time. A value; each reading gives the next.
/// </summary>
public sealed record ServicePace
{
    /// <summary>QEMU's smallest: what the stream of a guest of a service is begun with.</summary>
    public const double DowntimeLimitMs = 1;

    private const double SpreadSeconds = 0.1;
    private const double UnpacedSeconds = 0.2;
    private const long BytesPerSecondMin = 256 << 10;

    /// <summary>Not changed for less than this: every change makes the looks before it worthless.</summary>
    private const double ChangeFactorMin = 2;

    internal static ServicePace Unbounded { get; } = new();

    /// <summary>What was set; null: no bound but the move's own.</summary>
    internal long? BytesPerSecond { get; private init; }

    private long Round { get; init; }

    private long RoundBytes { get; init; }

    /// <summary>The fastest seen: what it would be sent with.</summary>
    internal double FullBytesPerSecond { get; init; }

    /// <summary>The link carries no more than this from now on, as far as it is known; zero: no bound.</summary>
    internal ServicePace Under(long bandwidthBytesPerSecond) =>
        bandwidthBytesPerSecond == 0 ? this : this with { FullBytesPerSecond = Math.Min(FullBytesPerSecond, bandwidthBytesPerSecond) };

    /// <summary>Takes a reading; the answer says whether <see cref="BytesPerSecond"/> is to be set anew.</summary>
    internal (ServicePace Next, bool IsChanged) Observe(QemuReading reading, TimeSpan elapsed)
    {
        var began = reading.Round != Round;
        var average = elapsed > TimeSpan.Zero ? reading.TransferredBytes / elapsed.TotalSeconds : 0;
        var seen = this with
        {
            Round = reading.Round,
            RoundBytes = began ? reading.RemainingBytes : Math.Max(RoundBytes, reading.RemainingBytes),
            FullBytesPerSecond = BytesPerSecond is null ? Math.Max(FullBytesPerSecond, average) : FullBytesPerSecond,
        };
        var wanted = seen.Wanted(reading.RemainingBytes);
        return IsNear(wanted, BytesPerSecond) ? (seen, false) : (seen with { BytesPerSecond = wanted }, true);
    }

    private long? Wanted(long remainingBytes)
    {
        var isLong = Round > 1 && RoundBytes > FullBytesPerSecond * UnpacedSeconds;
        var spread = remainingBytes / SpreadSeconds;
        return isLong || spread > FullBytesPerSecond ? null : Math.Max(BytesPerSecondMin, (long)spread);
    }

    private static bool IsNear(long? one, long? other) =>
        one == other || (one is { } a && other is { } b && Math.Max(a, b) < Math.Min(a, b) * ChangeFactorMin && Math.Min(a, b) > BytesPerSecondMin);
}
