using System.Buffers.Binary;
using System.Text;

namespace Godwit.Linux.Netlink;

/// <summary>One message as it came: its type, flags, sequence and what follows the header.</summary>
internal readonly ref struct ReceivedMessage
{
    internal required ushort Type { get; init; }

    internal required ushort Flags { get; init; }

    internal required uint Sequence { get; init; }

    internal required ReadOnlySpan<byte> Body { get; init; }
}

/// <summary>Takes messages and attributes out of bytes; a length that does not fit ends the reading, it never reads past the end.</summary>
internal ref struct NetlinkReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> rest = bytes;

    internal bool TryReadMessage(out ReceivedMessage message)
    {
        message = default;
        if (rest.Length < NetlinkMessage.HeaderLength)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt32LittleEndian(rest);
        if (length < NetlinkMessage.HeaderLength || length > rest.Length)
        {
            return false;
        }

        message = new ReceivedMessage
        {
            Type = BinaryPrimitives.ReadUInt16LittleEndian(rest[4..]),
            Flags = BinaryPrimitives.ReadUInt16LittleEndian(rest[6..]),
            Sequence = BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]),
            Body = rest[NetlinkMessage.HeaderLength..(int)length],
        };
        Advance((int)length);
        return true;
    }

    internal bool TryReadAttribute(out ushort type, out ReadOnlySpan<byte> value)
    {
        type = 0;
        value = default;
        if (rest.Length < NetlinkMessage.AttributeHeaderLength)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt16LittleEndian(rest);
        if (length < NetlinkMessage.AttributeHeaderLength || length > rest.Length)
        {
            return false;
        }

        type = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]) & 0x3fff); // The top bits only mark nesting and byte order.
        value = rest[NetlinkMessage.AttributeHeaderLength..length];
        Advance(length);
        return true;
    }

    internal static string Text(ReadOnlySpan<byte> value) => Encoding.UTF8.GetString(value.TrimEnd((byte)0));

    internal static uint UInt32(ReadOnlySpan<byte> value) => value.Length >= sizeof(uint) ? BinaryPrimitives.ReadUInt32LittleEndian(value) : 0;

    internal static ulong UInt64(ReadOnlySpan<byte> value) => value.Length >= sizeof(ulong) ? BinaryPrimitives.ReadUInt64LittleEndian(value) : 0;

    private void Advance(int length)
    {
        var aligned = NetlinkMessage.Align(length);
        rest = aligned >= rest.Length ? [] : rest[aligned..];
    }
}
