using System.Net;
using Godwit.Linux;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Services;
using Microsoft.Extensions.Logging;

namespace Godwit.Networks.Overlays;

/// <summary>
/// Makes one host a member of the guests' network: one layer-2 segment over all hosts.
/// <code>
///   guest A   guest B            guest C
///     │tap      │tap               │tap
///   ┌─┴─────────┴──┐             ┌─┴────────────┐
///   │ bridge       │             │ bridge       │   every bridge: the same gateway address, the same MAC
///   └──────┬───────┘             └──────┬───────┘
///       tunnel ─────── underlay ────── tunnel         unicast VXLAN; unknown frames go to every member
/// </code>
/// Applying a state again changes nothing, and cuts no guest off. One object per host, used by one caller at a time.
/// </summary>
public sealed partial class Overlay(NetworkNamespace place, TimeProvider time, ILogger<Overlay> log)
{
    private readonly Dictionary<MacAddress, IPAddress> told = [];
    private string? rulesApplied;

    /// <summary>Where the overlay's devices are.</summary>
    public NetworkNamespace Place { get; } = place;

    /// <exception cref="ArgumentException">The state contradicts itself.</exception>
    /// <exception cref="Godwit.Linux.LinuxException">The kernel refused; applying again goes on from there.</exception>
    public async Task ApplyAsync(OverlayState state, CancellationToken stopping)
    {
        state.Check();
        using var routes = RouteSocket.Open(Place);
        var bridge = EnsureBridge(routes, state);
        var rules = OverlayRules.Build(state);
        if (rules != rulesApplied)
        {
            // Before anything joins the bridge: no frame passes unfiltered.
            await Nftables.ApplyAsync(rules, Place, time, stopping);
            rulesApplied = rules;
        }

        var tunnel = EnsureTunnel(routes, state, bridge);
        EnsureObserver(routes, state, bridge);
        EnsureGateway(routes, state, bridge);
        ApplyMembers(routes, state, tunnel);
        ApplyGuests(routes, state, tunnel);
    }

    /// <summary>Takes this host out of the network and leaves nothing of it: devices, taps, rules. Idempotent.</summary>
    public async Task RemoveAsync(OverlayNames names, CancellationToken stopping)
    {
        using (var routes = RouteSocket.Open(Place))
        {
            foreach (var link in routes.ListLinks().Where(link => link.Name.StartsWith(names.TapPrefix, StringComparison.Ordinal) && link.Kind == "tun"))
            {
                routes.DeleteLink(link.Name);
            }

            routes.DeleteLink(names.Tunnel);
            routes.DeleteLink(names.Observer);
            routes.DeleteLink(names.Bridge);
        }

        await Nftables.ApplyAsync(OverlayRules.Remove(names) + ServiceRules.Remove(names), Place, time, stopping);
        rulesApplied = null;
        told.Clear();
        Log.Removed(log, names.Bridge);
    }

    private Link EnsureBridge(RouteSocket routes, OverlayState state)
    {
        var (name, mac) = (state.Names.Bridge, BridgeMac(state));
        if (routes.AddBridge(name, mac))
        {
            Log.BridgeMade(log, name);
        }

        var bridge = routes.GetLink(name);
        DisableIpv6(name);
        AnswerForOwnAddressOnly(name);
        // Set even if right: a bridge whose MAC was never set takes that of its lowest port.
        routes.ChangeLink(bridge.Index, new LinkChange { Mac = mac, MtuBytes = state.MtuBytes, IsUp = true });
        return bridge;
    }

    private Link EnsureTunnel(RouteSocket routes, OverlayState state, Link bridge)
    {
        var name = state.Names.Tunnel;
        var settings = new VxlanSettings(state.NetworkId, state.Port, state.UnderlayAddress, Learning: true);
        if (routes.FindLink(name) is { } present && present.Vxlan != settings)
        {
            routes.DeleteLink(name); // What makes a tunnel cannot be changed in place.
            told.Clear();
        }

        if (routes.AddVxlan(name, settings))
        {
            Log.TunnelMade(log, name, state.NetworkId, state.UnderlayAddress);
        }

        // "Exists already" may also mean another name's tunnel with this identifier.
        var tunnel = routes.FindLink(name) ?? throw TunnelTaken(state);
        DisableIpv6(name);
        try
        {
            routes.ChangeLink(tunnel.Index, new LinkChange { MtuBytes = state.MtuBytes, MasterIndex = bridge.Index, IsUp = true });
        }
        catch (LinuxException error) when (error.Error == Errno.EADDRINUSE)
        {
            throw TunnelTaken(state);
        }

        return tunnel;
    }

    private static LinuxException TunnelTaken(OverlayState state) => new(
        $"join the guests' network with the tunnel {state.Names.Tunnel} (VXLAN {state.NetworkId}, UDP port {state.Port})",
        Errno.EADDRINUSE,
        $"another tunnel of this host has that identifier ('ip -details link show type vxlan'), or another program that port ('ss -lunp sport = :{state.Port}'): end it, or choose another identifier "
        + "at the server's first start (--guest-network-id). On a host that is a node, start the server without --underlay-address");

    /// <summary>The host's own station: a cable into the bridge. Where the host is no gateway the kernel may use it too, for example to reach a guest by TCP.</summary>
    private void EnsureObserver(RouteSocket routes, OverlayState state, Link bridge)
    {
        if (state.ObserverAddress is not { } address)
        {
            routes.DeleteLink(state.Names.Observer);
            return;
        }

        routes.AddVethPair(state.Names.Observer, state.Names.ObserverPort, Place);
        DisableIpv6(state.Names.Observer);
        AnswerForOwnAddressOnly(state.Names.Observer);
        DisableIpv6(state.Names.ObserverPort);
        var (observer, port) = (routes.GetLink(state.Names.Observer), routes.GetLink(state.Names.ObserverPort));
        routes.ChangeLink(port.Index, new LinkChange { MtuBytes = state.MtuBytes, MasterIndex = bridge.Index, IsUp = true });
        routes.ChangeLink(observer.Index, new LinkChange { MtuBytes = state.MtuBytes, Mac = OverlayState.ObserverMac(address), IsUp = true });
        ApplyAddresses(routes, observer, state.IsGateway ? [] : [new LinkAddress(observer.Index, address, state.Network.PrefixLength)]);
    }

    private void EnsureGateway(RouteSocket routes, OverlayState state, Link bridge)
    {
        var addresses = new List<LinkAddress>();
        if (state.IsGateway)
        {
            addresses.Add(new LinkAddress(bridge.Index, state.Gateway, state.Network.PrefixLength));
        }

        if (state.StationAddress is { } station)
        {
            addresses.Add(new LinkAddress(bridge.Index, station, 32));
        }

        ApplyAddresses(routes, bridge, addresses);
        if (state.IsGateway && state.Masquerades)
        {
            KernelSetting.TrySet(Place, "ipv4/ip_forward", "1");
        }
    }

    /// <summary>Leaves exactly these addresses on the device.</summary>
    private static void ApplyAddresses(RouteSocket routes, Link link, IReadOnlyList<LinkAddress> wanted)
    {
        foreach (var other in routes.ListAddresses().Where(present => present.LinkIndex == link.Index && !wanted.Contains(present)))
        {
            routes.DeleteAddress(other);
        }

        foreach (var address in wanted)
        {
            routes.AddAddress(address);
        }
    }

    private void ApplyMembers(RouteSocket routes, OverlayState state, Link tunnel)
    {
        var wanted = state.Members.Where(member => !member.Equals(state.UnderlayAddress)).ToHashSet();
        var present = routes.ListForwarding().Where(entry => entry.LinkIndex == tunnel.Index && entry.Mac == default && entry.Remote is not null).Select(entry => entry.Remote!).ToHashSet();
        foreach (var member in wanted.Except(present))
        {
            routes.AppendFlood(tunnel.Index, member);
            Log.MemberJoined(log, member);
        }

        foreach (var member in present.Except(wanted))
        {
            routes.DeleteFlood(tunnel.Index, member);
            Log.MemberLeft(log, member);
        }
    }

    /// <summary>
    /// Each place is told once, when it is news: the tunnel learns from the guests' own frames faster than any list can say, and
    /// a list repeated late would send a guest's frames back to where it was.
    /// </summary>
    private void ApplyGuests(RouteSocket routes, OverlayState state, Link tunnel)
    {
        foreach (var (mac, host) in state.Guests)
        {
            if (told.TryGetValue(mac, out var before) && before.Equals(host))
            {
                continue;
            }

            if (host.Equals(state.UnderlayAddress))
            {
                routes.DeleteRemote(tunnel.Index, mac);
            }
            else
            {
                routes.SetRemote(tunnel.Index, mac, host);
            }

            told[mac] = host;
        }

        foreach (var gone in told.Keys.Except(state.Guests.Keys).ToList())
        {
            told.Remove(gone);
            routes.DeleteRemote(tunnel.Index, gone);
        }
    }

    /// <summary>A member without guests must not look like a gateway to the filters of the others.</summary>
    private static MacAddress BridgeMac(OverlayState state) => state.IsGateway
        ? OverlayState.GatewayMac
        : OverlayState.HostMac(state.UnderlayAddress);

    private void DisableIpv6(string link) => KernelSetting.TrySet(Place, $"ipv6/conf/{link}/disable_ipv6", "1");

    /// <summary>By default Linux answers ARP on any device for an address of any other: the bridge would answer for the station beside it, and for the underlay.</summary>
    private void AnswerForOwnAddressOnly(string link)
    {
        KernelSetting.TrySet(Place, $"ipv4/conf/{link}/arp_ignore", "1");
        KernelSetting.TrySet(Place, $"ipv4/conf/{link}/arp_announce", "2");
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2101, Level = LogLevel.Information, Message = "Made bridge {Bridge}")]
        internal static partial void BridgeMade(ILogger log, string bridge);

        [LoggerMessage(EventId = 2102, Level = LogLevel.Information, Message = "Made tunnel {Tunnel} with VNI {NetworkId} at {UnderlayAddress}")]
        internal static partial void TunnelMade(ILogger log, string tunnel, int networkId, IPAddress underlayAddress);

        [LoggerMessage(EventId = 2103, Level = LogLevel.Information, Message = "Overlay member {Member} joined")]
        internal static partial void MemberJoined(ILogger log, IPAddress member);

        [LoggerMessage(EventId = 2104, Level = LogLevel.Information, Message = "Overlay member {Member} left")]
        internal static partial void MemberLeft(ILogger log, IPAddress member);

        [LoggerMessage(EventId = 2105, Level = LogLevel.Information, Message = "Removed overlay {Bridge}")]
        internal static partial void Removed(ILogger log, string bridge);
    }
}
