using System.IO.Compression;
using Godwit.Images.Tar;
using Godwit.Linux.Commands;
using Godwit.Oci;

namespace Godwit.Images.Content;

/// <summary>Opens compressed streams, and stops those that come to far more than they should.</summary>
internal static class Decompression
{
    /// <summary>What the decompressors ask for at once is far less, and each time a system call.</summary>
    private const int ReadAheadBytes = 128 << 10;

    /// <summary>Enough for what <c>xz -9</c> writes (65 MiB); a header may ask for 4 GiB.</summary>
    private const string XzMemory = "--memlimit-decompress=256MiB";

    private static readonly byte[] GzipMark = [0x1f, 0x8b];
    private static readonly byte[] ZstdMark = [0x28, 0xb5, 0x2f, 0xfd];
    private static readonly byte[] XzMark = [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    /// <summary>The stream's contents, decompressed; more than the limits allow is an <see cref="ImageException"/> while reading.</summary>
    public static Stream Open(Stream compressed, Compression compression, UnpackLimits limits)
    {
        if (compression is Compression.None)
        {
            return compressed;
        }

        var counted = new CountingStream(compressed);
        Stream open = compression switch
        {
            Compression.Gzip => new GZipStream(new BufferedStream(counted, ReadAheadBytes), CompressionMode.Decompress),
            Compression.Zstd => new ZstdSharp.DecompressionStream(counted, ReadAheadBytes),
            Compression.Xz => StartProgram("/usr/bin/xz", "xz-utils", ["--decompress", "--stdout", "--format=xz", "--threads=1", XzMemory], counted),
            Compression.Bzip2 => StartProgram("/usr/bin/bzip2", "bzip2", ["--decompress", "--stdout"], counted),
            _ => throw new InvalidOperationException($"unknown compression {compression}"),
        };
        return new BoundedStream(open, counted, limits);
    }

    /// <summary>Finds out by its first bytes how a stream is compressed; the stream that is returned begins with them again.</summary>
    public static (Stream Stream, Compression Compression) Detect(Stream source)
    {
        var start = new byte[6];
        var count = source.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        return (new PrefixedStream(start[..count], source), Find(start.AsSpan(0, count)));
    }

    private static Compression Find(ReadOnlySpan<byte> start) =>
        start.StartsWith(GzipMark) ? Compression.Gzip
        : start.StartsWith(ZstdMark) ? Compression.Zstd
        : start.StartsWith(XzMark) ? Compression.Xz
        // Its level, then the first bytes of a block's mark: three letters alone may begin anything.
        : start.Length == 6 && start.StartsWith("BZh"u8) && start[3] is >= (byte)'1' and <= (byte)'9' && start[4..] is [0x31, 0x41] or [0x17, 0x72] ? Compression.Bzip2
        : Compression.None;

    private static ProgramStream StartProgram(string program, string package, IReadOnlyList<string> arguments, Stream source)
    {
        try
        {
            return new ProgramStream(StreamFilter.Start(program, arguments, source));
        }
        catch (CommandException missing)
        {
            throw new ImageException(ImageErrorKind.Host, $"An archive that {Path.GetFileName(program)} made needs it to be unpacked: install the package {package}, or compress the archive with gzip or zstd.", missing);
        }
    }

    private sealed class CountingStream(Stream inner) : ForwardStream
    {
        private long countBytes;

        public override bool CanRead => true;

        /// <summary>Read by whoever reads what comes of it, which may be another thread.</summary>
        public long CountBytes => Interlocked.Read(ref countBytes);

        public override int Read(Span<byte> buffer)
        {
            var count = inner.Read(buffer);
            Interlocked.Add(ref countBytes, count);
            return count;
        }
    }

    private sealed class ProgramStream(StreamFilter filter) : ForwardStream
    {
        public override bool CanRead => true;

        public override int Read(Span<byte> buffer) => filter.Read(buffer);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                filter.Dispose();
            }

            base.Dispose(disposing);
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
