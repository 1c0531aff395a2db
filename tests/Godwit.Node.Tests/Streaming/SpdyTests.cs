using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Pipelines;
using System.Text;
using Godwit.Node.Streaming;

namespace Godwit.Node.Tests.Streaming;

public sealed class SpdyTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public void Header_blocks_of_one_connection_are_one_stream_of_deflate()
    {
        using var headers = new SpdyHeaders();
        using var client = new ClientHeaders();
        Assert.Equal("error", headers.Read(client.Write(("streamType", "error"), ("port", "80")))["streamtype"]);
        var second = headers.Read(client.Write(("streamType", "data"), ("port", "80"), ("requestID", "7")));
        Assert.Equal(["80", "7"], [second["port"], second["requestid"]]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_block_that_is_sent_ends_with_a_flush_so_that_its_reader_needs_nothing_beyond_it(bool isFirst)
    {
        var block = SpdyHeaders.Write(new Dictionary<string, string> { ["a"] = "b" }, isFirst);

        Assert.Equal<byte>([0, 0, 0, 0xff, 0xff], block[^5..]);
        Assert.Equal(isFirst, block.AsSpan().StartsWith<byte>([0x78, 0x01]));
    }

    [Fact]
    public void What_is_no_header_block_is_refused()
    {
        using var headers = new SpdyHeaders();
        Assert.Throws<InvalidDataException>(() => headers.Read([0x78, 0x9c, 1, 2, 3, 4, 5, 6]));
        using var huge = new SpdyHeaders();
        using var client = new ClientHeaders();
        Assert.Throws<InvalidDataException>(() => huge.Read(client.Write(("name", new string('x', SpdyHeaders.BlockBytesMax)))));
    }

    [Fact]
    public async Task A_client_opens_a_stream_writes_to_it_and_reads_the_answer()
    {
        var (toServer, toClient) = (new Pipe(), new Pipe());
        await using var connection = new SpdyConnection(new DuplexStream(toServer.Reader.AsStream(), toClient.Writer.AsStream()));
        var running = connection.RunAsync(Stopping);
        using var client = new ClientHeaders();
        await toServer.Writer.WriteAsync(Control(type: 1, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, .. client.Write(("streamType", "stdin"))]), Stopping);
        await toServer.Writer.WriteAsync(Data(stream: 1, "hello", isEnd: true), Stopping);
        var stream = await connection.Opened.ReadAsync(Stopping);
        Assert.Equal("stdin", stream.Headers["streamType"]);
        var buffer = new byte[64];
        Assert.Equal("hello", Encoding.ASCII.GetString(buffer, 0, await stream.ReadAsync(buffer, Stopping)));
        Assert.Equal(0, await stream.ReadAsync(buffer, Stopping));

        await stream.WriteAsync("answer"u8.ToArray(), Stopping);
        await stream.EndAsync(Stopping);
        await toServer.Writer.CompleteAsync();
        await running;
        await toClient.Writer.CompleteAsync();
        var sent = await ReadAllAsync(toClient.Reader.AsStream());
        Assert.Equal((ushort)2, BinaryPrimitives.ReadUInt16BigEndian(sent.AsSpan(2))); // The reply to the opening comes first.
        Assert.Contains("answer", Encoding.Latin1.GetString(sent), StringComparison.Ordinal);
        Assert.Equal(1, sent[^4]); // The last frame is empty and ends the stream.
    }

    [Fact]
    public async Task A_ping_is_answered_and_more_streams_than_the_bound_are_refused()
    {
        var (toServer, toClient) = (new Pipe(new PipeOptions(pauseWriterThreshold: 0)), new Pipe(new PipeOptions(pauseWriterThreshold: 0)));
        await using var connection = new SpdyConnection(new DuplexStream(toServer.Reader.AsStream(), toClient.Writer.AsStream()));
        using var client = new ClientHeaders();
        for (var stream = 0; stream <= SpdyConnection.StreamsMax; stream++)
        {
            var id = new byte[10];
            BinaryPrimitives.WriteInt32BigEndian(id, (2 * stream) + 1);
            await toServer.Writer.WriteAsync(Control(type: 1, [.. id, .. client.Write(("streamType", "data"))]), Stopping);
        }

        await toServer.Writer.WriteAsync(Control(type: 6, [0, 0, 0, 9]), Stopping);
        await toServer.Writer.CompleteAsync();
        await connection.RunAsync(Stopping);
        await toClient.Writer.CompleteAsync();
        var sent = await ReadAllAsync(toClient.Reader.AsStream());
        Assert.Equal(Control(type: 6, [0, 0, 0, 9]), sent[^12..]);
        Assert.Equal((ushort)3, BinaryPrimitives.ReadUInt16BigEndian(sent.AsSpan(sent.Length - 12 - 16 + 2))); // Before it: the refusal of the last stream.
    }

    [Fact]
    public async Task What_is_no_frame_ends_the_connection()
    {
        await using var connection = new SpdyConnection(new DuplexStream(new MemoryStream([0x80, 0x07, 0, 1, 0, 0, 0, 0]), new MemoryStream()));
        await Assert.ThrowsAsync<InvalidDataException>(() => connection.RunAsync(Stopping));
    }

    private static byte[] Control(ushort type, ReadOnlySpan<byte> body)
    {
        var frame = new byte[8 + body.Length];
        BinaryPrimitives.WriteUInt16BigEndian(frame, 0x8003);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), type);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), body.Length);
        body.CopyTo(frame.AsSpan(8));
        return frame;
    }

    private static byte[] Data(int stream, string text, bool isEnd)
    {
        var frame = new byte[8 + text.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, stream);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), text.Length);
        frame[4] = isEnd ? (byte)1 : (byte)0;
        Encoding.ASCII.GetBytes(text, frame.AsSpan(8));
        return frame;
    }

    private static async Task<byte[]> ReadAllAsync(Stream stream)
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, Stopping);
        return all.ToArray();
    }

    /// <summary>A client's blocks: zlib's head with the dictionary's checksum, then deflate that goes on from block to block.</summary>
    private sealed class ClientHeaders : IDisposable
    {
        private readonly MemoryStream compressed = new();
        private readonly DeflateStream deflate;
        private bool begun;

        public ClientHeaders() => deflate = new DeflateStream(compressed, CompressionLevel.Optimal, leaveOpen: true);

        public byte[] Write(params (string Name, string Value)[] pairs)
        {
            compressed.SetLength(0);
            Number(pairs.Length);
            foreach (var (name, value) in pairs)
            {
                Text(name);
                Text(value);
            }

            deflate.Flush();
            byte[] head = begun ? [] : [0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2];
            begun = true;
            return [.. head, .. compressed.ToArray()];
        }

        public void Dispose() => deflate.Dispose();

        private void Text(string text)
        {
            Number(text.Length);
            deflate.Write(Encoding.ASCII.GetBytes(text));
        }

        private void Number(int number)
        {
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteInt32BigEndian(bytes, number);
            deflate.Write(bytes);
        }
    }

    private sealed class DuplexStream(Stream input, Stream output) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => input.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => input.ReadAsync(buffer, cancellationToken);

        public override void Write(byte[] buffer, int offset, int count) => output.Write(buffer, offset, count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => output.WriteAsync(buffer, cancellationToken);

        public override void Flush() => output.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => output.FlushAsync(cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
