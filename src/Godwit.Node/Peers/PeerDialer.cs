using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Godwit.Node.Peers;

/// <summary>Where an agent listens and which node must answer there. A host with several links has an address on each; the first is the one that is used while it can be.</summary>
internal sealed record PeerEndpoint(NodeName Node, IPEndPoint Address)
{
    /// <summary>More are not tried: each takes its part of the time that a connection may take.</summary>
    private const int AddressesMax = 4;

    /// <summary>Text, so that endpoints with the same addresses are the same.</summary>
    private string Others { get; init; } = "";

    public IReadOnlyList<IPEndPoint> Addresses => [Address, .. Others.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(IPEndPoint.Parse)];

    /// <summary>As <see cref="TryParse"/> reads it: <c>ADDRESS:PORT,ADDRESS:PORT</c>.</summary>
    public string AddressText => Others.Length == 0 ? Address.ToString() : $"{Address},{Others}";

    /// <summary>False: it is no address and port, or no few of them.</summary>
    public static bool TryParse(NodeName node, string? text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out PeerEndpoint? endpoint)
    {
        var addresses = (text ?? "").Split(',').Select(each => IPEndPoint.TryParse(each, out var address) && address.Port != 0 ? address : null).ToList();
        endpoint = addresses.Count <= AddressesMax && !addresses.Contains(null) ? new PeerEndpoint(node, addresses[0]!) { Others = string.Join(',', addresses.Skip(1)) } : null;
        return endpoint is not null;
    }

    public override string ToString() => $"{Node} at {AddressText}";
}

/// <summary>
/// Opens connections to other agents; each call makes one, and retries nothing. Of a node's addresses the one that answered last is tried first, then the others,
/// so a link that dies costs each node one wait.
/// </summary>
internal sealed class PeerDialer(PeerServices services)
{
    private readonly ConcurrentDictionary<NodeName, IPEndPoint> answered = new();

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
        var last = answered.GetValueOrDefault(endpoint.Node);
        var addresses = endpoint.Addresses.OrderByDescending(address => address.Equals(last)).ToList();
        for (var index = 0; ; index++)
        {
            try
            {
                var socket = await DialAsync(endpoint with { Address = addresses[index] }, services.Limits.GreetingTime / addresses.Count, hello, stopping);
                answered[endpoint.Node] = addresses[index];
                return socket;
            }
            catch (PeerException) when (index < addresses.Count - 1)
            {
                // By another link, perhaps.
            }
        }
    }

    /// <summary>At the endpoint's first address alone.</summary>
    private async Task<PeerSocket> DialAsync(PeerEndpoint endpoint, TimeSpan time, PeerHello hello, CancellationToken stopping)
    {
        using var late = new CancellationTokenSource(time, services.Time);
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
                    throw new PeerException($"Node {endpoint} did not answer within {time.TotalSeconds:0.#} s; check that its agent runs and that the port is open.", error);
                case AuthenticationException:
                    throw new PeerException($"Node {endpoint} and this one do not trust each other; check that both certificates are in time and signed by this cluster's authority, and that the address is that node's", error);
                default:
                    throw new PeerException($"Could not connect to node {endpoint}", error);
            }
        }
    }
}
