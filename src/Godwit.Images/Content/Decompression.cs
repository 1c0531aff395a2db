using System.IO.Compression;
using Godwit.Images.Tar;
using Godwit.Oci;

namespace Godwit.Images.Content;

/// <summary>Opens compressed streams, and stops those that come to far more than they should.</summary>
internal static class Decompression
{
    /// <summary>What the decompressors ask for at once is far less, and each time a system call.</summary>
    private const int ReadAheadBytes = 128 << 10;

    private static readonly byte[] GzipMark = [0x1f, 0x8b];
    private static readonly byte[] ZstdMark = [0x28, 0xb5, 0x2f, 0xfd];

    /// <summary>The stream's contents, decompressed; more than the limits allow is an <see cref="ImageException"/> while reading.</summary>
    public static Stream Open(Stream compressed, Compression compression, UnpackLimits limits)
    {
        if (compression is Compression.None)
        {
            return compressed;
        }

        var counted = new CountingStream(compressed);
        Stream open = compression is Compression.Gzip ? new GZipStream(new BufferedStream(counted, ReadAheadBytes), CompressionMode.Decompress) : new ZstdSharp.DecompressionStream(counted, ReadAheadBytes);
        return new BoundedStream(open, counted, limits);
    }

    /// <summary>Finds out by its first bytes how a stream is compressed; the stream that is returned begins with them again.</summary>
    public static (Stream Stream, Compression Compression) Detect(Stream source)
    {
        var start = new byte[4];
        var count = source.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        var found = start.AsSpan(0, count);
        var compression = found.StartsWith(GzipMark) ? Compression.Gzip : found.StartsWith(ZstdMark) ? Compression.Zstd : Compression.None;
        return (new PrefixedStream(start[..count], source), compression);
    }

    private sealed class CountingStream(Stream inner) : ForwardStream
    {
        public override bool CanRead => true;

        public long CountBytes { get; private set; }

        public override int Read(Span<byte> buffer)
        {
            var count = inner.Read(buffer);
            CountBytes += count;
            return count;
        }
    }

    private sealed class BoundedStream(Stream open, CountingStream compressed, UnpackLimits limits) : ForwardStream
    {
        private long countBytes;

        public override bool CanRead => true;

        public override int Read(Span<byte> buffer)
        {
            int count;
            try
            {
                count = open.Read(buffer);
            }
            catch (Exception damage) when (damage is InvalidDataException or ZstdSharp.ZstdException or EndOfStreamException)
            {
                throw new ImageException(ImageErrorKind.Corrupt, "The compressed data is damaged.", damage);
            }

            countBytes += count;
            if (countBytes > limits.RatioFreeBytes && countBytes / limits.RatioMax > compressed.CountBytes)
            {
                throw new ImageException(ImageErrorKind.Corrupt, $"The compressed data is a bomb: {compressed.CountBytes} bytes came to more than {countBytes}, which is more than {limits.RatioMax} times as many.");
            }

            return count;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                open.Dispose();
            }

            base.Dispose(disposing);
        }
    }

    private sealed class PrefixedStream(byte[] prefix, Stream rest) : ForwardStream
    {
        private int at;

        public override bool CanRead => true;

        public override int Read(Span<byte> buffer)
        {
            if (at == prefix.Length)
            {
                return rest.Read(buffer);
            }

            var count = Math.Min(buffer.Length, prefix.Length - at);
            prefix.AsSpan(at, count).CopyTo(buffer);
            at += count;
            return count;
        }
    }
}
