using System.Buffers;

namespace Godwit.Node.Peers;

/// <summary>Memory of this agent for what comes before a QEMU listens, all streams together.</summary>
internal sealed class EarlyRoom
{
    /// <summary>A quarter of a second of 4 Gbit/s; a stream that finds no room waits in its sender, as it would without this.</summary>
    public const long BytesMax = 128L << 20;

    private long takenBytes;

    public long TakenBytes => Interlocked.Read(ref takenBytes);

    public bool TryTake(int bytes)
    {
        if (Interlocked.Add(ref takenBytes, bytes) <= BytesMax)
        {
            return true;
        }

        Give(bytes);
        return false;
    }

    public void Give(int bytes) => Interlocked.Add(ref takenBytes, -bytes);
}

/// <summary>
/// What came for a QEMU that does not listen yet, between the thread that reads it and the one that passes it on. It ends by
/// itself: when the second finds nothing left, the first passes on without it, and no byte overtakes another.
/// <code>
///   keeping ── Take ──▶ passing ── Take finds nothing left ──▶ passed
///      └──────────────────┴──────── Break ───────────────────▶ broken
/// </code>
/// While it is passed on nothing more is kept: a QEMU that loads more slowly than the link carries would else stay behind by all that there is
/// room for, and the guest stand still until it has caught up.
/// </summary>
internal sealed class EarlyBytes(EarlyRoom room) : IDisposable
{
    private readonly Queue<ArraySegment<byte>> kept = new();
    private readonly object gate = new();
    private bool isPassing;
    private bool isPassed;
    private bool isBroken;

    /// <summary>Keeps a copy, and waits while there is no room for it or while what was kept is passed on. False: nothing is kept any more, pass it on.</summary>
    /// <exception cref="OperationCanceledException">Broken.</exception>
    public bool TryKeep(ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            while (!isPassed && !isBroken && (isPassing || !room.TryTake(bytes.Length)))
            {
                Monitor.Wait(gate);
            }

            if (isBroken)
            {
                throw new OperationCanceledException("The stream was broken before QEMU listened.");
            }

            if (isPassed)
            {
                return false;
            }

            var copy = ArrayPool<byte>.Shared.Rent(bytes.Length);
            bytes.CopyTo(copy);
            kept.Enqueue(new(copy, 0, bytes.Length));
            return true;
        }
    }

    /// <summary>The oldest; <see cref="Return"/> it. Null: nothing is left, and from here on nothing is kept.</summary>
    public ArraySegment<byte>? Take()
    {
        lock (gate)
        {
            isPassing = true;
            if (kept.TryDequeue(out var oldest))
            {
                return oldest;
            }

            isPassed = true;
            Monitor.PulseAll(gate);
            return null;
        }
    }

    public void Return(ArraySegment<byte> taken)
    {
        ArrayPool<byte>.Shared.Return(taken.Array!);
        lock (gate)
        {
            room.Give(taken.Count);
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>Nobody will take what is kept; who waits to keep more is told.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isBroken = true;
            while (kept.TryDequeue(out var dropped))
            {
                ArrayPool<byte>.Shared.Return(dropped.Array!);
                room.Give(dropped.Count);
            }

            Monitor.PulseAll(gate);
        }
    }
}
