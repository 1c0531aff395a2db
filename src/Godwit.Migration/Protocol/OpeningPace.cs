namespace Godwit.Migration.Protocol;

/// <summary>
/// Holds back the last of a round from a target that is not ready. QEMU stops the guest when it finds nothing left to send, whatever its
/// downtime limit; a page that is not sent keeps it from that. So near the end of a round the bandwidth is taken away:
/// <code>
///   what is left  &gt; reserve    the move's own bandwidth
///                 ≤ reserve    4 KiB/s, of which QEMU makes a buffer in each of its steps of 100 ms: 32 pages, or 3600 that are zero
/// </code>
/// The reserve is what may be gone before the next look is obeyed: twice what the fastest look saw go, and at least 16 MiB, which last
/// for 12 s, and cost 130 ms at 1 Gbit/s when the target is ready. A round that is held takes a step at least, in which a guest that idles
/// writes a page too. Pages of zeroes are not sent but told, nine bytes each, and a bandwidth hardly holds them: QEMU was seen to pass 144 MiB
/// of them between two looks. So in the first pass they are not counted as left where it is known how much is not zero. What gets past it
/// all the same is followed by rounds that are held. A value; each reading gives the next.
/// </summary>
internal sealed record OpeningPace
{
    internal const long HeldBytesPerSecond = 4 << 10;
    internal const long ReserveBytesMin = 16 << 20;
    private const int ReserveLooks = 2;

    /// <summary>Of the move's bandwidth QEMU has only <see cref="HeldBytesPerSecond"/>.</summary>
    internal bool IsHeld { get; private init; }

    /// <summary>What QEMU is told; null: no bound but the move's own.</summary>
    internal long? BytesPerSecond => IsHeld ? HeldBytesPerSecond : null;

    private long Round { get; init; }

    private long RemainingBytes { get; init; }

    private long FastestBytes { get; init; }

    /// <summary>Takes a reading of a stream that sends; the answer says whether <see cref="BytesPerSecond"/> is to be set anew.</summary>
    /// <param name="reading">Of the source's QEMU.</param>
    /// <param name="firstPassBytes">What is not zero, as far as it is known; null: not at all.</param>
    internal (OpeningPace Next, bool IsChanged) Observe(QemuReading reading, double? firstPassBytes)
    {
        var leftBytes = reading.Round <= 1 && firstPassBytes is { } known ? Math.Min(reading.RemainingBytes, known - reading.TransferredBytes) : reading.RemainingBytes;
        var goneBytes = reading.Round == Round ? RemainingBytes - reading.RemainingBytes : 0;
        var fastestBytes = Math.Max(FastestBytes, goneBytes);
        var next = this with
        {
            Round = reading.Round,
            RemainingBytes = reading.RemainingBytes,
            FastestBytes = fastestBytes,
            IsHeld = reading.Round > 0 && leftBytes <= Math.Max(ReserveBytesMin, fastestBytes * ReserveLooks),
        };
        return (next, next.IsHeld != IsHeld);
    }
}
