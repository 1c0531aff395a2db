using System.Buffers.Binary;
using Godwit.Linux.Networking;

namespace Godwit.Linux.Netlink;

/// <summary>
/// The devices, addresses, routes, neighbours and queues of one network namespace (rtnetlink(7)). It works on the namespace that it was
/// opened in, from any thread. Each call is one kernel round trip of some microseconds.
/// </summary>
public sealed partial class RouteSocket : IDisposable
{
    private const ushort ChangeFlags = NetlinkSocket.FlagRequest | NetlinkSocket.FlagAcknowledge;
    private const ushort CreateFlags = ChangeFlags | NetlinkSocket.FlagCreate | NetlinkSocket.FlagExclusive;
    private const ushort ReplaceFlags = ChangeFlags | NetlinkSocket.FlagCreate | NetlinkSocket.FlagReplace;

    private readonly NetlinkSocket socket;

    private RouteSocket(NetlinkSocket socket) => this.socket = socket;

    /// <exception cref="LinuxException">The namespace cannot be entered.</exception>
    public static RouteSocket Open(NetworkNamespace place) => new(NetlinkSocket.Open(place));

    public void Dispose() => socket.Dispose();

    /// <summary>Runs a change and takes the named refusal for "already so".</summary>
    private bool TryRequest(NetlinkMessage message, string attempt, Errno alreadySo)
    {
        try
        {
            socket.Request(message, attempt);
            return true;
        }
        catch (LinuxException refusal) when (refusal.Error == alreadySo)
        {
            return false;
        }
    }

    /// <summary>A list, read whole.</summary>
    private List<T> List<T>(NetlinkMessage request, ushort type, string attempt, Func<ReadOnlySpanReader, T?> parse)
        where T : class
    {
        var found = new List<T>();
        socket.Dump(request, attempt, found.Clear, message =>
        {
            if (message.Type == type && parse(new ReadOnlySpanReader(message.Body)) is { } entry)
            {
                found.Add(entry);
            }
        });
        return found;
    }

    /// <summary>The kernel's <c>struct ifinfomsg</c>.</summary>
    private static byte[] LinkHeader(int index, uint flags = 0, uint change = 0, byte family = 0)
    {
        var header = new byte[16];
        header[0] = family;
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), index);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), flags);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), change);
        return header;
    }

    /// <summary>A message body on its way to a parser; a wrapper because delegates of this shape cannot take a bare span.</summary>
    private readonly ref struct ReadOnlySpanReader(ReadOnlySpan<byte> body)
    {
        internal ReadOnlySpan<byte> Body { get; } = body;

        /// <summary>The attributes after a fixed part of this many bytes.</summary>
        internal NetlinkReader Attributes(int fixedLength) => new(Body.Length > fixedLength ? Body[fixedLength..] : []);
    }
}
