using System.Buffers.Binary;
using System.Net;
using System.Text;
using Godwit.Linux.Networking;

namespace Godwit.Linux.Netlink;

/// <summary>
/// One netlink request being built: header, fixed part, then attributes, each padded to four bytes (netlink(7)). Numbers are in the
/// host's order, which is little-endian on every machine Godwit runs on, unless the method says otherwise.
/// </summary>
internal sealed class NetlinkMessage
{
    internal const int HeaderLength = 16;
    internal const int AttributeHeaderLength = 4;

    private byte[] bytes = new byte[256];
    private int length = HeaderLength;

    internal NetlinkMessage(ushort type, ushort flags, ReadOnlySpan<byte> fixedPart)
    {
        Type = type;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(4), type);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(6), flags);
        Append(fixedPart);
    }

    internal ushort Type { get; }

    internal static int Align(int count) => (count + 3) & ~3;

    internal NetlinkMessage Add(ushort attribute, ReadOnlySpan<byte> value)
    {
        Span<byte> header = stackalloc byte[AttributeHeaderLength];
        BinaryPrimitives.WriteUInt16LittleEndian(header, checked((ushort)(AttributeHeaderLength + value.Length)));
        BinaryPrimitives.WriteUInt16LittleEndian(header[2..], attribute);
        Append(header);
        Append(value);
        return this;
    }

    internal NetlinkMessage AddByte(ushort attribute, byte value) => Add(attribute, [value]);

    internal NetlinkMessage AddUInt32(ushort attribute, uint value)
    {
        Span<byte> buffer = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(buffer, value);
        return Add(attribute, buffer);
    }

    internal NetlinkMessage AddUInt64(ushort attribute, ulong value)
    {
        Span<byte> buffer = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(buffer, value);
        return Add(attribute, buffer);
    }

    /// <summary>A number in network order: ports.</summary>
    internal NetlinkMessage AddPort(ushort attribute, ushort value)
    {
        Span<byte> buffer = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(buffer, value);
        return Add(attribute, buffer);
    }

    internal NetlinkMessage AddText(ushort attribute, string value) => Add(attribute, Encoding.UTF8.GetBytes(value + "\0"));

    internal NetlinkMessage AddMac(ushort attribute, MacAddress value) => Add(attribute, value.ToBytes());

    internal NetlinkMessage AddAddress(ushort attribute, IPAddress value) => Add(attribute, value.GetAddressBytes());

    /// <summary>An attribute that holds what <paramref name="contents"/> adds.</summary>
    internal NetlinkMessage Nest(ushort attribute, Action<NetlinkMessage> contents, ReadOnlySpan<byte> fixedPart = default)
    {
        var start = length;
        Add(attribute, fixedPart);
        contents(this);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(start), checked((ushort)(length - start)));
        return this;
    }

    /// <summary>The finished message.</summary>
    internal ReadOnlySpan<byte> Finish(uint sequence)
    {
        BinaryPrimitives.WriteInt32LittleEndian(bytes, length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), sequence);
        return bytes.AsSpan(0, length);
    }

    private void Append(ReadOnlySpan<byte> part)
    {
        var after = length + Align(part.Length);
        if (after > bytes.Length)
        {
            Array.Resize(ref bytes, Math.Max(after, bytes.Length * 2));
        }

        part.CopyTo(bytes.AsSpan(length));
        length = after;
    }
}
