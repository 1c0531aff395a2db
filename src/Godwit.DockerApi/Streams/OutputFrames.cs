using System.Buffers.Binary;
using Godwit.Containers;
using Godwit.DockerApi.Serving;

namespace Godwit.DockerApi.Streams;

/// <summary>
/// How output goes to a client. A terminal's is one stream of bytes as they are. Else two streams share the line in frames:
/// <code>[1 standard | 2 error] 0 0 0 [length, 32 bits, big-endian] bytes</code>
/// Source: the Docker Engine API's description, "Attach to a container".
/// </summary>
internal readonly record struct OutputFrames(bool Multiplexed)
{
    public const int HeaderBytes = 8;

    private static readonly ApiVersion MultiplexedTypeSince = new(1, 42);

    /// <summary>The content type that tells clients which of the two it is; older ones know one name for both.</summary>
    public string ContentType(ApiVersion version) =>
        Multiplexed && version >= MultiplexedTypeSince ? "application/vnd.docker.multiplexed-stream" : "application/vnd.docker.raw-stream";

    /// <summary>Room that a chunk takes on the line.</summary>
    public int Measure(OutputChunk chunk) => chunk.Bytes.Length + (Multiplexed ? HeaderBytes : 0);

    /// <returns>Bytes written.</returns>
    public int Write(OutputChunk chunk, Span<byte> target)
    {
        if (Multiplexed)
        {
            target[..HeaderBytes].Clear();
            target[0] = (byte)chunk.Stream;
            BinaryPrimitives.WriteUInt32BigEndian(target[4..], (uint)chunk.Bytes.Length);
            target = target[HeaderBytes..];
        }

        chunk.Bytes.Span.CopyTo(target);
        return Measure(chunk);
    }
}
