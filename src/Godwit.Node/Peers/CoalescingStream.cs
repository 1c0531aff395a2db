namespace Godwit.Node.Peers;

/// <summary>
/// Between TLS and the socket. TLS hands over one record of at most 16 KiB at a time and asks for as little; one system
/// call each would cost more than the encryption. Here what is written waits for the flush (or a full buffer), and each
/// read takes what the socket has. Used by one reader and one writer at a time, as a TLS stream does; each of them may
/// pass from the asynchronous calls to the blocking ones and back.
/// </summary>
internal sealed class CoalescingStream(Stream inner, int bufferBytes) : Stream
{
    private readonly byte[] writeBuffer = new byte[bufferBytes];
    private readonly byte[] readBuffer = new byte[bufferBytes];
    private int writeLength;
    private int readOffset;
    private int readLength;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Something has come that was not read yet: at least the beginning of a TLS record, whose rest was sent with it.</summary>
    public bool HoldsMore => readLength > 0;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (readLength == 0)
        {
            if (buffer.Length >= readBuffer.Length || buffer.Length == 0)
            {
                return await inner.ReadAsync(buffer, cancellationToken);
            }

            readOffset = 0;
            readLength = await inner.ReadAsync(readBuffer, cancellationToken);
        }

        return Take(buffer.Span);
    }

    public override int Read(Span<byte> buffer)
    {
        if (readLength == 0)
        {
            if (buffer.Length >= readBuffer.Length || buffer.Length == 0)
            {
                return inner.Read(buffer);
            }

            readOffset = 0;
            readLength = inner.Read(readBuffer);
        }

        return Take(buffer);
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.Length > writeBuffer.Length - writeLength)
        {
            await FlushAsync(cancellationToken);
        }

        if (buffer.Length > writeBuffer.Length)
        {
            await inner.WriteAsync(buffer, cancellationToken);
            return;
        }

        buffer.CopyTo(writeBuffer.AsMemory(writeLength));
        writeLength += buffer.Length;
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > writeBuffer.Length - writeLength)
        {
            Flush();
        }

        if (buffer.Length > writeBuffer.Length)
        {
            inner.Write(buffer);
            return;
        }

        buffer.CopyTo(writeBuffer.AsSpan(writeLength));
        writeLength += buffer.Length;
    }

    public override void Flush()
    {
        if (writeLength > 0)
        {
            var length = writeLength;
            writeLength = 0;
            inner.Write(writeBuffer.AsSpan(0, length));
        }
    }

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        if (writeLength > 0)
        {
            var length = writeLength;
            writeLength = 0;
            await inner.WriteAsync(writeBuffer.AsMemory(0, length), cancellationToken);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Take(Span<byte> buffer)
    {
        var count = Math.Min(buffer.Length, readLength);
        readBuffer.AsSpan(readOffset, count).CopyTo(buffer);
        readOffset += count;
        readLength -= count;
        return count;
    }
}
