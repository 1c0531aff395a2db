using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Godwit.Node.Peers;

/// <summary>Where an agent listens and which node must answer there.</summary>
internal sealed record PeerEndpoint(NodeName Node, IPEndPoint Address)
{
    public override string ToString() => $"{Node} at {Address}";
}

/// <summary>Opens connections to other agents; each call makes one, and retries nothing.</summary>
internal sealed class PeerDialer(PeerServices services)
{
    public PeerServices Services => services;

    /// <exception cref="PeerException">No connection, the wrong node, or no answer in time.</exception>
    /// <exception cref="PeerRefusedException">The peer said no.</exception>
    public async Task<PeerConnection> OpenControlAsync(PeerEndpoint endpoint, CancellationToken stopping)
    {
        var socket = await DialAsync(endpoint, new PeerHello { Protocol = PeerHello.ProtocolVersion, Kind = PeerConnectionKind.Control }, stopping);
        return new PeerConnection(socket.Stream, endpoint.Node, services, CancellationToken.None);
    }

    /// <summary>Opens one channel of a prepared stream; afterwards the connection carries raw bytes.</summary>
    public Task<PeerSocket> OpenStreamAsync(PeerEndpoint endpoint, string token, CancellationToken stopping) =>
        DialAsync(endpoint, new PeerHello { Protocol = PeerHello.ProtocolVersion, Kind = PeerConnectionKind.Stream, Token = token }, stopping);

    public Task<PeerSocket> OpenRateAsync(PeerEndpoint endpoint, CancellationToken stopping) =>
        DialAsync(endpoint, new PeerHello { Protocol = PeerHello.ProtocolVersion, Kind = PeerConnectionKind.Rate }, stopping);

    private async Task<PeerSocket> DialAsync(PeerEndpoint endpoint, PeerHello hello, CancellationToken stopping)
    {
        using var late = new CancellationTokenSource(services.Limits.GreetingTime, services.Time);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping, late.Token);
        var socket = new Socket(endpoint.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        PeerSocket? secured = null;
        try
        {
            await socket.ConnectAsync(endpoint.Address, bound.Token);
            secured = await PeerSocket.ConnectAsync(socket, services.Identity, endpoint.Node, bound.Token);
            await PeerFrameCodec.WriteAsync(secured.Stream, hello, PeerJson.Default.PeerHello, bound.Token);
            var welcome = await PeerFrameCodec.ReadAsync(secured.Stream, PeerJson.Default.PeerWelcome, bound.Token)
                ?? throw new PeerException("The peer closed the connection without an answer.");
            return welcome.Accepted
                ? secured
                : throw new PeerRefusedException(welcome.Code ?? PeerRefusal.Internal, welcome.Reason ?? "The peer gave no reason.");
        }
        catch (Exception error)
        {
            if (secured is not null)
            {
                await secured.DisposeAsync();
            }

            socket.Dispose();
            switch (error)
            {
                case PeerRefusedException:
                case OperationCanceledException when stopping.IsCancellationRequested:
                    throw;
                case OperationCanceledException:
                    throw new PeerException($"Node {endpoint} did not answer within {services.Limits.GreetingTime.TotalSeconds:F0} s; check that its agent runs and that the port is open.", error);
                case AuthenticationException:
                    throw new PeerException($"Node {endpoint} and this one do not trust each other; check that both certificates are in time and signed by this cluster's authority, and that the address is that node's", error);
                default:
                    throw new PeerException($"Could not connect to node {endpoint}", error);
            }
        }
    }
}
