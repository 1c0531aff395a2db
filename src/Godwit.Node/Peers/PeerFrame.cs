using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Godwit.Node.Peers;

/// <summary>What the first frame of a connection says it is for.</summary>
internal enum PeerConnectionKind
{
    /// <summary>Requests and replies, until either end closes.</summary>
    Control,

    /// <summary>After the answer: the raw bytes of one migration channel, both ways.</summary>
    Stream,

    /// <summary>After the answer: a bounded burst, counted by the listening end.</summary>
    Rate,
}

/// <summary>The first frame, from the dialling end.</summary>
internal sealed record PeerHello
{
    public const int ProtocolVersion = 1;

    public required int Protocol { get; init; }

    public required PeerConnectionKind Kind { get; init; }

    /// <summary>The secret of a prepared stream; only with <see cref="PeerConnectionKind.Stream"/>.</summary>
    public string? Token { get; init; }
}

/// <summary>The answer to the first frame. A refusal is the last frame of its connection.</summary>
internal sealed record PeerWelcome
{
    public required bool Accepted { get; init; }

    public string? Code { get; init; }

    public string? Reason { get; init; }
}

/// <summary>One frame of a control connection.</summary>
internal sealed record PeerFrame
{
    /// <summary>A request that wants a reply, or the reply to it, carries its number; a notice and a ping carry none.</summary>
    public long? Id { get; init; }

    /// <summary>Set in requests and notices. A reply has no method; a ping has neither id nor method.</summary>
    public string? Method { get; init; }

    public JsonElement? Body { get; init; }

    /// <summary>Set in a reply that says no.</summary>
    public PeerFrameError? Error { get; init; }
}

internal sealed record PeerFrameError(string Code, string Message);

/// <summary>The last frame of a rate burst, from the listening end: what arrived after the first quarter, and how long that took.</summary>
internal sealed record PeerRateResult(long Bytes, double ElapsedMs);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    MaxDepth = 32)]
[JsonSerializable(typeof(PeerHello))]
[JsonSerializable(typeof(PeerWelcome))]
[JsonSerializable(typeof(PeerFrame))]
[JsonSerializable(typeof(PeerRateResult))]
internal sealed partial class PeerJson : JsonSerializerContext;

/// <summary>
/// Frames on a byte stream: a length (four bytes, big-endian, 1 to <see cref="PayloadBytesMax"/>) and that many bytes of
/// UTF-8 JSON. A length outside its bounds is refused before a byte of the payload is read or a buffer made for it.
/// </summary>
internal static class PeerFrameCodec
{
    public const int PayloadBytesMax = 64 * 1024;

    private const int HeaderBytes = 4;

    /// <returns>The value, or null at the end of the stream between two frames.</returns>
    /// <exception cref="PeerException">A length out of bounds, a cut frame, or JSON that is not <typeparamref name="T"/>.</exception>
    public static async Task<T?> ReadAsync<T>(Stream stream, JsonTypeInfo<T> type, CancellationToken stopping)
        where T : class
    {
        var header = new byte[HeaderBytes];
        var headerBytesRead = await stream.ReadAtLeastAsync(header, HeaderBytes, throwOnEndOfStream: false, stopping);
        if (headerBytesRead == 0)
        {
            return null;
        }

        if (headerBytesRead < HeaderBytes)
        {
            throw new PeerException("The peer closed the connection in the middle of a frame's length.");
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(header);
        if (length is 0 or > PayloadBytesMax)
        {
            throw new PeerException($"The peer announced a frame of {length} bytes; a frame has 1 to {PayloadBytesMax}.");
        }

        var payload = ArrayPool<byte>.Shared.Rent((int)length);
        try
        {
            var memory = payload.AsMemory(0, (int)length);
            if (await stream.ReadAtLeastAsync(memory, memory.Length, throwOnEndOfStream: false, stopping) < memory.Length)
            {
                throw new PeerException("The peer closed the connection in the middle of a frame.");
            }

            return JsonSerializer.Deserialize(memory.Span, type) ?? throw new PeerException("The peer sent a frame that is null.");
        }
        catch (JsonException error)
        {
            throw new PeerException("The peer sent a frame that is no valid message", error);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(payload);
        }
    }

    /// <exception cref="PeerException">The value is larger than a frame may be.</exception>
    public static byte[] Encode<T>(T value, JsonTypeInfo<T> type)
    {
        var payload = JsonSerializer.SerializeToUtf8Bytes(value, type);
        if (payload.Length > PayloadBytesMax)
        {
            throw new PeerException($"A message of {payload.Length} bytes is too long for a frame of at most {PayloadBytesMax}.");
        }

        var frame = new byte[HeaderBytes + payload.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)payload.Length);
        payload.CopyTo(frame, HeaderBytes);
        return frame;
    }

    public static async Task WriteAsync<T>(Stream stream, T value, JsonTypeInfo<T> type, CancellationToken stopping)
    {
        await stream.WriteAsync(Encode(value, type), stopping);
        await stream.FlushAsync(stopping);
    }
}
