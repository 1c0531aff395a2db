using System.Net;
using System.Net.Sockets;
using Godwit.Linux;
using Godwit.Linux.Commands;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Guests;
using Godwit.Networks.Overlays;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Networks.Tests.Real;

[Trait("Needs", "root")]
public sealed class OverlayTests
{
    private const int FrameBytesMax = 2048;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Guests_on_two_hosts_reach_each_other_and_each_its_own_hosts_gateway()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var first = await hosts.AddGuestAsync(1, 1);
        var second = await hosts.AddGuestAsync(2, 2);
        Assert.True(first.Reaches(second.Address));
        Assert.True(second.Reaches(first.Address));
        Assert.True(first.Reaches(OverlayHosts.Gateway));
        Assert.True(second.Reaches(OverlayHosts.Gateway));
        Assert.True(first.Reaches(OverlayHosts.ObserverAddress));
    }

    [Fact]
    public async Task Nothing_of_a_gateway_and_no_dhcp_crosses_the_tunnel()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var guest = await hosts.AddGuestAsync(1, 1);
        using var ear = PacketSocket.Open(OverlayHosts.Names.Tunnel, hosts.Host(2).Place, receives: true);
        using var mouth = PacketSocket.Open("eth0", guest.Place, receives: false);
        var lastWords = OverlayHosts.Network.UsableAt(777);
        Assert.True(guest.Reaches(OverlayHosts.Gateway));
        mouth.TrySend(Frames.ArpRequest(guest.Mac, guest.Address, OverlayHosts.Gateway, MacAddress.Broadcast));
        mouth.TrySend(DhcpDiscover(guest.Mac));
        // The host, as gateway, looks for a guest that is not on it.
        hosts.Host(1).Place.Run(() => new System.Net.NetworkInformation.Ping().Send(OverlayHosts.Network.UsableAt(500), 1));
        mouth.TrySend(Frames.ArpRequest(guest.Mac, guest.Address, lastWords, MacAddress.Broadcast));
        var buffer = new byte[FrameBytesMax];
        while (true)
        {
            var count = ear.Receive(buffer, 10_000);
            Assert.True(count > 0, "the last words never came");
            Assert.False(buffer.AsSpan(6, 6).SequenceEqual(OverlayState.GatewayMac.ToBytes()), "a gateway's frame crossed");
            Assert.False(count > 36 && buffer[12] == 8 && buffer[13] == 0 && buffer[23] == 17 && buffer[37] == 67, "DHCP crossed");
            if (Frames.TryReadArp(buffer.AsSpan(0, count), out var arp))
            {
                Assert.NotEqual(OverlayHosts.Gateway, arp.TargetAddress);
                if (arp.TargetAddress.Equals(lastWords))
                {
                    return;
                }
            }
        }
    }

    [Fact]
    public async Task A_tunnel_or_a_port_that_is_taken_is_told_with_what_to_do_about_it()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var state = hosts.StateOf(1);
        var other = new Overlay(hosts.Host(1).Place, TimeProvider.System, NullLogger<Overlay>.Instance);

        var sameTunnel = await Assert.ThrowsAsync<LinuxException>(() => other.ApplyAsync(state with { Names = new OverlayNames("gx") }, Stopping));
        Assert.Equal(Errno.EADDRINUSE, sameTunnel.Error);
        Assert.Contains("VXLAN 7711", sameTunnel.Message, StringComparison.Ordinal);
        Assert.Contains("start the server without --underlay-address", sameTunnel.Message, StringComparison.Ordinal);

        using var program = hosts.Host(1).Place.Run(() => new UdpClient(new IPEndPoint(IPAddress.Any, 5999)));
        var samePort = await Assert.ThrowsAsync<LinuxException>(() => other.ApplyAsync(state with { Names = new OverlayNames("gx"), NetworkId = 7712, Port = 5999 }, Stopping));
        Assert.Equal(Errno.EADDRINUSE, samePort.Error);
        Assert.Contains("UDP port 5999", samePort.Message, StringComparison.Ordinal);
        await other.RemoveAsync(new OverlayNames("gx"), Stopping);
    }

    [Fact]
    public async Task A_guest_speaks_with_its_own_addresses_only()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var liar = await hosts.AddGuestAsync(1, 1);
        var near = await hosts.AddGuestAsync(1, 3);
        var far = await hosts.AddGuestAsync(2, 2);
        using var nearEar = PacketSocket.Open("eth0", near.Place, receives: true);
        using var farEar = PacketSocket.Open("eth0", far.Place, receives: true);
        using var mouth = PacketSocket.Open("eth0", liar.Place, receives: false);
        var lastWords = OverlayHosts.Network.UsableAt(777);
        mouth.TrySend(Frames.GratuitousRequest(far.Mac, far.Address));
        mouth.TrySend(Frames.GratuitousReply(liar.Mac, far.Address));
        mouth.TrySend(Frames.GratuitousReply(OverlayState.GatewayMac, OverlayHosts.Gateway));
        mouth.TrySend(Frames.EchoRequest(liar.Mac, near.Address, MacAddress.Broadcast, far.Address, 1, 1));
        mouth.TrySend([.. MacAddress.Broadcast.ToBytes(), .. liar.Mac.ToBytes(), 0x86, 0xdd, .. new byte[60]]);
        mouth.TrySend(Frames.ArpRequest(liar.Mac, liar.Address, lastWords, MacAddress.Broadcast));
        ListenForLies(nearEar);
        ListenForLies(farEar);

        void ListenForLies(PacketSocket ear)
        {
            var buffer = new byte[FrameBytesMax];
            while (true)
            {
                var frame = buffer.AsSpan(0, ear.Receive(buffer, 10_000));
                Assert.False(frame.IsEmpty, "the last words never came");
                if (Frames.TryReadArp(frame, out var arp))
                {
                    if (arp.TargetAddress.Equals(lastWords))
                    {
                        return;
                    }

                    Assert.NotEqual(OverlayHosts.Gateway, arp.SenderAddress);
                    Assert.False(arp.SenderAddress.Equals(far.Address) && arp.TargetAddress.Equals(far.Address), "it was believed to be another");
                }
                else if (MacAddress.FromBytes(frame[6..12]) == liar.Mac)
                {
                    // Its own kernel's words (multicast membership) are true.
                    Assert.Equal([8, 0], frame[12..14].ToArray());
                    Assert.Equal(liar.Address, new IPAddress(frame[26..30]));
                }
            }
        }
    }

    [Fact]
    public async Task Setting_it_up_again_changes_nothing_and_cuts_nobody_off()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var first = await hosts.AddGuestAsync(1, 1);
        var second = await hosts.AddGuestAsync(2, 2);
        Assert.True(first.Reaches(second.Address));
        var before = await DescribeAsync(hosts.Host(1).Place);
        // As an agent that was started anew does it.
        await new Overlay(hosts.Host(1).Place, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<Overlay>.Instance).ApplyAsync(hosts.StateOf(1), Stopping);
        Assert.Equal(before, await DescribeAsync(hosts.Host(1).Place));
        Assert.True(first.Reaches(second.Address));
    }

    [Fact]
    public async Task A_member_that_left_gets_no_frames_and_is_served_again_when_it_returns()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var first = await hosts.AddGuestAsync(1, 1);
        var second = await hosts.AddGuestAsync(2, 2);
        var alone = hosts.StateOf(1) with { Members = [hosts.Host(1).Address, hosts.Host(3).Address] };
        await hosts.Host(1).Overlay.ApplyAsync(alone, Stopping);
        Assert.False(first.Reaches(second.Address, boundMs: 300));
        await hosts.Host(1).Overlay.ApplyAsync(hosts.StateOf(1), Stopping);
        await Wait.ForAsync(() => first.Reaches(second.Address, boundMs: 300), "the guests reach each other again");
    }

    [Fact]
    public async Task Taking_it_down_leaves_nothing()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        var host = hosts.Host(2);
        await host.Overlay.RemoveAsync(OverlayHosts.Names, Stopping);
        var before = await DescribeAsync(host.Place);
        Assert.DoesNotContain(OverlayHosts.Names.Bridge, before, StringComparison.Ordinal);
        await host.Overlay.ApplyAsync(hosts.StateOf(2) with { ObserverAddress = OverlayHosts.ObserverAddress }, Stopping);
        await host.Ports.CreateAsync(new GuestPort(OverlayHosts.Names.Tap("x"), MacAddress.Parse("02:00:00:00:00:01"), OverlayHosts.Network.UsableAt(9), 61234), Stopping);
        Assert.NotEqual(before, await DescribeAsync(host.Place));
        await host.Overlay.RemoveAsync(OverlayHosts.Names, Stopping);
        Assert.Equal(before, await DescribeAsync(host.Place));
        await host.Overlay.RemoveAsync(OverlayHosts.Names, Stopping);
    }

    [Fact]
    public async Task A_node_without_guests_addresses_of_its_own_uses_its_station_for_probes_only()
    {
        await using var hosts = await OverlayHosts.CreateAsync();
        await hosts.Host(1).Overlay.ApplyAsync(hosts.StateOf(1) with { ObserverAddress = OverlayHosts.Network.UsableAt(900) }, Stopping);
        using var routes = RouteSocket.Open(hosts.Host(1).Place);
        Assert.DoesNotContain(routes.ListAddresses(), address => address.Address.Equals(OverlayHosts.Network.UsableAt(900)));
        Assert.Single(routes.ListRoutes(), route => route.Destination.Equals(OverlayHosts.Network.Address));
    }

    /// <summary>Devices, addresses, routes and rules of a namespace, without counters and indexes.</summary>
    private static async Task<string> DescribeAsync(NetworkNamespace place)
    {
        using var routes = RouteSocket.Open(place);
        var names = routes.ListLinks().ToDictionary(link => link.Index, link => link.Name);
        var links = routes.ListLinks().Select(link => $"{link.Name} {link.Kind} {link.Mac} {link.MtuBytes} {link.IsUp} {(link.MasterIndex is { } master ? names[master] : "")} {link.Vxlan}");
        var addresses = routes.ListAddresses().Select(address => $"{names[address.LinkIndex]} {address.Address}/{address.PrefixLength}");
        var paths = routes.ListRoutes().Select(route => $"{route.Destination}/{route.PrefixLength} {route.Gateway} {names[route.LinkIndex]}");
        var floods = routes.ListForwarding().Where(entry => entry.Mac == default).Select(entry => $"flood {names[entry.LinkIndex]} {entry.Remote}");
        var rules = await new Command("nft", "--stateless", "list", "ruleset") { Place = place }.RunAsync(TimeProvider.System, Stopping);
        return string.Join('\n', [.. links.Concat(addresses).Concat(paths).Concat(floods).Order(StringComparer.Ordinal), rules]);
    }

    /// <summary>As much of a DHCP request as the filters look at: UDP from port 68 to port 67, from nobody to all.</summary>
    private static byte[] DhcpDiscover(MacAddress mac)
    {
        var frame = Frames.EchoRequest(mac, IPAddress.Any, MacAddress.Broadcast, IPAddress.Broadcast, 0, 0);
        frame[23] = 17;
        byte[] ports = [0, 68, 0, 67];
        ports.CopyTo(frame, 34);
        (frame[24], frame[25]) = (0, 0);
        var checksum = Frames.Checksum(frame.AsSpan(14, 20));
        (frame[24], frame[25]) = ((byte)(checksum >> 8), (byte)checksum);
        return frame;
    }
}
