using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Godwit.Linux.Networking;

/// <summary>
/// Chooses a TCP port for a server that will want the same one after each restart. One that the kernel chooses (port 0) is from the range that it gives to outgoing connections too, so while the server is down
/// any of them may take it. Ours is below that range, and below the node ports of services.
/// </summary>
public static class ListeningPort
{
    /// <summary>Below it are the ports that programs are known by.</summary>
    public const int First = 20_000;

    /// <summary>From 30000 on are the node ports of services.</summary>
    public const int Last = 29_999;

    private const string OutgoingRange = "/proc/sys/net/ipv4/ip_local_port_range";
    private const int AttemptsMax = 64;

    /// <summary>A port of this address that nothing listens on now; null when none was found.</summary>
    public static int? FindFree(IPAddress address)
    {
        var last = Math.Min(Last, FirstOutgoing(File.Exists(OutgoingRange) ? File.ReadAllText(OutgoingRange) : "") - 1);
        for (var attempt = 0; attempt < AttemptsMax && last >= First; attempt++)
        {
            if (TryBind(address, Random.Shared.Next(First, last + 1)) is { } port)
            {
                return port;
            }
        }

        return TryBind(address, 0); // A host whose outgoing connections use all ports.
    }

    /// <summary>The port when it can be listened on; port 0 is any that the kernel chooses. Null when it cannot.</summary>
    public static int? TryBind(IPAddress address, int port)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(address, port));
            return ((IPEndPoint)socket.LocalEndPoint!).Port;
        }
        catch (SocketException)
        {
            return null;
        }
    }

    /// <summary>Of the kernel's two numbers, as they stand in /proc.</summary>
    internal static int FirstOutgoing(string range) =>
        int.TryParse(range.Split((char[])['\t', ' '], 2)[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first) ? first : ushort.MaxValue + 1;
}
