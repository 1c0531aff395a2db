using System.Net;
using System.Net.NetworkInformation;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Addressing;
using Godwit.Networks.Guests;
using Godwit.Networks.Overlays;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Networks.Tests.Real;

/// <summary>
/// Hosts in namespaces of their own on a switch in another one, each a member of one overlay: 1 and 2 are nodes, 3 only observes.
/// Guests are namespaces too, on a cable where a VM would be on a tap.
/// </summary>
internal sealed class OverlayHosts : IAsyncDisposable
{
    internal const int ObserverNumber = 3;
    private static int count;

    private readonly string prefix = $"godwit-net-{Environment.ProcessId}-{Interlocked.Increment(ref count)}";
    private readonly List<NetworkNamespace> places = [];
    private readonly NetworkNamespace underlay;

    private OverlayHosts()
    {
        Needs.Root();
        Needs.Program("/usr/sbin/nft");
        underlay = AddPlace("underlay");
        using var routes = RouteSocket.Open(underlay);
        routes.AddBridge("switch", MacAddress.Parse("02:00:5e:00:00:01"));
        routes.ChangeLink(routes.GetLink("switch").Index, new LinkChange { IsUp = true });
        Hosts = [.. Enumerable.Range(1, ObserverNumber).Select(Connect)];
    }

    internal static Ipv4Network Network { get; } = Ipv4Network.Parse("10.244.0.0/16");

    internal static IPAddress Gateway => Network.FirstUsable;

    internal static IPAddress ObserverAddress => Network.LastUsable;

    internal static OverlayNames Names { get; } = new();

    internal IReadOnlyList<OverlayHost> Hosts { get; }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    internal static async Task<OverlayHosts> CreateAsync()
    {
        var hosts = new OverlayHosts();
        foreach (var host in hosts.Hosts)
        {
            await host.Overlay.ApplyAsync(hosts.StateOf(host.Number), Stopping);
        }

        return hosts;
    }

    /// <summary>A node's own address among the guests.</summary>
    internal static IPAddress StationAddress(int number) => Network.UsableAt(40 + (uint)number);

    internal OverlayHost Host(int number) => Hosts[number - 1];

    internal OverlayState StateOf(int number) => new()
    {
        NetworkId = 7711,
        UnderlayAddress = Host(number).Address,
        Network = Network,
        Gateway = Gateway,
        IsGateway = number != ObserverNumber,
        ObserverAddress = number == ObserverNumber ? ObserverAddress : null,
        StationAddress = number == ObserverNumber ? null : StationAddress(number),
        Masquerades = true,
        Members = [.. Hosts.Select(host => host.Address)],
    };

    /// <summary>A guest on a host; silent unless it is admitted. Two of one name but on two hosts are the two ends of a move.</summary>
    internal async Task<FakeGuest> AddGuestAsync(int host, uint number, bool admitted = true, bool configured = true)
    {
        var place = AddPlace($"guest{number}on{host}");
        var (mac, address, tap) = (MacAddress.FromBytes([0x02, 0, 0, 0, 0, (byte)number]), Network.UsableAt(100 + number), Names.Tap($"guest-{number}"));
        using (var outside = RouteSocket.Open(Host(host).Place))
        {
            outside.AddVethPair(tap, "eth0", place);
        }

        using (var inside = RouteSocket.Open(place))
        {
            var link = inside.GetLink("eth0").Index;
            KernelSetting.TrySet(place, "ipv6/conf/eth0/disable_ipv6", "1");
            inside.ChangeLink(link, new LinkChange { Mac = mac, IsUp = true, MtuBytes = 1450 });
            if (configured)
            {
                inside.AddAddress(new LinkAddress(link, address, Network.PrefixLength));
            }
        }

        await Host(host).Ports.CreateAsync(new GuestPort(tap, mac, address, 0), Stopping);
        if (admitted)
        {
            Host(host).Ports.Admit(tap, mac);
        }

        return new FakeGuest(place, tap, mac, address);
    }

    public ValueTask DisposeAsync()
    {
        foreach (var place in places)
        {
            NetworkNamespace.Delete(place.Name);
        }

        return ValueTask.CompletedTask;
    }

    private NetworkNamespace AddPlace(string purpose)
    {
        var place = NetworkNamespace.Create($"{prefix}-{purpose}");
        places.Add(place);
        return place;
    }

    private OverlayHost Connect(int number)
    {
        var place = AddPlace($"host{number}");
        using var outside = RouteSocket.Open(underlay);
        outside.AddVethPair($"port{number}", "eth0", place);
        outside.ChangeLink(outside.GetLink($"port{number}").Index, new LinkChange { MasterIndex = outside.GetLink("switch").Index, IsUp = true });
        using var inside = RouteSocket.Open(place);
        inside.ChangeLink(inside.GetLink("lo").Index, new LinkChange { IsUp = true });
        var link = inside.GetLink("eth0").Index;
        inside.ChangeLink(link, new LinkChange { IsUp = true });
        var address = IPAddress.Parse($"192.0.2.{number}");
        inside.AddAddress(new LinkAddress(link, address, 24));
        return new OverlayHost(
            number,
            place,
            address,
            new Overlay(place, TimeProvider.System, NullLogger<Overlay>.Instance),
            new GuestPorts(place, Names, TimeProvider.System),
            new Announcer(place, Names, TimeProvider.System));
    }
}

internal sealed record OverlayHost(int Number, NetworkNamespace Place, IPAddress Address, Overlay Overlay, GuestPorts Ports, Announcer Announcer);

internal sealed record FakeGuest(NetworkNamespace Place, string Tap, MacAddress Mac, IPAddress Address)
{
    /// <summary>Whether another station answers this one.</summary>
    internal bool Reaches(IPAddress other, int boundMs = 5000) => Place.Run(() =>
    {
        using var ping = new Ping();
        return ping.Send(other, boundMs).Status == IPStatus.Success;
    });
}
