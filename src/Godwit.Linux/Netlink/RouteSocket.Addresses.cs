using System.Buffers.Binary;
using System.Net;
using Godwit.Linux.Native;
using static Godwit.Linux.Netlink.AddressAttribute;
using static Godwit.Linux.Netlink.RouteAttribute;

namespace Godwit.Linux.Netlink;

/// <summary>An address of a device, of either family.</summary>
public sealed record LinkAddress(int LinkIndex, IPAddress Address, int PrefixLength);

/// <summary>A route of the main table, of either family (IPv4 in lists).</summary>
/// <param name="Destination">The network's first address; 0.0.0.0 with prefix length 0 is the default route.</param>
/// <param name="PrefixLength">Bits of the network.</param>
/// <param name="Gateway">Null: directly reachable.</param>
/// <param name="LinkIndex">The device it leaves by.</param>
public sealed record Route(IPAddress Destination, int PrefixLength, IPAddress? Gateway, int LinkIndex);

public sealed partial class RouteSocket
{
    private const int AddressHeaderLength = 8;
    private const int RouteHeaderLength = 12;

    /// <summary>Gives a device an address; nothing happens when it has it.</summary>
    public void AddAddress(LinkAddress address) => TryRequest(
        new NetlinkMessage(RouteMessage.RTM_NEWADDR, CreateFlags, AddressHeader(address)).AddAddress(IFA_LOCAL, address.Address).AddAddress(IFA_ADDRESS, address.Address),
        $"give device {address.LinkIndex} the address {address.Address}/{address.PrefixLength}",
        Errno.EEXIST);

    /// <summary>Takes an address away. Idempotent.</summary>
    public void DeleteAddress(LinkAddress address) => TryRequest(
        new NetlinkMessage(RouteMessage.RTM_DELADDR, ChangeFlags, AddressHeader(address)).AddAddress(IFA_LOCAL, address.Address),
        $"take the address {address.Address}/{address.PrefixLength} from device {address.LinkIndex}",
        Errno.EADDRNOTAVAIL);

    public IReadOnlyList<LinkAddress> ListAddresses() => List(
        new NetlinkMessage(RouteMessage.RTM_GETADDR, NetlinkSocket.FlagRequest | NetlinkSocket.FlagDump, AddressHeader(new LinkAddress(0, IPAddress.Any, 0))),
        RouteMessage.RTM_NEWADDR,
        "list the addresses",
        ParseAddress);

    /// <summary>Sets the route to a network, in place of another to the same network.</summary>
    public void ReplaceRoute(Route route) => socket.Request(RouteRequest(RouteMessage.RTM_NEWROUTE, ReplaceFlags, route), $"route {route.Destination}/{route.PrefixLength} over {route.Gateway} on device {route.LinkIndex}");

    /// <summary>Removes a route. Idempotent.</summary>
    public void DeleteRoute(Route route) =>
        TryRequest(RouteRequest(RouteMessage.RTM_DELROUTE, ChangeFlags, route), $"remove the route to {route.Destination}/{route.PrefixLength}", Errno.ESRCH);

    public IReadOnlyList<Route> ListRoutes() => List(
        new NetlinkMessage(RouteMessage.RTM_GETROUTE, NetlinkSocket.FlagRequest | NetlinkSocket.FlagDump, RouteHeader(IPAddress.Any, 0, 0, 0)),
        RouteMessage.RTM_NEWROUTE,
        "list the routes",
        ParseRoute);

    /// <summary>The kernel's <c>struct ifaddrmsg</c>.</summary>
    private static byte[] AddressHeader(LinkAddress address)
    {
        var header = new byte[AddressHeaderLength];
        header[0] = FamilyOf(address.Address);
        header[1] = (byte)address.PrefixLength;
        // The engine that gives out an IPv6 address knows that nobody else has it: it is good at once.
        header[2] = address.Address.AddressFamily is System.Net.Sockets.AddressFamily.InterNetworkV6 ? IFA_F_NODAD : (byte)0;
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), address.LinkIndex);
        return header;
    }

    /// <summary>The kernel's <c>struct rtmsg</c>.</summary>
    private static byte[] RouteHeader(IPAddress destination, int prefixLength, byte table, byte scope) =>
        [FamilyOf(destination), (byte)prefixLength, 0, 0, table, RTPROT_STATIC, scope, RTN_UNICAST, 0, 0, 0, 0];

    private static byte FamilyOf(IPAddress address) =>
        (byte)(address.AddressFamily is System.Net.Sockets.AddressFamily.InterNetworkV6 ? SocketConstants.AF_INET6 : SocketConstants.AF_INET);

    private static NetlinkMessage RouteRequest(ushort type, ushort flags, Route route)
    {
        var scope = route.Gateway is null ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
        var message = new NetlinkMessage(type, flags, RouteHeader(route.Destination, route.PrefixLength, RT_TABLE_MAIN, scope));
        if (route.PrefixLength > 0)
        {
            message.AddAddress(RTA_DST, route.Destination);
        }

        if (route.Gateway is { } gateway)
        {
            message.AddAddress(RTA_GATEWAY, gateway);
        }

        return message.AddUInt32(RTA_OIF, (uint)route.LinkIndex);
    }

    private static LinkAddress? ParseAddress(ReadOnlySpanReader message)
    {
        if (message.Body.Length < AddressHeaderLength || message.Body[0] != SocketConstants.AF_INET)
        {
            return null;
        }

        IPAddress? local = null;
        var attributes = message.Attributes(AddressHeaderLength);
        while (attributes.TryReadAttribute(out var type, out var value))
        {
            local = type == IFA_LOCAL && value.Length == 4 ? new IPAddress(value) : local;
        }

        return local is null ? null : new LinkAddress(BinaryPrimitives.ReadInt32LittleEndian(message.Body[4..]), local, message.Body[1]);
    }

    private static Route? ParseRoute(ReadOnlySpanReader message)
    {
        if (message.Body.Length < RouteHeaderLength || message.Body[0] != SocketConstants.AF_INET || message.Body[4] != RT_TABLE_MAIN)
        {
            return null;
        }

        var route = new Route(IPAddress.Any, message.Body[1], null, 0);
        var attributes = message.Attributes(RouteHeaderLength);
        while (attributes.TryReadAttribute(out var type, out var value))
        {
            route = type switch
            {
                RTA_DST when value.Length == 4 => route with { Destination = new IPAddress(value) },
                RTA_GATEWAY when value.Length == 4 => route with { Gateway = new IPAddress(value) },
                RTA_OIF => route with { LinkIndex = (int)NetlinkReader.UInt32(value) },
                _ => route,
            };
        }

        return route;
    }
}
