using System.Buffers.Binary;
using System.Net;
using Godwit.Linux.Native;
using Godwit.Linux.Networking;
using static Godwit.Linux.Netlink.NeighbourAttribute;

namespace Godwit.Linux.Netlink;

/// <summary>Where a bridge port or tunnel end sends frames for a MAC address.</summary>
/// <param name="LinkIndex">The device that the entry belongs to.</param>
/// <param name="Mac">All zero in a tunnel: everything that no other entry names (flooding).</param>
/// <param name="Remote">The other tunnel end; null for a bridge port's entry.</param>
/// <param name="IsStatic">Stays until removed and is not moved by learning.</param>
public sealed record ForwardingEntry(int LinkIndex, MacAddress Mac, IPAddress? Remote, bool IsStatic);

public sealed partial class RouteSocket
{
    private const int NeighbourHeaderLength = 12;

    public IReadOnlyList<ForwardingEntry> ListForwarding() => List(
        new NetlinkMessage(RouteMessage.RTM_GETNEIGH, NetlinkSocket.FlagRequest | NetlinkSocket.FlagDump, LinkHeader(0, family: SocketConstants.AF_BRIDGE)),
        RouteMessage.RTM_NEWNEIGH,
        "list the forwarding entries",
        ParseForwarding);

    /// <summary>Adds another end to those that a tunnel floods to; nothing happens when it is one of them.</summary>
    public void AppendFlood(int vxlanIndex, IPAddress remote) => TryRequest(
        Forwarding(RouteMessage.RTM_NEWNEIGH, ChangeFlags | NetlinkSocket.FlagCreate | NetlinkSocket.FlagAppend, NTF_SELF, new ForwardingEntry(vxlanIndex, default, remote, IsStatic: true)),
        $"flood to {remote} from device {vxlanIndex}",
        Errno.EEXIST);

    public void DeleteFlood(int vxlanIndex, IPAddress remote) => TryRequest(
        Forwarding(RouteMessage.RTM_DELNEIGH, ChangeFlags, NTF_SELF, new ForwardingEntry(vxlanIndex, default, remote, IsStatic: true)),
        $"stop flooding to {remote} from device {vxlanIndex}",
        Errno.ENOENT);

    /// <summary>Tells a tunnel which end a MAC address is behind, as if it had just heard from it: it ages, and moves when heard from elsewhere.</summary>
    public void SetRemote(int vxlanIndex, MacAddress mac, IPAddress remote) => socket.Request(
        Forwarding(RouteMessage.RTM_NEWNEIGH, ReplaceFlags, NTF_SELF, new ForwardingEntry(vxlanIndex, mac, remote, IsStatic: false)),
        $"send {mac} to {remote} from device {vxlanIndex}");

    /// <summary>Tells the bridge of this port that a MAC address is behind it, as if it had just heard from it.</summary>
    /// <returns>False when the port does not forward yet: nothing is open behind it.</returns>
    public bool TrySetPort(int portIndex, MacAddress mac) => TryRequest(
        Forwarding(RouteMessage.RTM_NEWNEIGH, ReplaceFlags, NTF_MASTER, new ForwardingEntry(portIndex, mac, null, IsStatic: false)),
        $"put {mac} behind port {portIndex}",
        Errno.EPERM);

    /// <summary>Makes a tunnel end forget where a MAC address is. Idempotent.</summary>
    public void DeleteRemote(int vxlanIndex, MacAddress mac) => TryRequest(
        Forwarding(RouteMessage.RTM_DELNEIGH, ChangeFlags, NTF_SELF, new ForwardingEntry(vxlanIndex, mac, null, IsStatic: false)),
        $"forget {mac} on device {vxlanIndex}",
        Errno.ENOENT);

    private static NetlinkMessage Forwarding(ushort type, ushort flags, byte target, ForwardingEntry entry)
    {
        var state = entry.IsStatic ? (ushort)(NUD_NOARP | NUD_PERMANENT) : NUD_REACHABLE;
        var message = new NetlinkMessage(type, flags, NeighbourHeader(entry.LinkIndex, state, target)).AddMac(NDA_LLADDR, entry.Mac);
        return entry.Remote is { } remote ? message.AddAddress(NDA_DST, remote) : message;
    }

    /// <summary>The kernel's <c>struct ndmsg</c>.</summary>
    private static byte[] NeighbourHeader(int linkIndex, ushort state, byte flags)
    {
        var header = new byte[NeighbourHeaderLength];
        header[0] = SocketConstants.AF_BRIDGE;
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), linkIndex);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), state);
        header[10] = flags;
        return header;
    }

    private static ForwardingEntry? ParseForwarding(ReadOnlySpanReader message)
    {
        if (message.Body.Length < NeighbourHeaderLength || message.Body[0] != SocketConstants.AF_BRIDGE)
        {
            return null;
        }

        var state = BinaryPrimitives.ReadUInt16LittleEndian(message.Body[8..]);
        var entry = new ForwardingEntry(BinaryPrimitives.ReadInt32LittleEndian(message.Body[4..]), default, null, (state & (NUD_PERMANENT | NUD_NOARP)) != 0);
        var attributes = message.Attributes(NeighbourHeaderLength);
        while (attributes.TryReadAttribute(out var type, out var value))
        {
            entry = type switch
            {
                NDA_LLADDR when value.Length == MacAddress.Length => entry with { Mac = MacAddress.FromBytes(value) },
                NDA_DST when value.Length == 4 => entry with { Remote = new IPAddress(value) },
                _ => entry,
            };
        }

        return entry;
    }
}
