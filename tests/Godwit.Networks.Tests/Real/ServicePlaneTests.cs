using System.Net;
using System.Net.Sockets;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Addressing;
using Godwit.Networks.Services;

namespace Godwit.Networks.Tests.Real;

[Trait("Needs", "root")]
public sealed class ServicePlaneTests
{
    private const int BackendPort = 8080;

    private static readonly IPAddress Virtual = IPAddress.Parse("10.96.0.10");

    private static readonly IPEndPoint VirtualEnd = new(Virtual, 80);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("0")]
    [InlineData("1")]
    public async Task Connections_to_a_virtual_address_spread_over_its_backends_on_both_hosts_and_open_ones_go_on(string bridgedFramesMeetTheFilter)
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        KernelSetting.TrySet(hosts.Host(1).Place, "bridge/bridge-nf-call-iptables", bridgedFramesMeetTheFilter);
        KernelSetting.TrySet(hosts.Host(2).Place, "bridge/bridge-nf-call-iptables", bridgedFramesMeetTheFilter);
        var client = WithRoute(await hosts.AddGuestAsync(1, 1));
        var near = await hosts.AddGuestAsync(1, 2);
        var far = await hosts.AddGuestAsync(2, 3);
        await using var first = Server.Start(near);
        await using var second = Server.Start(far);
        var plane = PlaneOf(hosts, 1);
        await ApplyAsync(plane, PlaceOf(near, far));

        var answers = new List<string>();
        for (var i = 0; i < 8; i++)
        {
            answers.Add(await AskAsync(client));
        }

        Assert.Equal(4, answers.Count(answer => answer == near.Address.ToString()));
        Assert.Equal(4, answers.Count(answer => answer == far.Address.ToString()));

        // The backend on the other host leaves the service: what is open goes on, what is new goes elsewhere.
        using var open = await OpenToAsync(client, far.Address.ToString());
        await ApplyAsync(plane, PlaceOf(near));
        Assert.Equal(far.Address.ToString(), await open.AskAsync());
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(near.Address.ToString(), await AskAsync(client));
        }
    }

    [Fact]
    public async Task A_service_without_backends_refuses_and_one_that_holds_clients_keeps_them()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var client = WithRoute(await hosts.AddGuestAsync(1, 1));
        var near = await hosts.AddGuestAsync(1, 2);
        var far = await hosts.AddGuestAsync(2, 3);
        await using var first = Server.Start(near);
        await using var second = Server.Start(far);
        var plane = PlaneOf(hosts, 1);

        await ApplyAsync(plane, PlaceOf());
        var refused = await Assert.ThrowsAsync<SocketException>(() => AskAsync(client));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);

        await ApplyAsync(plane, PlaceOf(near, far) with { HoldSeconds = 600 });
        var held = await AskAsync(client);
        for (var i = 0; i < 6; i++)
        {
            Assert.Equal(held, await AskAsync(client));
        }

        await plane.RemoveAsync(Stopping);
        Assert.DoesNotContain("godwit-gw-services", await new Linux.Commands.Command("nft", "list", "tables") { Place = hosts.Host(1).Place }.RunAsync(TimeProvider.System, Stopping), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_is_held_for_as_long_as_the_service_says_over_changes_of_the_rules_and_a_new_agent()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var client = WithRoute(await hosts.AddGuestAsync(1, 1));
        var (near, far) = (await hosts.AddGuestAsync(1, 2), await hosts.AddGuestAsync(2, 3));
        await using var first = Server.Start(near);
        await using var second = Server.Start(far);
        var place = PlaceOf(near, far) with { HoldSeconds = 600 };
        await ApplyAsync(PlaneOf(hosts, 1), place);
        var before = await AskAsync(client);

        // By turns it would be the other's turn, or the first's again.
        await ApplyAsync(PlaneOf(hosts, 1), place, place with { Name = "default/other:http", Address = IPAddress.Parse("10.96.0.11") });
        Assert.Equal(before, await AskAsync(client));
        Assert.Equal(before, await AskAsync(client));

        // When its time is over it goes by turns.
        await ApplyAsync(PlaneOf(hosts, 1), place with { HoldSeconds = 2 });
        await Wait.ForAsync(async () => !(await SetsAsync(hosts)).Contains("expires", StringComparison.Ordinal), "the client is held no more");
        var after = await AskAsync(client);
        await Wait.ForAsync(async () => !(await SetsAsync(hosts)).Contains("expires", StringComparison.Ordinal), "the client is held no more");
        Assert.NotEqual(after, await AskAsync(client));
    }

    private static Task<string> SetsAsync(OverlayHosts hosts) =>
        new Linux.Commands.Command("nft", "-j", "list", "sets", "table", "ip", PlaneOf(hosts, 1).Table) { Place = hosts.Host(1).Place }.RunAsync(TimeProvider.System, Stopping);

    [Fact]
    public async Task A_flow_of_datagrams_does_not_outlive_its_backend_and_others_go_on()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var client = WithRoute(await hosts.AddGuestAsync(1, 1));
        var (near, far) = (await hosts.AddGuestAsync(1, 2), await hosts.AddGuestAsync(2, 3));
        using var first = Datagrams(near, new IPEndPoint(near.Address, BackendPort));
        using var second = Datagrams(far, new IPEndPoint(far.Address, BackendPort));
        using var one = Datagrams(client, new IPEndPoint(client.Address, 5001));
        using var other = Datagrams(client, new IPEndPoint(client.Address, 5002));
        var place = PlaceOf(near, far) with { Protocol = ServiceProtocol.Udp };
        await ApplyAsync(PlaneOf(hosts, 1), place);
        await SendAsync(one);
        await SendAsync(other);
        // By turns: each backend has one of the two flows.
        Assert.Equal(1, await ReceiveAsync(first));
        Assert.Equal(1, await ReceiveAsync(second));

        // The agent has come back meanwhile: what it knows of flows it knows from the kernel.
        await ApplyAsync(PlaneOf(hosts, 1), place with { Backends = [place.Backends[0]] });
        await SendAsync(one);
        await SendAsync(other);
        Assert.Equal(1, await ReceiveAsync(first));
        Assert.Equal(1, await ReceiveAsync(first));
        Assert.Equal(0, second.Available);

        static Socket Datagrams(FakeGuest guest, IPEndPoint end)
        {
            var socket = guest.Place.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
            socket.Bind(end);
            return socket;
        }

        static async Task SendAsync(Socket socket) => await socket.SendToAsync(new byte[1], VirtualEnd, Stopping);

        static async Task<int> ReceiveAsync(Socket socket) => await socket.ReceiveAsync(new byte[64], Stopping).AsTask().WaitAsync(Wait.Bound, Stopping);
    }

    [Fact]
    public async Task Rules_that_somebody_else_took_away_are_put_back_by_a_repair()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var client = WithRoute(await hosts.AddGuestAsync(1, 1));
        var near = await hosts.AddGuestAsync(1, 2);
        await using var server = Server.Start(near);
        var plane = PlaneOf(hosts, 1);
        await ApplyAsync(plane, PlaceOf(near));
        await new Linux.Commands.Command("nft", "delete", "table", "ip", plane.Table) { Place = hosts.Host(1).Place }.RunAsync(TimeProvider.System, Stopping);

        await plane.ApplyAsync(StateOf(PlaceOf(near)), isRepair: true, Stopping);

        Assert.Equal(near.Address.ToString(), await AskAsync(client));
    }

    [Fact]
    public async Task A_range_in_which_the_host_has_its_own_address_is_refused_and_its_link_stays_what_it_was()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var state = StateOf() with { Ranges = [Ipv4Network.Parse("192.0.2.0/24")] };

        var refused = await Assert.ThrowsAsync<Linux.LinuxException>(() => PlaneOf(hosts, 1).ApplyAsync(state, isRepair: false, Stopping));

        Assert.Contains("192.0.2.1", refused.Message, StringComparison.Ordinal);
        using var inside = RouteSocket.Open(hosts.Host(1).Place);
        Assert.Equal(inside.GetLink("eth0").Index, Assert.Single(inside.ListRoutes(), route => route.Destination.ToString() == "192.0.2.0").LinkIndex);
    }

    [Fact]
    public async Task The_host_itself_and_a_client_from_outside_reach_backends_on_either_host()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var near = await hosts.AddGuestAsync(1, 2);
        var far = await hosts.AddGuestAsync(2, 3);
        WithRoute(near);
        await using var first = Server.Start(near);
        await using var second = Server.Start(far);
        var plane = PlaneOf(hosts, 1);
        var node = PlaceOf(near, far) with { Address = null, Port = 30080 };
        await ApplyAsync(plane, PlaceOf(near, far), node, node with { Port = 30081, Backends = [new ServiceBackend(near.Address, BackendPort)], KeepsClients = true });

        var host = hosts.Host(1);
        foreach (var (from, to) in new[] { (host.Place, VirtualEnd), (hosts.Host(3).Place, new IPEndPoint(host.Address, 30080)) })
        {
            var answers = new HashSet<string>(StringComparer.Ordinal);
            for (var i = 0; i < 4; i++)
            {
                using var conversation = await Conversation.OpenAsync(from, to);
                answers.Add(await conversation.AskAsync());
            }

            Assert.Equal(new HashSet<string> { near.Address.ToString(), far.Address.ToString() }, answers);
        }

        // A node port that keeps its clients shows the backend who it is.
        using var kept = await Conversation.OpenAsync(hosts.Host(3).Place, new IPEndPoint(host.Address, 30081));
        Assert.Equal(near.Address.ToString(), await kept.AskAsync());
        Assert.Equal(hosts.Host(3).Address, first.LastClient);
    }

    [Fact]
    public async Task A_backend_reaches_itself_by_the_virtual_address()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        // Where bridged frames meet the IP filter a bridge does not send a frame back where it came from.
        KernelSetting.TrySet(hosts.Host(1).Place, "bridge/bridge-nf-call-iptables", "0");
        var only = WithRoute(await hosts.AddGuestAsync(1, 1));
        await using var server = Server.Start(only);
        await ApplyAsync(PlaneOf(hosts, 1), PlaceOf(only));

        Assert.Equal(only.Address.ToString(), await AskAsync(only));
    }

    /// <summary>Virtual addresses are outside the guests' network: a guest sends there by its gateway.</summary>
    private static FakeGuest WithRoute(FakeGuest guest)
    {
        using var inside = RouteSocket.Open(guest.Place);
        inside.ReplaceRoute(new Route(IPAddress.Any, 0, OverlayHosts.Gateway, inside.GetLink("eth0").Index));
        return guest;
    }

    private static ServicePlane PlaneOf(OverlayHosts hosts, int host) => new(hosts.Host(host).Place, OverlayHosts.Names, TimeProvider.System);

    private static ServicePlace PlaceOf(params FakeGuest[] backends) => new()
    {
        Name = "default/web:http",
        Address = Virtual,
        Protocol = ServiceProtocol.Tcp,
        Port = 80,
        Backends = [.. backends.Select(guest => new ServiceBackend(guest.Address, BackendPort))],
    };

    private static Task ApplyAsync(ServicePlane plane, params ServicePlace[] places) => plane.ApplyAsync(StateOf(places), isRepair: false, Stopping);

    private static ServiceState StateOf(params ServicePlace[] places) =>
        new() { Network = OverlayHosts.Network, StationAddress = OverlayHosts.StationAddress(1), Ranges = [Ipv4Network.Parse("10.96.0.0/16")], Places = places };

    private static async Task<string> AskAsync(FakeGuest client)
    {
        using var conversation = await Conversation.OpenAsync(client.Place, VirtualEnd);
        return await conversation.AskAsync();
    }

    /// <summary>An open conversation with this backend.</summary>
    private static async Task<Conversation> OpenToAsync(FakeGuest client, string backend)
    {
        for (var attempt = 0; attempt < 16; attempt++)
        {
            var conversation = await Conversation.OpenAsync(client.Place, VirtualEnd);
            if (await conversation.AskAsync() == backend)
            {
                return conversation;
            }

            conversation.Dispose();
        }

        throw new InvalidOperationException($"of 16 connections none went to {backend}");
    }

    private sealed class Conversation(Socket socket) : IDisposable
    {
        public static async Task<Conversation> OpenAsync(NetworkNamespace from, IPEndPoint to)
        {
            // A socket belongs to the network in which it was made.
            var socket = from.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            try
            {
                await socket.ConnectAsync(to, Stopping);
                return new Conversation(socket);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        public async Task<string> AskAsync()
        {
            await socket.SendAsync(new byte[] { (byte)'?' }, Stopping);
            var answer = new byte[64];
            return System.Text.Encoding.ASCII.GetString(answer, 0, await socket.ReceiveAsync(answer, Stopping));
        }

        public void Dispose() => socket.Dispose();
    }

    /// <summary>Answers each byte with its own address.</summary>
    private sealed class Server(Socket listener, string name) : IAsyncDisposable
    {
        private readonly CancellationTokenSource ending = new();
        private Task running = Task.CompletedTask;

        /// <summary>Who came last, as the backend saw it.</summary>
        public IPAddress? LastClient { get; private set; }

        public static Server Start(FakeGuest guest)
        {
            var listener = guest.Place.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            listener.Bind(new IPEndPoint(guest.Address, BackendPort));
            listener.Listen();
            var server = new Server(listener, guest.Address.ToString());
            server.running = server.ServeAsync();
            return server;
        }

        public async ValueTask DisposeAsync()
        {
            await ending.CancelAsync();
            listener.Dispose();
            await running;
            ending.Dispose();
        }

        private async Task ServeAsync()
        {
            var conversations = new List<Task>();
            try
            {
                while (true)
                {
                    var client = await listener.AcceptAsync(ending.Token);
                    LastClient = ((IPEndPoint)client.RemoteEndPoint!).Address;
                    conversations.Add(AnswerAsync(client));
                }
            }
            catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException or SocketException)
            {
            }

            await Task.WhenAll(conversations);
        }

        private async Task AnswerAsync(Socket client)
        {
            using (client)
            {
                try
                {
                    var question = new byte[1];
                    while (await client.ReceiveAsync(question, ending.Token) > 0)
                    {
                        await client.SendAsync(System.Text.Encoding.ASCII.GetBytes(name), ending.Token);
                    }
                }
                catch (Exception error) when (error is OperationCanceledException or SocketException)
                {
                }
            }
        }
    }
}
