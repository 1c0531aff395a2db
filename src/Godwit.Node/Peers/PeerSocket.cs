using System.Net.Security;
using System.Net.Sockets;
using Godwit.Linux.Networking;

namespace Godwit.Node.Peers;

/// <summary>A TCP connection under TLS whose other end has proved which node it is.</summary>
internal sealed class PeerSocket : IAsyncDisposable
{
    private const int CoalescingBytes = 128 * 1024;

    /// <summary>
    /// What the kernel may hold of a stream beyond what is on its way (tcp(7), TCP_NOTSENT_LOWAT). It would be megabytes, and the last of a guest's
    /// state, for which the guest stands still, would have to wait behind them.
    /// </summary>
    private const int NotSentBytesMax = 256 * 1024;

    private const int IpProtocolTcp = 6;
    private const int TcpNotSentLowWater = 25;

    private readonly Socket socket;
    private readonly CoalescingStream records;

    private PeerSocket(Socket socket, CoalescingStream records, SslStream stream, NodeName peer)
    {
        this.socket = socket;
        this.records = records;
        Stream = stream;
        Peer = peer;
    }

    public SslStream Stream { get; }

    public NodeName Peer { get; }

    /// <summary>A read of <see cref="Stream"/> need not wait for the peer to send more.</summary>
    public bool HoldsMore => records.HoldsMore;

    /// <summary>The listening end of the handshake. Owns the socket, also when it throws.</summary>
    public static Task<PeerSocket> AcceptAsync(Socket socket, PeerIdentity identity, CancellationToken stopping) =>
        SecureAsync(socket, tls => tls.AuthenticateAsServerAsync(identity.ForServer(), stopping));

    /// <summary>The dialling end of the handshake. Owns the socket, also when it throws.</summary>
    public static Task<PeerSocket> ConnectAsync(Socket socket, PeerIdentity identity, NodeName expected, CancellationToken stopping) =>
        SecureAsync(socket, tls => tls.AuthenticateAsClientAsync(identity.ForClient(expected), stopping));

    /// <summary>Ends the connection at once, also for a writer that is stuck in it; what was not yet sent is lost.</summary>
    public void Abort()
    {
        socket.LingerState = new LingerOption(enable: true, seconds: 0); // RST: the peer learns at once, too.
        socket.Dispose();
    }

    /// <summary>Says "no more from me" (TLS close_notify, then FIN); reading goes on until the peer says the same.</summary>
    public async Task FinishWritingAsync(CancellationToken stopping)
    {
        await Stream.ShutdownAsync();
        await Stream.FlushAsync(stopping);
        socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>From here on threads of their own read and write: a call waits in the kernel. <see cref="Abort"/> ends it.</summary>
    /// <exception cref="Godwit.Linux.LinuxException">The connection has ended.</exception>
    public void BlockFromHere()
    {
        socket.SetRawSocketOption(IpProtocolTcp, TcpNotSentLowWater, BitConverter.GetBytes(NotSentBytesMax));
        BlockingMode.Restore(socket);
    }

    /// <summary>Keeps little in the kernel's hands, so that the time of a write is the time of the link.</summary>
    public void LimitSendBuffer(int bytes) => socket.SendBufferSize = bytes;

    public ValueTask DisposeAsync() => Stream.DisposeAsync();

    private static async Task<PeerSocket> SecureAsync(Socket socket, Func<SslStream, Task> authenticate)
    {
        SslStream? tls = null;
        try
        {
            socket.NoDelay = true;
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 5);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 2);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 5);
            var coalescing = new CoalescingStream(new NetworkStream(socket, ownsSocket: true), CoalescingBytes);
            tls = new SslStream(coalescing);
            await authenticate(tls);
            var peer = PeerIdentity.NameOf(tls.RemoteCertificate) ?? throw new PeerException("The peer's certificate names no node.");
            return new PeerSocket(socket, coalescing, tls, peer);
        }
        catch
        {
            if (tls is not null)
            {
                await tls.DisposeAsync();
            }

            socket.Dispose();
            throw;
        }
    }
}
