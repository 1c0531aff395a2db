using System.Net.Sockets;

namespace Godwit.Machines;

/// <summary>
/// Connects to a unix socket in a machine's folder, and makes sure that the machine's own QEMU listens there: a QEMU gone
/// bad could put a link to a neighbour's socket in the place of its own, and we would order the neighbour about.
/// </summary>
internal static class QemuSocket
{
    // SOL_SOCKET and SO_PEERCRED (socket(7), unix(7)): struct ucred { pid, uid, gid } of the process that listens.
    private const int SocketLevel = 1;
    private const int PeerCredentials = 17;
    private const int CredentialsBytes = 12;

    /// <exception cref="SocketException">Nobody listens (yet).</exception>
    /// <exception cref="MachineException">Another process listens.</exception>
    public static async Task<NetworkStream> ConnectAsync(string path, int processId, CancellationToken stopping)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), stopping);
            var credentials = new byte[CredentialsBytes];
            socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials);
            if (BitConverter.ToInt32(credentials) is var listener && listener != processId)
            {
                throw new MachineException($"{path} belongs to process {listener}, not to QEMU's {processId}; it is not used.");
            }

            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
