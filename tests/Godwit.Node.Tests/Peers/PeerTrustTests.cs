using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Godwit.Node.Peers;

namespace Godwit.Node.Tests.Peers;

public sealed class PeerTrustTests
{
    [Fact]
    public async Task Each_end_knows_the_other_by_its_certificate()
    {
        await using var pair = new TestPair();
        await using var connection = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());

        var pong = await connection.RequestAsync(TestAgent.Echo, new Ping("hello"), Bound.Token());

        Assert.Equal(new Pong("hello", "node-1"), pong);
        Assert.Equal("node-2", connection.Peer.Value);
    }

    [Fact]
    public async Task A_dialler_refuses_another_node_than_the_one_it_meant()
    {
        await using var pair = new TestPair();
        var wrong = pair.Target.Endpoint with { Node = NodeName.Parse("node-3") };

        var error = await Assert.ThrowsAsync<PeerException>(() => pair.Source.Dialer.OpenControlAsync(wrong, Bound.Token()));

        Assert.Contains("node-3", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_authority_of_another_cluster_opens_nothing()
    {
        await using var pair = new TestPair();
        using var foreign = new TestAuthority();
        await using var intruder = new TestAgent(foreign.Node("node-1"));

        await Assert.ThrowsAsync<PeerException>(() => intruder.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token()));
    }

    [Theory]
    [InlineData("CN=admin, O=system:masters", true, true)]
    [InlineData("CN=system:node:node-1", true, true)]
    [InlineData("O=system:nodes, CN=node-1", true, true)]
    [InlineData("O=system:nodes, CN=system:node:../node-1", true, true)]
    [InlineData("O=system:nodes, CN=system:node:node-1, CN=system:node:node-2", true, true)]
    [InlineData("O=system:nodes, CN=system:node:node-1", false, true)]
    public async Task The_listener_lets_in_only_client_certificates_of_nodes(string subject, bool client, bool server)
    {
        await using var pair = new TestPair();
        using var certificate = pair.Authority.Issue(subject, client, server);

        Assert.False(await CanTalkAsync(pair, certificate));
    }

    [Fact]
    public async Task The_listener_lets_in_a_node_and_no_certificate_out_of_time()
    {
        await using var pair = new TestPair();
        using var good = pair.Authority.Issue("O=system:nodes, CN=system:node:node-1");
        using var expired = pair.Authority.Issue("O=system:nodes, CN=system:node:node-1", validFor: TimeSpan.FromMinutes(-1));
        using var future = pair.Authority.Issue("O=system:nodes, CN=system:node:node-1", validSince: TimeSpan.FromMinutes(-10));

        Assert.True(await CanTalkAsync(pair, good));
        Assert.False(await CanTalkAsync(pair, expired));
        Assert.False(await CanTalkAsync(pair, future));
    }

    [Fact]
    public async Task Nobody_else_can_listen_on_the_same_port_not_even_one_who_shares_it()
    {
        await using var pair = new TestPair();
        var address = pair.Target.Listener.Address;

        var second = Assert.Throws<PeerException>(() => new PeerListener(address, pair.Source.Services, pair.Source.Streams));
        Assert.Contains(address.ToString(), second.Message, StringComparison.Ordinal);
        using var sharing = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        sharing.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        Assert.Throws<SocketException>(() => sharing.Bind(address));
    }

    [Fact]
    public async Task Plain_bytes_are_dropped_and_the_listener_lives_on()
    {
        await using var pair = new TestPair();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(pair.Target.Listener.Address, Bound.Token());
        await socket.SendAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray(), Bound.Token());

        await DrainAsync(socket);

        await using var connection = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());
        Assert.Equal("x", (await connection.RequestAsync(TestAgent.Echo, new Ping("x"), Bound.Token())).Text);
    }

    [Fact]
    public async Task A_connection_that_says_nothing_is_closed_in_the_greeting_time()
    {
        await using var pair = new TestPair(new PeerLimits { GreetingTime = TimeSpan.FromMilliseconds(200) });
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(pair.Target.Listener.Address, Bound.Token());

        await DrainAsync(socket);
    }

    [Fact]
    public async Task Connections_beyond_the_bound_are_closed_at_once()
    {
        await using var pair = new TestPair(new PeerLimits { ConnectionsMax = 2 });
        await using var first = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());
        await using var second = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());

        await Assert.ThrowsAsync<PeerException>(() => pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token()));
    }

    [Fact]
    public async Task One_node_cannot_take_all_connections()
    {
        await using var pair = new TestPair(new PeerLimits { ConnectionsPerNodeMax = 1 });
        await using var first = await pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());

        var refusal = await Assert.ThrowsAsync<PeerRefusedException>(() => pair.Source.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token()));
        Assert.Equal(PeerRefusal.Busy, refusal.Code);

        await using var other = new TestAgent(pair.Authority.Node("node-3"));
        await using var third = await other.Dialer.OpenControlAsync(pair.Target.Endpoint, Bound.Token());
    }

    [Fact]
    public void A_renewed_certificate_must_name_the_same_node()
    {
        using var authority = new TestAuthority();
        var identity = authority.Node("node-1");

        Assert.Throws<PeerException>(() => identity.Renew(authority.Issue("O=system:nodes, CN=system:node:node-2"), authority.Trust));
    }

    /// <summary>A hand-made client, because our own identity refuses to hold such certificates.</summary>
    private static async Task<bool> CanTalkAsync(TestPair pair, X509Certificate2 certificate)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(pair.Target.Listener.Address, Bound.Token());
        await using var tls = new System.Net.Security.SslStream(new NetworkStream(socket));
        try
        {
            await tls.AuthenticateAsClientAsync(
                new System.Net.Security.SslClientAuthenticationOptions
                {
                    TargetHost = "node-2",
                    ClientCertificates = [certificate],
                    LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate,
                    RemoteCertificateValidationCallback = (_, server, _, _) => PeerIdentity.NameOf(server) is not null,
                },
                Bound.Token());
            await PeerFrameCodec.WriteAsync(tls, new PeerHello { Protocol = 1, Kind = PeerConnectionKind.Control }, PeerJson.Default.PeerHello, Bound.Token());
            return await PeerFrameCodec.ReadAsync(tls, PeerJson.Default.PeerWelcome, Bound.Token()) is { Accepted: true };
        }
        catch (Exception error) when (error is IOException or System.Security.Authentication.AuthenticationException)
        {
            return false;
        }
    }

    private static async Task DrainAsync(Socket socket)
    {
        try
        {
            while (await socket.ReceiveAsync(new byte[1024], Bound.Token()) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // Reset is an end, too.
        }
    }
}
