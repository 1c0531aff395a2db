namespace Godwit.Images.Content;

/// <summary>
/// A bounded pipe between two threads, or between a thread and asynchronous code: a few buffers that the writer fills and
/// the reader empties, in order. Memory is bounded by what is passed to the constructor; each side waits for the other, and
/// either ends the other's waiting when it stops.
/// <code>
///   writer: fills ──▶ [full|full|    |    ] ──▶ reader: empties
///           waits when all are full             waits when all are empty
/// </code>
/// </summary>
#pragma warning disable CA1001 // Neither semaphore nor token source holds anything of the system here, and disposing them beneath the other side would be a race.
internal sealed class BufferRing(int buffers = 8, int bufferBytes = 256 << 10)
{
    private readonly byte[][] slots = new byte[buffers][];
    private readonly int[] lengths = new int[buffers];
    private readonly SemaphoreSlim free = new(buffers);
    private readonly SemaphoreSlim full = new(0);
    private readonly CancellationTokenSource readerGone = new();
    private int writeAt;
    private int readAt;
    private int readOffset;
    private bool reading;
    private long published;
    private long consumed;
    private volatile Exception? failure;
    private volatile bool finished;

    /// <summary>What a blocking reader reads from. It is used by one thread.</summary>
    public Stream Reader => new ReaderStream(this);

    /// <summary>What a blocking writer writes to. It is used by one thread. Disposing it says nothing to the reader; <see cref="Finish"/> does.</summary>
    public Stream Writer => new WriterStream(this);

    /// <summary>Passes all of a stream on, to its end or to its failure; then says so to the reader. Blocking.</summary>
    public void Fill(Stream source, CancellationToken stopping)
    {
        try
        {
            int count;
            do
            {
                var slot = Claim(stopping);
                count = source.ReadAtLeast(slot, slot.Length, throwOnEndOfStream: false);
                Publish(count);
            }
            while (count > 0);
        }
        catch (Exception reason)
        {
            Finish(reason);
            return;
        }

        Finish(null);
    }

    /// <summary>The same without blocking a thread.</summary>
    public async Task FillAsync(Stream source, CancellationToken stopping)
    {
        try
        {
            int count;
            do
            {
                await WaitAsync(free, stopping);
                var slot = slots[writeAt] ??= new byte[bufferBytes];
                count = await source.ReadAtLeastAsync(slot, slot.Length, throwOnEndOfStream: false, stopping);
                Publish(count);
            }
            while (count > 0);
        }
        catch (Exception reason)
        {
            Finish(reason);
            return;
        }

        Finish(null);
    }

    /// <summary>Passes everything on to a stream without blocking a thread; ends with the writer.</summary>
    public async Task DrainAsync(Stream output, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                await full.WaitAsync(stopping);
                if (AtEnd())
                {
                    return;
                }

                await output.WriteAsync(slots[readAt].AsMemory(0, lengths[readAt]), stopping);
                Release();
            }
        }
        finally
        {
            await readerGone.CancelAsync();
        }
    }

    /// <summary>Nothing more comes: the reader reads what is there and then the end, or the failure.</summary>
    public void Finish(Exception? reason)
    {
        failure = reason;
        finished = true;
        full.Release();
    }

    /// <summary>Nobody reads any more: a writer that waits, or comes, gets <see cref="OperationCanceledException"/>.</summary>
    public void Abandon() => readerGone.Cancel();

    private static void Wait(SemaphoreSlim semaphore, CancellationToken first, CancellationToken second)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(first, second);
        semaphore.Wait(either.Token);
    }

    private async Task WaitAsync(SemaphoreSlim semaphore, CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, readerGone.Token);
        await semaphore.WaitAsync(either.Token);
    }

    private byte[] Claim(CancellationToken stopping)
    {
        Wait(free, stopping, readerGone.Token);
        return slots[writeAt] ??= new byte[bufferBytes];
    }

    private void Publish(int count)
    {
        if (count == 0)
        {
            free.Release();
            return;
        }

        lengths[writeAt] = count;
        Interlocked.Increment(ref published);
        writeAt = (writeAt + 1) % slots.Length;
        full.Release();
    }

    /// <summary>After a wait for a full buffer: whether there is none, because the writer finished.</summary>
    private bool AtEnd()
    {
        if (!finished || consumed < Interlocked.Read(ref published))
        {
            return false;
        }

        full.Release(); // For whoever asks again.
        return failure is null ? true : throw new IOException("What was to be read failed at its source.", failure);
    }

    private void Release()
    {
        readAt = (readAt + 1) % slots.Length;
        readOffset = 0;
        reading = false;
        consumed++;
        free.Release();
    }

    private int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty)
        {
            return 0;
        }

        if (!reading)
        {
            full.Wait(); // Ends: the writer finishes on every way out of Fill.
            if (AtEnd())
            {
                return 0;
            }

            reading = true;
        }

        var count = Math.Min(buffer.Length, lengths[readAt] - readOffset);
        slots[readAt].AsSpan(readOffset, count).CopyTo(buffer);
        readOffset += count;
        if (readOffset == lengths[readAt])
        {
            Release();
        }

        return count;
    }

    private sealed class ReaderStream(BufferRing ring) : ForwardStream
    {
        public override bool CanRead => true;

        public override int Read(Span<byte> buffer) => ring.Read(buffer);
    }

    private sealed class WriterStream(BufferRing ring) : ForwardStream
    {
        private byte[]? slot;
        private int filled;

        public override bool CanWrite => true;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            while (!buffer.IsEmpty)
            {
                slot ??= ring.Claim(CancellationToken.None);
                var count = Math.Min(buffer.Length, slot.Length - filled);
                buffer[..count].CopyTo(slot.AsSpan(filled));
                filled += count;
                buffer = buffer[count..];
                if (filled == slot.Length)
                {
                    Flush();
                }
            }
        }

        public override void Flush()
        {
            if (filled > 0)
            {
                ring.Publish(filled);
                (slot, filled) = (null, 0);
            }
        }
    }
}
