using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Godwit.Linux.Networking;

namespace Godwit.Networks.Guests;

/// <summary>An ARP packet (RFC 826) as it stood in a frame.</summary>
internal readonly record struct ArpPacket(bool IsRequest, MacAddress SenderMac, IPAddress SenderAddress, MacAddress TargetMac, IPAddress TargetAddress);

/// <summary>An ICMP echo reply (RFC 792) as it stood in a frame.</summary>
internal readonly record struct EchoReply(IPAddress Source, ushort Identifier, ushort Sequence);

/// <summary>The few kinds of Ethernet frames that we build and read ourselves.</summary>
internal static class Frames
{
    internal const int EthernetLength = 14;
    internal const int ArpLength = EthernetLength + 28;
    internal const int EchoLength = EthernetLength + Ipv4Length + IcmpLength + EchoPayload;

    private const ushort TypeIpv4 = 0x0800;
    private const ushort TypeArp = 0x0806;
    private const int Ipv4Length = 20;
    private const int IcmpLength = 8;
    private const int EchoPayload = 18; // Fills the smallest Ethernet frame.
    private const byte ProtocolIcmp = 1;
    private const byte EchoRequestType = 8;
    private const byte EchoReplyType = 0;

    /// <summary>Who has the target's address? Sent to <paramref name="destination"/>, which is all, or one that is known and to be checked.</summary>
    internal static byte[] ArpRequest(MacAddress mac, IPAddress address, IPAddress target, MacAddress destination) =>
        Arp(destination, new ArpPacket(true, mac, address, default, target));

    internal static byte[] ArpReply(MacAddress mac, IPAddress address, MacAddress targetMac, IPAddress target) =>
        Arp(targetMac, new ArpPacket(false, mac, address, targetMac, target));

    /// <summary>"This address is mine", unasked, in the form that is a request (RFC 5227 calls it an announcement).</summary>
    internal static byte[] GratuitousRequest(MacAddress mac, IPAddress address) => Arp(MacAddress.Broadcast, new ArpPacket(true, mac, address, default, address));

    /// <summary>The same in the form that is a reply: some listeners heed only one of them.</summary>
    internal static byte[] GratuitousReply(MacAddress mac, IPAddress address) => Arp(MacAddress.Broadcast, new ArpPacket(false, mac, address, MacAddress.Broadcast, address));

    internal static byte[] EchoRequest(MacAddress mac, IPAddress address, MacAddress targetMac, IPAddress target, ushort identifier, ushort sequence)
    {
        var frame = new byte[EchoLength];
        WriteEthernet(frame, targetMac, mac, TypeIpv4);
        var ip = frame.AsSpan(EthernetLength);
        ip[0] = 0x45; // Version 4, header of five words.
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], Ipv4Length + IcmpLength + EchoPayload);
        ip[8] = 64; // Time to live.
        ip[9] = ProtocolIcmp;
        address.TryWriteBytes(ip[12..], out _);
        target.TryWriteBytes(ip[16..], out _);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], Checksum(ip[..Ipv4Length]));
        var icmp = ip[Ipv4Length..];
        icmp[0] = EchoRequestType;
        BinaryPrimitives.WriteUInt16BigEndian(icmp[4..], identifier);
        BinaryPrimitives.WriteUInt16BigEndian(icmp[6..], sequence);
        BinaryPrimitives.WriteUInt16BigEndian(icmp[2..], Checksum(icmp));
        return frame;
    }

    internal static bool TryReadArp(ReadOnlySpan<byte> frame, out ArpPacket packet)
    {
        packet = default;
        if (frame.Length < ArpLength || BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != TypeArp)
        {
            return false;
        }

        var arp = frame[EthernetLength..];
        var operation = BinaryPrimitives.ReadUInt16BigEndian(arp[6..]);
        // Ethernet (1) and IPv4, addresses of 6 and 4 bytes, request (1) or reply (2).
        if (!arp[..6].SequenceEqual((ReadOnlySpan<byte>)[0, 1, 8, 0, 6, 4]) || operation is not (1 or 2))
        {
            return false;
        }

        packet = new ArpPacket(operation == 1, MacAddress.FromBytes(arp[8..14]), new IPAddress(arp[14..18]), MacAddress.FromBytes(arp[18..24]), new IPAddress(arp[24..28]));
        return true;
    }

    internal static bool TryReadEchoReply(ReadOnlySpan<byte> frame, out EchoReply reply)
    {
        reply = default;
        if (frame.Length < EthernetLength + Ipv4Length + IcmpLength || BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != TypeIpv4)
        {
            return false;
        }

        var ip = frame[EthernetLength..];
        var headerLength = (ip[0] & 0x0f) * 4;
        if (ip[0] >> 4 != 4 || headerLength < Ipv4Length || ip[9] != ProtocolIcmp || ip.Length < headerLength + IcmpLength || ip[headerLength] != EchoReplyType)
        {
            return false;
        }

        var icmp = ip[headerLength..];
        reply = new EchoReply(new IPAddress(ip[12..16]), BinaryPrimitives.ReadUInt16BigEndian(icmp[4..]), BinaryPrimitives.ReadUInt16BigEndian(icmp[6..]));
        return true;
    }

    /// <summary>The ones' complement of the ones' complement sum of 16-bit words (RFC 1071).</summary>
    internal static ushort Checksum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (var i = 0; i < bytes.Length; i += 2)
        {
            sum += (uint)(bytes[i] << 8 | (i + 1 < bytes.Length ? bytes[i + 1] : 0));
        }

        while (sum >> 16 != 0)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return (ushort)~sum;
    }

    private static byte[] Arp(MacAddress destination, ArpPacket packet)
    {
        if (packet.SenderAddress.AddressFamily is not AddressFamily.InterNetwork || packet.TargetAddress.AddressFamily is not AddressFamily.InterNetwork)
        {
            throw new ArgumentException($"ARP knows IPv4 only, not {packet.SenderAddress} and {packet.TargetAddress}", nameof(packet));
        }

        var frame = new byte[ArpLength];
        WriteEthernet(frame, destination, packet.SenderMac, TypeArp);
        var arp = frame.AsSpan(EthernetLength);
        ((ReadOnlySpan<byte>)[0, 1, 8, 0, 6, 4, 0, packet.IsRequest ? (byte)1 : (byte)2]).CopyTo(arp);
        packet.SenderMac.WriteTo(arp[8..]);
        packet.SenderAddress.TryWriteBytes(arp[14..], out _);
        packet.TargetMac.WriteTo(arp[18..]);
        packet.TargetAddress.TryWriteBytes(arp[24..], out _);
        return frame;
    }

    private static void WriteEthernet(Span<byte> frame, MacAddress destination, MacAddress source, ushort type)
    {
        destination.WriteTo(frame);
        source.WriteTo(frame[MacAddress.Length..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[12..], type);
    }
}
