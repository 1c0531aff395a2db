using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Godwit.Linux;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Linux.Processes;

namespace Godwit.Networks.Containers;

/// <summary>The devices of container networks: bridges on the host, and for each container a pair of cable ends to each of its networks. Blocking, and fast.</summary>
internal static class NetworkPlumbing
{
    private const int HashDigits = 6;

    /// <summary>Makes the bridge with the gateway's addresses where it is not. Idempotent.</summary>
    internal static void EnsureBridge(ContainerNetwork network)
    {
        using var routes = RouteSocket.Open(NetworkNamespace.Own);
        routes.AddBridge(network.Bridge, MacFor(IPAddress.Parse(network.Range.Gateway)));
        var bridge = routes.GetLink(network.Bridge);
        routes.AddAddress(new LinkAddress(bridge.Index, IPAddress.Parse(network.Range.Gateway), IpRange.Parse(network.Range.Subnet).PrefixLength));
        routes.ChangeLink(bridge.Index, new LinkChange { IsUp = true, MtuBytes = network.MtuBytes });
        KernelSetting.TrySet(NetworkNamespace.Own, $"ipv4/conf/{network.Bridge}/route_localnet", "1");
        if (network.RangeV6 is { } six)
        {
            KernelSetting.TrySet(NetworkNamespace.Own, $"ipv6/conf/{network.Bridge}/disable_ipv6", "0");
            routes.AddAddress(new LinkAddress(bridge.Index, IPAddress.Parse(six.Gateway), IpRange.Parse(six.Subnet).PrefixLength));
            KernelSetting.TrySet(NetworkNamespace.Own, "ipv6/conf/all/forwarding", "1");
        }
    }

    internal static void RemoveBridge(ContainerNetwork network)
    {
        using var routes = RouteSocket.Open(NetworkNamespace.Own);
        routes.DeleteLink(network.Bridge);
    }

    /// <summary>The namespace of a container, with its loopback up. One that is left over from a run before is removed first.</summary>
    internal static NetworkNamespace MakeNamespace(string name, IdMap? owner)
    {
        NetworkNamespace place;
        try
        {
            place = NetworkNamespace.Create(name, owner);
        }
        catch (LinuxException taken) when (taken.Error is Errno.EEXIST)
        {
            NetworkNamespace.Delete(name);
            place = NetworkNamespace.Create(name, owner);
        }

        using var routes = RouteSocket.Open(place);
        routes.ChangeLink(routes.GetLink("lo").Index, new LinkChange { IsUp = true });
        return place;
    }

    /// <summary>Connects the namespace to the network's bridge.</summary>
    /// <param name="place">The container's namespace.</param>
    /// <param name="network">The network.</param>
    /// <param name="addresses">What the endpoint gets.</param>
    /// <param name="isDefault">Whether the way to everywhere leads through it.</param>
    internal static void Connect(NetworkNamespace place, ContainerNetwork network, EndpointAddresses addresses, bool isDefault)
    {
        using var host = RouteSocket.Open(NetworkNamespace.Own);
        host.DeleteLink(addresses.HostInterface);
        host.AddVethPair(addresses.HostInterface, addresses.Interface, place);
        using var inside = RouteSocket.Open(place);
        var end = inside.GetLink(addresses.Interface);
        inside.ChangeLink(end.Index, new LinkChange { Mac = MacAddress.Parse(addresses.Mac), MtuBytes = network.MtuBytes });
        inside.AddAddress(new LinkAddress(end.Index, IPAddress.Parse(addresses.Address), addresses.PrefixLength));
        if (addresses.AddressV6 is { } six)
        {
            KernelSetting.TrySet(place, $"ipv6/conf/{addresses.Interface}/disable_ipv6", "0");
            inside.AddAddress(new LinkAddress(end.Index, IPAddress.Parse(six), addresses.PrefixLengthV6));
        }

        var bridge = host.GetLink(network.Bridge);
        host.ChangeLink(host.GetLink(addresses.HostInterface).Index, new LinkChange { MasterIndex = bridge.Index, MtuBytes = network.MtuBytes, IsUp = true });
        // So that a container reaches itself over a port that it publishes.
        BridgePort.TryAllowHairpin(addresses.HostInterface);
        if (!network.LetsMembersMeet)
        {
            BridgePort.TryIsolate(addresses.HostInterface);
        }

        inside.ChangeLink(end.Index, new LinkChange { IsUp = true });
        if (isDefault && !network.Internal)
        {
            LeadOut(inside, end.Index, network, addresses);
        }
    }

    /// <summary>Makes the way to everywhere lead through this network.</summary>
    internal static void LeadOut(NetworkNamespace place, ContainerNetwork network, EndpointAddresses addresses)
    {
        using var inside = RouteSocket.Open(place);
        LeadOut(inside, inside.GetLink(addresses.Interface).Index, network, addresses);
    }

    private static void LeadOut(RouteSocket inside, int linkIndex, ContainerNetwork network, EndpointAddresses addresses)
    {
        inside.ReplaceRoute(new Route(IPAddress.Any, 0, IPAddress.Parse(network.Range.Gateway), linkIndex));
        if (addresses.GatewayV6 is { } gateway)
        {
            inside.ReplaceRoute(new Route(IPAddress.IPv6Any, 0, IPAddress.Parse(gateway), linkIndex));
        }
    }

    /// <summary>Takes one cable away; the other end goes with it. Idempotent.</summary>
    internal static void Disconnect(EndpointAddresses addresses)
    {
        using var host = RouteSocket.Open(NetworkNamespace.Own);
        host.DeleteLink(addresses.HostInterface);
    }

    /// <summary>Ranges that this host reaches by a device of its own.</summary>
    internal static IReadOnlyList<IpRange> ListRouted()
    {
        using var routes = RouteSocket.Open(NetworkNamespace.Own);
        return [.. routes.ListRoutes().Where(route => route.PrefixLength > 0).Select(route => IpRange.Of(route.Destination, route.PrefixLength))];
    }

    /// <summary>A locally administered address that follows from the IP address: the same container is the same neighbour after a restart.</summary>
    internal static MacAddress MacFor(IPAddress address) => MacAddress.FromBytes([0x02, 0x42, .. address.GetAddressBytes().AsSpan(^4..)]);

    /// <summary>The host's end of a cable, named after whom it connects.</summary>
    internal static string HostInterface(string prefix, string containerId, string networkId) =>
        prefix[..Math.Min(8, prefix.Length)] + "." + Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{containerId}/{networkId}"))))[..HashDigits];

}
