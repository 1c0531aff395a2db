namespace Godwit.Images.Content;

/// <summary>A stream that goes forwards only and is used by blocking code: what the BCL's base class leaves to each such stream, once.</summary>
internal abstract class ForwardStream : Stream
{
    public override bool CanRead => false;

    public override bool CanWrite => false;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException("This stream has no known length.");

    public override long Position
    {
        get => throw new NotSupportedException("This stream has no position.");
        set => throw new NotSupportedException("This stream cannot be moved.");
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer) => throw new NotSupportedException("This stream is written to.");

    public override void Write(ReadOnlySpan<byte> buffer) => throw new NotSupportedException("This stream is read from.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("This stream cannot be moved.");

    public override void SetLength(long value) => throw new NotSupportedException("This stream has no length to set.");
}

/// <summary>Passes bytes through and hashes them: at the end their digest is known. Reading and writing both count.</summary>
internal sealed class HashingStream(Stream inner, System.Security.Cryptography.IncrementalHash hash) : ForwardStream
{
    public override bool CanRead => inner.CanRead;

    public override bool CanWrite => inner.CanWrite;

    public long CountBytes { get; private set; }

    public override int Read(Span<byte> buffer)
    {
        var count = inner.Read(buffer);
        hash.AppendData(buffer[..count]);
        CountBytes += count;
        return count;
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        inner.Write(buffer);
        hash.AppendData(buffer);
        CountBytes += buffer.Length;
    }

    public override void Flush() => inner.Flush();

    /// <summary>Of all that passed. The hash begins anew.</summary>
    public Oci.Digest Digest() => Oci.Digest.FromHash(hash.GetHashAndReset());
}
