using System.Security.Cryptography;
using Google.Protobuf;

namespace Godwit.Store.Etcd;

/// <summary>
/// A value as it lies in etcd: four bytes that say so, twelve random ones that are this write's own, then the content.
/// A writer whose answer was lost knows its own write again by them, also when another one wrote the very same content.
/// </summary>
internal static class StoredValue
{
    public const int HeaderBytes = 16;

    private const int MarkBytes = 4;

    private static ReadOnlySpan<byte> Mark => "gw1\0"u8;

    public static ByteString Wrap(ReadOnlySpan<byte> content)
    {
        var whole = new byte[HeaderBytes + content.Length];
        Mark.CopyTo(whole);
        RandomNumberGenerator.Fill(whole.AsSpan(MarkBytes, HeaderBytes - MarkBytes));
        content.CopyTo(whole.AsSpan(HeaderBytes));
        return UnsafeByteOperations.UnsafeWrap(whole); // Ours alone: nobody else holds the array.
    }

    /// <summary>What was stored. A value without the mark was put there by other means, and is taken as it is.</summary>
    public static ReadOnlyMemory<byte> Content(ByteString stored) =>
        stored.Length >= HeaderBytes && stored.Span.StartsWith(Mark) ? stored.Memory[HeaderBytes..] : stored.Memory;

    /// <summary>Whether both are of one and the same write.</summary>
    public static bool IsSameWrite(ByteString one, ByteString other) =>
        one.Length >= HeaderBytes && other.Length >= HeaderBytes && one.Span[..HeaderBytes].SequenceEqual(other.Span[..HeaderBytes]);
}
