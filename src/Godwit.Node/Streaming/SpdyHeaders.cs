using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Godwit.Node.Streaming;

/// <summary>
/// Header blocks of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00, section 2.6.10): one zlib stream for all blocks of one direction, begun with a dictionary that both ends know. The class
/// library inflates without dictionaries; a block that is stored as it is, and says what the dictionary says, has the same effect. What we send is stored, not compressed.
/// </summary>
internal sealed class SpdyHeaders : IDisposable
{
    /// <summary>The most that one block may hold when it is unpacked.</summary>
    internal const int BlockBytesMax = 32 << 10;

    private const int PairsMax = 64;
    private const int ZlibHeaderBytes = 6; // Method and flags, and which dictionary.
    private const uint DictionaryChecksum = 0xe3c6a7c2;

    private static readonly byte[] Dictionary = BuildDictionary();

    private readonly FeedStream feed = new();
    private readonly DeflateStream inflater;
    private bool begun;

    internal SpdyHeaders() => inflater = new DeflateStream(feed, CompressionMode.Decompress);

    /// <summary>Reads the next block that came. Names are in small letters.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    internal IReadOnlyDictionary<string, string> Read(ReadOnlySpan<byte> block)
    {
        if (!begun)
        {
            if (block.Length < ZlibHeaderBytes || (block[1] & 0x20) == 0 || BinaryPrimitives.ReadUInt32BigEndian(block[2..]) != DictionaryChecksum)
            {
                throw new InvalidDataException("the first header block does not begin with SPDY's dictionary");
            }

            begun = true;
            feed.Add(Stored(Dictionary));
            feed.Add(block[ZlibHeaderBytes..]);
            var known = new byte[Dictionary.Length];
            inflater.ReadExactly(known);
        }
        else
        {
            feed.Add(block);
        }

        var count = ReadLength(PairsMax);
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var left = BlockBytesMax;
        for (var pair = 0; pair < count; pair++)
        {
            var name = ReadText(ref left);
            headers[name] = ReadText(ref left);
        }

        return headers;
    }

    /// <summary>A block to send. The first of a connection begins the zlib stream.</summary>
    internal static byte[] Write(IReadOnlyDictionary<string, string> headers, bool isFirst)
    {
        using var text = new MemoryStream();
        WriteLength(text, headers.Count);
        foreach (var (name, value) in headers)
        {
            foreach (var word in new[] { name, value })
            {
                var bytes = Encoding.UTF8.GetBytes(word);
                WriteLength(text, bytes.Length);
                text.Write(bytes);
            }
        }

        ReadOnlySpan<byte> begin = isFirst ? [0x78, 0x01] : [];
        // The empty block after it is zlib's flush: readers that give out what they have only then (Go's) would look beyond the frame for it.
        return [.. begin, .. Stored(text.ToArray()), .. Stored([])];
    }

    public void Dispose()
    {
        inflater.Dispose();
        feed.Dispose();
    }

    /// <summary>A block of the deflate format (RFC 1951, section 3.2.4) that holds the bytes as they are, and is not the last.</summary>
    private static byte[] Stored(ReadOnlySpan<byte> bytes)
    {
        var block = new byte[5 + bytes.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(1), (ushort)bytes.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(3), (ushort)~bytes.Length);
        bytes.CopyTo(block.AsSpan(5));
        return block;
    }

    private static void WriteLength(MemoryStream text, int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        text.Write(bytes);
    }

    private string ReadText(ref int left)
    {
        var length = ReadLength(left);
        left -= length;
        var bytes = new byte[length];
        ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private int ReadLength(int max)
    {
        Span<byte> bytes = stackalloc byte[4];
        ReadExactly(bytes);
        var length = BinaryPrimitives.ReadInt32BigEndian(bytes);
        return length >= 0 && length <= max ? length : throw new InvalidDataException($"a header block names a length of {length}, more than {max}");
    }

    private void ReadExactly(Span<byte> bytes)
    {
        try
        {
            inflater.ReadExactly(bytes);
        }
        catch (EndOfStreamException end)
        {
            throw new InvalidDataException("a header block ends early", end);
        }
    }

    private static byte[] BuildDictionary()
    {
        string[] words =
        [
            "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "age", "allow", "authorization",
            "cache-control", "connection", "content-base", "content-encoding", "content-language", "content-length", "content-location", "content-md5", "content-range", "content-type",
            "date", "etag", "expect", "expires", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location",
            "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after", "server", "te", "trailer", "transfer-encoding", "upgrade",
            "user-agent", "vary", "via", "warning", "www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin",
        ];
        const string numbers = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505";
        const string statuses = "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found"
            + "500 Internal Server Error501 Not Implemented503 Service Unavailable";
        const string rest = "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
            + "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch"
            + "charset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
        using var built = new MemoryStream();
        foreach (var word in words)
        {
            WriteLength(built, word.Length);
            built.Write(Encoding.ASCII.GetBytes(word));
        }

        built.Write(Encoding.ASCII.GetBytes(numbers + statuses + rest));
        return built.ToArray();
    }

    /// <summary>What has come and was not inflated.</summary>
    private sealed class FeedStream : Stream
    {
        private readonly Queue<byte[]> blocks = new();
        private int offset;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void Add(ReadOnlySpan<byte> block)
        {
            if (block.Length > 0)
            {
                blocks.Enqueue(block.ToArray());
            }
        }

        public override int Read(byte[] buffer, int start, int count) => Read(buffer.AsSpan(start, count));

        public override int Read(Span<byte> buffer)
        {
            if (!blocks.TryPeek(out var first))
            {
                return 0;
            }

            var count = Math.Min(buffer.Length, first.Length - offset);
            first.AsSpan(offset, count).CopyTo(buffer);
            offset += count;
            if (offset == first.Length)
            {
                blocks.Dequeue();
                offset = 0;
            }

            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long position, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int start, int count) => throw new NotSupportedException();
    }
}
