using System.Net;
using Godwit.Linux.Commands;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Linux.Tests.Networking;

namespace Godwit.Linux.Tests.Netlink;

/// <summary>What we ask for is what the kernel has, in the words of iproute2 where it is installed.</summary>
[Trait("Needs", "root")]
public sealed class RouteSocketTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_bridge_forwards_at_once_and_has_its_address()
    {
        using var network = new TemporaryNetwork();
        var mac = MacAddress.Parse("02:67:77:00:00:01");
        Assert.True(network.Routes.AddBridge("br0", mac));
        Assert.False(network.Routes.AddBridge("br0", mac));
        var link = network.Routes.GetLink("br0");
        Assert.Equal(("bridge", mac, false), (link.Kind, link.Mac, link.IsUp));
        network.Routes.ChangeLink(link.Index, new LinkChange { IsUp = true, MtuBytes = 1400 });
        Assert.Equal((1400, true), network.Routes.GetLink("br0") is var up ? (up.MtuBytes, up.IsUp) : default);
        Assert.Contains("forward_delay 0 ", await ShowAsync(network, "-d", "link", "show", "br0"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_veth_pair_spans_two_namespaces()
    {
        using var near = new TemporaryNetwork();
        using var far = new TemporaryNetwork();
        Assert.True(near.Routes.AddVethPair("v0", "v1", far.Place));
        near.Routes.ChangeLink(near.Routes.GetLink("v0").Index, new LinkChange { IsUp = true });
        Assert.False(near.Routes.GetLink("v0").HasCarrier);
        far.Routes.ChangeLink(far.Routes.GetLink("v1").Index, new LinkChange { IsUp = true });
        Assert.True(near.Routes.GetLink("v0").HasCarrier);
        near.Routes.DeleteLink("v0");
        Assert.Null(far.Routes.FindLink("v1"));
        near.Routes.DeleteLink("v0");
    }

    [Fact]
    public void A_tunnel_end_floods_to_its_list_and_sends_known_addresses_straight()
    {
        using var network = new TemporaryNetwork();
        var settings = new VxlanSettings(7711, 4789, IPAddress.Parse("192.0.2.1"), Learning: true);
        Assert.True(network.Routes.AddVxlan("vx0", settings));
        var link = network.Routes.GetLink("vx0");
        Assert.Equal(settings, link.Vxlan);
        var (first, second) = (IPAddress.Parse("192.0.2.2"), IPAddress.Parse("192.0.2.3"));
        network.Routes.AppendFlood(link.Index, first);
        network.Routes.AppendFlood(link.Index, second);
        network.Routes.AppendFlood(link.Index, second);
        Assert.Equal([first, second], Floods().Order(Comparer<IPAddress>.Create((one, other) => string.CompareOrdinal(one.ToString(), other.ToString()))));
        var guest = MacAddress.Parse("02:00:00:00:00:05");
        network.Routes.SetRemote(link.Index, guest, first);
        network.Routes.SetRemote(link.Index, guest, second);
        Assert.Equal([new ForwardingEntry(link.Index, guest, second, IsStatic: false)], network.Routes.ListForwarding().Where(entry => entry.Mac == guest));
        network.Routes.DeleteFlood(link.Index, first);
        network.Routes.DeleteFlood(link.Index, first);
        network.Routes.DeleteRemote(link.Index, guest);
        network.Routes.DeleteRemote(link.Index, guest);
        Assert.Equal([second], Floods());
        Assert.DoesNotContain(network.Routes.ListForwarding(), entry => entry.Mac == guest);

        IEnumerable<IPAddress> Floods() => network.Routes.ListForwarding().Where(entry => entry.LinkIndex == link.Index && entry.Mac == default && entry.Remote is not null).Select(entry => entry.Remote!);
    }

    [Fact]
    public void Addresses_and_routes_are_set_listed_and_taken_away()
    {
        using var network = new TemporaryNetwork();
        network.Routes.AddBridge("br0", MacAddress.Parse("02:67:77:00:00:01"));
        var index = network.Routes.GetLink("br0").Index;
        network.Routes.ChangeLink(index, new LinkChange { IsUp = true });
        var address = new LinkAddress(index, IPAddress.Parse("10.9.0.1"), 16);
        network.Routes.AddAddress(address);
        network.Routes.AddAddress(address);
        Assert.Equal([address], network.Routes.ListAddresses());
        var fallback = new Route(IPAddress.Any, 0, IPAddress.Parse("10.9.0.254"), index);
        network.Routes.ReplaceRoute(fallback);
        network.Routes.ReplaceRoute(fallback with { Gateway = IPAddress.Parse("10.9.0.253") });
        Assert.Equal(IPAddress.Parse("10.9.0.253"), Assert.Single(network.Routes.ListRoutes(), route => route.PrefixLength == 0).Gateway);
        network.Routes.DeleteRoute(fallback with { Gateway = IPAddress.Parse("10.9.0.253") });
        network.Routes.DeleteRoute(fallback with { Gateway = IPAddress.Parse("10.9.0.253") });
        network.Routes.DeleteAddress(address);
        network.Routes.DeleteAddress(address);
        Assert.Empty(network.Routes.ListAddresses());
        Assert.Empty(network.Routes.ListRoutes());
    }

    [Fact]
    public async Task A_token_bucket_has_the_rate_asked_for_also_above_32_bits()
    {
        using var network = new TemporaryNetwork();
        network.Routes.AddBridge("br0", MacAddress.Parse("02:67:77:00:00:01"));
        var index = network.Routes.GetLink("br0").Index;
        network.Routes.ReplaceQueue(index, new TokenBucket(12_500_000, 131_072, 381_072));
        Assert.Contains("tbf", await ShowQueueAsync(network), StringComparison.Ordinal);
        Assert.Contains("rate 100Mbit burst 128Kb lat 20ms", await ShowQueueAsync(network), StringComparison.OrdinalIgnoreCase);
        network.Routes.ReplaceQueue(index, new TokenBucket(5_000_000_000, 131_072, 1 << 20));
        Assert.Contains("rate 40Gbit", await ShowQueueAsync(network), StringComparison.Ordinal);
        network.Routes.DeleteQueue(index);
        network.Routes.DeleteQueue(index);
        Assert.DoesNotContain("tbf", await ShowQueueAsync(network), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tap_has_its_owner_and_outlives_its_maker()
    {
        using var network = new TemporaryNetwork();
        Needs.Program("/dev/net/tun");
        Tap.Create("tap0", 61234, network.Place);
        await Wait.ForAsync(() => IsTaken(network, "tap0"), "the tap is taken again, once no process that another test is starting has a copy of the descriptor");
        var link = network.Routes.GetLink("tap0");
        Assert.Equal("tun", link.Kind);
        Assert.Contains("tun type tap pi off vnet_hdr on persist on user 61234", await ShowAsync(network, "-d", "link", "show", "tap0"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_refusal_names_the_device_and_the_kernels_own_words()
    {
        using var network = new TemporaryNetwork();
        var refusal = Assert.Throws<LinuxException>(() => network.Routes.AddVxlan("vx0", new VxlanSettings(1 << 24, 4789, IPAddress.Loopback, true)));
        Assert.Contains("vx0", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("the kernel says:", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(Errno.ENODEV, Assert.Throws<LinuxException>(() => network.Routes.GetLink("none")).Error);
        Assert.Throws<ArgumentException>(() => network.Routes.FindLink("sixteen-letters-"));
    }

    [Fact]
    public async Task Rules_are_taken_whole_or_not_at_all()
    {
        using var network = new TemporaryNetwork();
        Needs.Program("/usr/sbin/nft");
        await Nftables.ApplyAsync("table ip godwit { chain a { counter drop; }; }\n", network.Place, TimeProvider.System, Stopping);
        var refusal = await Assert.ThrowsAsync<CommandException>(() => Nftables.ApplyAsync("delete table ip godwit\nadd nonsense\n", network.Place, TimeProvider.System, Stopping));
        Assert.Equal(1, refusal.ExitCode);
        Assert.Contains("table ip godwit", await new Command("nft", "list", "ruleset") { Place = network.Place }.RunAsync(TimeProvider.System, Stopping), StringComparison.Ordinal);
    }

    private static bool IsTaken(TemporaryNetwork network, string name)
    {
        try
        {
            Tap.Create(name, 61234, network.Place);
            return true;
        }
        catch (LinuxException held) when (held.Error == Errno.EBUSY)
        {
            return false;
        }
    }

    private static Task<string> ShowAsync(TemporaryNetwork network, params string[] arguments)
    {
        Needs.Program("/usr/sbin/ip");
        return new Command("ip", arguments) { Place = network.Place }.RunAsync(TimeProvider.System, Stopping);
    }

    private static Task<string> ShowQueueAsync(TemporaryNetwork network) => new Command("tc", "qdisc", "show", "dev", "br0") { Place = network.Place }.RunAsync(TimeProvider.System, Stopping);
}
