namespace Godwit.Networks.Guests;

/// <summary>
/// What was sent to a guest around the moment at which it stopped, as far as it can be kept. Pure; see <see cref="FrameKeeper"/> for why.
/// <code>
///   watching ◀─ Watch, Hold ─▶ holding
///   keeps the newest,          keeps all from
///   for a short time           the stop on
/// </code>
/// The bound is of bytes: while watching it is the oldest that go, while holding what is new is not taken: of a stream of segments whose first ones
/// arrive, the missing ones are asked for at once. A network may lose any frame.
/// </summary>
internal sealed class KeptFrames(TimeSpan watched, int bytesMax)
{
    private readonly Queue<(DateTimeOffset At, byte[] Frame)> frames = new();
    private DateTimeOffset? heldSince;
    private int byteCount;

    public int Count => frames.Count;

    public void Add(DateTimeOffset at, ReadOnlySpan<byte> frame)
    {
        if (at < heldSince)
        {
            return;
        }

        if (heldSince is null)
        {
            while (frames.TryPeek(out var oldest) && (oldest.At < at - watched || byteCount + frame.Length > bytesMax))
            {
                DropOldest();
            }
        }

        if (byteCount + frame.Length <= bytesMax)
        {
            frames.Enqueue((at, frame.ToArray()));
            byteCount += frame.Length;
        }
    }

    /// <summary>The guest takes nothing in any more since then: what it was sent before does not matter. Only the first time counts, until <see cref="Watch"/>.</summary>
    public void Hold(DateTimeOffset since)
    {
        if (heldSince is not null)
        {
            return;
        }

        heldSince = since;
        while (frames.TryPeek(out var oldest) && oldest.At < since)
        {
            DropOldest();
        }
    }

    /// <summary>The guest takes in again what it is sent: nothing that was kept matters.</summary>
    public void Watch()
    {
        if (heldSince is not null)
        {
            heldSince = null;
            Take();
        }
    }

    /// <summary>All that is kept, in its order, and is so no more.</summary>
    public IReadOnlyList<byte[]> Take()
    {
        byte[][] kept = [.. frames.Select(entry => entry.Frame)];
        frames.Clear();
        byteCount = 0;
        return kept;
    }

    private void DropOldest() => byteCount -= frames.Dequeue().Frame.Length;
}
