using System.Globalization;
using System.Net.Sockets;
using Godwit.Linux.Native;

namespace Godwit.Linux.Networking;

/// <summary>Sockets of unix(7) that keep messages apart (SOCK_SEQPACKET), at paths of any length.</summary>
public static class SequencedSocket
{
    /// <exception cref="SocketException">Nobody listens there.</exception>
    /// <exception cref="LinuxException">There is no such folder.</exception>
    public static async Task<Socket> ConnectAsync(string folder, string name, CancellationToken stopping)
    {
        // A socket's path has room for 107 bytes; through our own descriptor any folder is near.
        using var held = Descriptor.Open(folder, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
        var socket = new Socket(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{held.Value}/{name}")), stopping);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
