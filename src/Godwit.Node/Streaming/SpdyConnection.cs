using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Threading.Channels;

namespace Godwit.Node.Streaming;

/// <summary>
/// The server's end of a SPDY/3.1 connection (draft-mbelshe-httpbis-spdy-00), as Kubernetes' clients use it: they open streams, each with headers that say what it is for; both ends write to
/// them, and close their half. Flow control is not used by these clients: a stream that nobody reads holds up the whole connection, and so its sender.
/// <code>
///   control frame   1 version(15) type(16) | flags(8) length(24) | …       data frame   0 stream(31) | flags(8) length(24) | …
/// </code>
/// </summary>
internal sealed class SpdyConnection(Stream transport) : IAsyncDisposable
{
    internal const int StreamsMax = 256;

    private const int HeaderBytes = 8;
    private const int ControlBytesMax = 64 << 10;
    private const int PieceBytesMax = 16 << 10;
    private const byte FlagEnd = 1;
    private const ushort Version = 3;
    private const int RefusedStream = 3;

    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly ConcurrentDictionary<int, SpdyStream> streams = new();
    private readonly Channel<SpdyStream> opened = Channel.CreateBounded<SpdyStream>(StreamsMax);
    private readonly SpdyHeaders headers = new();
    private bool hasReplied;

    private enum FrameType : ushort
    {
        OpenStream = 1,
        Reply = 2,
        Reset = 3,
        Settings = 4,
        Ping = 6,
        GoAway = 7,
        Headers = 8,
        WindowUpdate = 9,
    }

    /// <summary>Streams that the client has opened.</summary>
    internal ChannelReader<SpdyStream> Opened => opened.Reader;

    /// <summary>Reads frames until the client goes, then ends all streams.</summary>
    /// <exception cref="InvalidDataException">What came is no SPDY.</exception>
    internal async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            var head = new byte[HeaderBytes];
            while (await transport.ReadAtLeastAsync(head, HeaderBytes, throwOnEndOfStream: false, stopping) == HeaderBytes)
            {
                var length = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(4)) & 0xffffff;
                if ((head[0] & 0x80) == 0)
                {
                    await ReadDataAsync(BinaryPrimitives.ReadInt32BigEndian(head), (head[4] & FlagEnd) != 0, length, stopping);
                    continue;
                }

                if (length > ControlBytesMax || (BinaryPrimitives.ReadUInt16BigEndian(head) & 0x7fff) != Version)
                {
                    throw new InvalidDataException($"a control frame of {length} bytes and version {BinaryPrimitives.ReadUInt16BigEndian(head) & 0x7fff} is no SPDY/3.1");
                }

                var body = new byte[length];
                await transport.ReadExactlyAsync(body, stopping);
                await ReadControlAsync((FrameType)BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(2)), (head[4] & FlagEnd) != 0, body, stopping);
            }
        }
        catch (EndOfStreamException)
        {
            // It went in the middle of a frame.
        }
        finally
        {
            opened.Writer.TryComplete();
            foreach (var stream in streams.Values)
            {
                stream.EndInput();
            }
        }
    }

    /// <summary>Sends bytes of a stream, or its end.</summary>
    internal async ValueTask WriteAsync(int stream, ReadOnlyMemory<byte> bytes, bool isEnd, CancellationToken stopping)
    {
        do
        {
            var piece = bytes[..Math.Min(bytes.Length, PieceBytesMax)];
            bytes = bytes[piece.Length..];
            var frame = new byte[HeaderBytes + piece.Length];
            BinaryPrimitives.WriteInt32BigEndian(frame, stream);
            BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), piece.Length);
            frame[4] = isEnd && bytes.IsEmpty ? FlagEnd : (byte)0;
            piece.CopyTo(frame.AsMemory(HeaderBytes));
            await SendAsync(frame, stopping);
        }
        while (!bytes.IsEmpty);
    }

    internal void Forget(int stream) => streams.TryRemove(stream, out _);

    public async ValueTask DisposeAsync()
    {
        headers.Dispose();
        await transport.DisposeAsync();
        writing.Dispose();
    }

    private async Task ReadDataAsync(int id, bool isEnd, int length, CancellationToken stopping)
    {
        streams.TryGetValue(id, out var stream);
        var buffer = new byte[Math.Min(length, PieceBytesMax)];
        while (length > 0)
        {
            var piece = buffer.AsMemory(0, Math.Min(length, buffer.Length));
            await transport.ReadExactlyAsync(piece, stopping);
            length -= piece.Length;
            await (stream?.TakeAsync(piece, stopping) ?? ValueTask.CompletedTask); // Of a stream that has ended: dropped.
        }

        if (isEnd)
        {
            stream?.EndInput();
        }
    }

    private async Task ReadControlAsync(FrameType type, bool isEnd, byte[] body, CancellationToken stopping)
    {
        switch (type)
        {
            case FrameType.OpenStream when body.Length > 10:
                await OpenAsync(BinaryPrimitives.ReadInt32BigEndian(body) & int.MaxValue, headers.Read(body.AsSpan(10)), isEnd, stopping);
                break;
            case FrameType.Headers when body.Length > 4:
                headers.Read(body.AsSpan(4)); // Only so that the zlib stream goes on.
                break;
            case FrameType.Reset when body.Length >= 4:
                if (streams.TryRemove(BinaryPrimitives.ReadInt32BigEndian(body) & int.MaxValue, out var gone))
                {
                    gone.EndInput();
                }

                break;
            case FrameType.Ping when body.Length == 4:
                await SendAsync(Control(FrameType.Ping, body), stopping);
                break;
            case FrameType.Settings or FrameType.GoAway or FrameType.WindowUpdate or FrameType.Ping:
                break;
            default:
                throw new InvalidDataException($"a frame of type {(int)type} with {body.Length} bytes makes no sense from a SPDY client");
        }
    }

    private async Task OpenAsync(int id, IReadOnlyDictionary<string, string> asked, bool isEnd, CancellationToken stopping)
    {
        var stream = new SpdyStream(this, id, asked);
        if (isEnd)
        {
            stream.EndInput();
        }

        if (id <= 0 || streams.Count >= StreamsMax || !streams.TryAdd(id, stream) || !opened.Writer.TryWrite(stream))
        {
            var refusal = new byte[8];
            BinaryPrimitives.WriteInt32BigEndian(refusal, id);
            BinaryPrimitives.WriteInt32BigEndian(refusal.AsSpan(4), RefusedStream);
            await SendAsync(Control(FrameType.Reset, refusal), stopping);
            return;
        }

        var reply = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(reply, id);
        var block = SpdyHeaders.Write(new Dictionary<string, string>(StringComparer.Ordinal), isFirst: !hasReplied);
        hasReplied = true;
        await SendAsync(Control(FrameType.Reply, [.. reply, .. block]), stopping);
    }

    private static byte[] Control(FrameType type, ReadOnlySpan<byte> body)
    {
        var frame = new byte[HeaderBytes + body.Length];
        BinaryPrimitives.WriteUInt16BigEndian(frame, 0x8000 | Version);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)type);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), body.Length);
        body.CopyTo(frame.AsSpan(HeaderBytes));
        return frame;
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> frame, CancellationToken stopping)
    {
        await writing.WaitAsync(stopping);
        try
        {
            await transport.WriteAsync(frame, stopping);
            await transport.FlushAsync(stopping);
        }
        finally
        {
            writing.Release();
        }
    }
}
