using System.Buffers.Binary;
using System.Net;
using Godwit.Linux.Native;
using Godwit.Linux.Networking;
using static Godwit.Linux.Netlink.LinkAttribute;

namespace Godwit.Linux.Netlink;

public sealed partial class RouteSocket
{
    /// <summary>The longest name of a device, in bytes.</summary>
    public const int LinkNameLengthMax = 15;

    private const int LinkHeaderLength = 16;

    public IReadOnlyList<Link> ListLinks() =>
        List(new NetlinkMessage(RouteMessage.RTM_GETLINK, NetlinkSocket.FlagRequest | NetlinkSocket.FlagDump, LinkHeader(0)), RouteMessage.RTM_NEWLINK, "list the network devices", ParseLink);

    /// <summary>The device of this name, or null.</summary>
    public Link? FindLink(string name)
    {
        Link? found = null;
        var request = new NetlinkMessage(RouteMessage.RTM_GETLINK, ChangeFlags, LinkHeader(0)).AddText(IFLA_IFNAME, CheckName(name));
        try
        {
            socket.Dump(request, $"look for device {name}", () => { }, message => found = message.Type == RouteMessage.RTM_NEWLINK ? ParseLink(new ReadOnlySpanReader(message.Body)) : found);
        }
        catch (LinuxException refusal) when (refusal.Error is Errno.ENODEV)
        {
            return null;
        }

        return found;
    }

    /// <exception cref="LinuxException">There is no such device.</exception>
    public Link GetLink(string name) => FindLink(name) ?? throw new LinuxException($"find network device {name}", Errno.ENODEV);

    /// <summary>Makes a bridge without spanning tree, forward delay or multicast snooping: a port forwards from its first frame.</summary>
    /// <returns>False when a device of this name exists already.</returns>
    public bool AddBridge(string name, MacAddress mac) => AddLink(name, "bridge", mac, data => data
        .AddUInt32(IFLA_BR_FORWARD_DELAY, 0)
        .AddUInt32(IFLA_BR_STP_STATE, 0)
        .AddByte(IFLA_BR_MCAST_SNOOPING, 0));

    /// <summary>Makes a VXLAN tunnel end. Where frames of unknown addresses go is told by <see cref="AppendFlood"/>.</summary>
    /// <returns>False when a device of this name exists already.</returns>
    public bool AddVxlan(string name, VxlanSettings settings) => AddLink(name, "vxlan", null, data => data
        .AddUInt32(IFLA_VXLAN_ID, (uint)settings.NetworkId)
        .AddAddress(IFLA_VXLAN_LOCAL, settings.LocalAddress)
        .AddByte(IFLA_VXLAN_LEARNING, settings.Learning ? (byte)1 : (byte)0)
        .AddPort(IFLA_VXLAN_PORT, (ushort)settings.Port));

    /// <summary>Makes a pair of devices, each end of which receives what the other sends.</summary>
    /// <param name="name">The end in this namespace.</param>
    /// <param name="peerName">The other end.</param>
    /// <param name="peerPlace">Where the other end is made.</param>
    /// <returns>False when a device of either name exists already.</returns>
    public bool AddVethPair(string name, string peerName, NetworkNamespace peerPlace)
    {
        using var place = peerPlace.OpenDescriptor();
        var peer = CheckName(peerName);
        var placeValue = (uint)place.Value;
        return AddLink(name, "veth", null, data => data.Nest(
            VETH_INFO_PEER,
            end => end.AddText(IFLA_IFNAME, peer).AddUInt32(IFLA_NET_NS_FD, placeValue),
            LinkHeader(0)));
    }

    public void ChangeLink(int index, LinkChange change)
    {
        var flags = change.IsUp is true ? IFF_UP : 0;
        var mask = change.IsUp is null ? 0 : IFF_UP;
        var message = new NetlinkMessage(RouteMessage.RTM_NEWLINK, ChangeFlags, LinkHeader(index, flags, mask));
        Descriptor? place = null;
        try
        {
            AddTo(message, change, ref place);
            socket.Request(message, $"change network device {index} ({change})");
        }
        finally
        {
            place?.Dispose();
        }
    }

    /// <summary>Removes a device made by a program. Idempotent.</summary>
    public void DeleteLink(string name)
    {
        if (FindLink(name) is { } link)
        {
            TryRequest(new NetlinkMessage(RouteMessage.RTM_DELLINK, ChangeFlags, LinkHeader(link.Index)), $"remove network device {name}", Errno.ENODEV);
        }
    }

    private bool AddLink(string name, string kind, MacAddress? mac, Action<NetlinkMessage> data)
    {
        var message = new NetlinkMessage(RouteMessage.RTM_NEWLINK, CreateFlags, LinkHeader(0)).AddText(IFLA_IFNAME, CheckName(name));
        if (mac is { } address)
        {
            message.AddMac(IFLA_ADDRESS, address);
        }

        message.Nest(IFLA_LINKINFO, info => info.AddText(IFLA_INFO_KIND, kind).Nest(IFLA_INFO_DATA, data));
        return TryRequest(message, $"make {kind} device {name}", Errno.EEXIST);
    }

    private static void AddTo(NetlinkMessage message, LinkChange change, ref Descriptor? place)
    {
        if (change.MasterIndex is { } master)
        {
            message.AddUInt32(IFLA_MASTER, (uint)master);
        }

        if (change.SendsBack is { } back)
        {
            message.Nest(IFLA_LINKINFO, info => info.AddText(IFLA_INFO_SLAVE_KIND, "bridge").Nest(IFLA_INFO_SLAVE_DATA, data => data.AddByte(IFLA_BRPORT_MODE, back ? (byte)1 : (byte)0)));
        }

        if (change.MtuBytes is { } mtu)
        {
            message.AddUInt32(IFLA_MTU, (uint)mtu);
        }

        if (change.Mac is { } mac)
        {
            message.AddMac(IFLA_ADDRESS, mac);
        }

        if (change.NewName is { } name)
        {
            message.AddText(IFLA_IFNAME, CheckName(name));
        }

        if (change.NewPlace is { } newPlace)
        {
            place = newPlace.OpenDescriptor();
            message.AddUInt32(IFLA_NET_NS_FD, (uint)place.Value);
        }
    }

    private static string CheckName(string name) =>
        name.Length is > 0 and <= LinkNameLengthMax && name is not "." and not ".." && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-')
            ? name
            : throw new ArgumentException($"'{name}' is no name for a network device: up to {LinkNameLengthMax} letters, digits, '.', '_' and '-'", nameof(name));

    private static Link? ParseLink(ReadOnlySpanReader message)
    {
        if (message.Body.Length < LinkHeaderLength)
        {
            return null;
        }

        var link = new Link
        {
            Index = BinaryPrimitives.ReadInt32LittleEndian(message.Body[4..]),
            Name = "",
            IsUp = (BinaryPrimitives.ReadUInt32LittleEndian(message.Body[8..]) & IFF_UP) != 0,
        };
        var attributes = message.Attributes(LinkHeaderLength);
        while (attributes.TryReadAttribute(out var type, out var value))
        {
            link = type switch
            {
                IFLA_IFNAME => link with { Name = NetlinkReader.Text(value) },
                IFLA_MTU => link with { MtuBytes = (int)NetlinkReader.UInt32(value) },
                IFLA_MASTER => link with { MasterIndex = (int)NetlinkReader.UInt32(value) },
                IFLA_CARRIER => link with { HasCarrier = value is [1, ..] },
                IFLA_ADDRESS when value.Length == MacAddress.Length => link with { Mac = MacAddress.FromBytes(value) },
                IFLA_STATS64 => link with { Statistics = ParseStatistics(value) },
                IFLA_LINKINFO => ParseKind(link, value),
                _ => link,
            };
        }

        return link;
    }

    private static Link ParseKind(Link link, ReadOnlySpan<byte> info)
    {
        var reader = new NetlinkReader(info);
        while (reader.TryReadAttribute(out var type, out var value))
        {
            link = type switch
            {
                IFLA_INFO_KIND => link with { Kind = NetlinkReader.Text(value) },
                IFLA_INFO_DATA when link.Kind == "vxlan" => link with { Vxlan = ParseVxlan(value) },
                _ => link,
            };
        }

        return link;
    }

    private static VxlanSettings ParseVxlan(ReadOnlySpan<byte> data)
    {
        var settings = new VxlanSettings(0, 0, IPAddress.None, false);
        var reader = new NetlinkReader(data);
        while (reader.TryReadAttribute(out var type, out var value))
        {
            settings = type switch
            {
                IFLA_VXLAN_ID => settings with { NetworkId = (int)NetlinkReader.UInt32(value) },
                IFLA_VXLAN_LOCAL when value.Length == 4 => settings with { LocalAddress = new IPAddress(value) },
                IFLA_VXLAN_LEARNING => settings with { Learning = value is [not 0, ..] },
                IFLA_VXLAN_PORT when value.Length >= 2 => settings with { Port = BinaryPrimitives.ReadUInt16BigEndian(value) },
                _ => settings,
            };
        }

        return settings;
    }

    /// <summary>The kernel's <c>struct rtnl_link_stats64</c>: packets in and out, bytes in and out, errors, drops.</summary>
    private static LinkStatistics ParseStatistics(ReadOnlySpan<byte> value) => value.Length < 8 * sizeof(ulong)
        ? default
        : new LinkStatistics(At(value, 0), At(value, 1), At(value, 2), At(value, 3), At(value, 6), At(value, 7));

    private static ulong At(ReadOnlySpan<byte> value, int position) => NetlinkReader.UInt64(value[(position * sizeof(ulong))..]);
}
