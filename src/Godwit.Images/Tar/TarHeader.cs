using System.Buffers.Binary;

namespace Godwit.Images.Tar;

/// <summary>The fields of one header block. Offsets and lengths are those of POSIX ustar.</summary>
internal readonly ref struct TarHeader
{
    private readonly ReadOnlySpan<byte> block;

    /// <exception cref="ImageException">Its checksum is wrong: this is no header.</exception>
    public TarHeader(ReadOnlySpan<byte> block)
    {
        this.block = block;
        if (Checksum(block) != Number(148, 8, "checksum") && SignedChecksum(block) != Number(148, 8, "checksum"))
        {
            throw TarReader.Corrupt("a header's checksum is wrong; it is no tar, or a damaged one");
        }
    }

    public char Type => (char)block[156];

    public uint Mode => (uint)(Number(100, 8, "mode") & 0xfff);

    public uint UserId => Id(108, "user");

    public uint GroupId => Id(116, "group");

    public long SizeBytes => Number(124, 12, "size") is >= 0 and var size ? size : throw TarReader.Corrupt("a member has a negative size");

    public long ModifiedSeconds => Number(136, 12, "time");

    public byte[] LinkTarget => Text(157, 100).ToArray();

    public uint DeviceMajor => Id(329, "device");

    public uint DeviceMinor => Id(337, "device");

    /// <summary>GNU's own form uses the place of the prefix for other things.</summary>
    public byte[] Name
    {
        get
        {
            var name = Text(0, 100);
            var prefix = block[257..263].SequenceEqual("ustar\0"u8) ? Text(345, 155) : default;
            return prefix.IsEmpty ? name.ToArray() : [.. prefix, (byte)'/', .. name];
        }
    }

    /// <summary>The sum of all bytes, those of the checksum's own field taken as blanks.</summary>
    internal static long Checksum(ReadOnlySpan<byte> block)
    {
        long sum = 8 * ' ';
        for (var at = 0; at < block.Length; at++)
        {
            sum += at is >= 148 and < 156 ? 0 : block[at];
        }

        return sum;
    }

    /// <summary>An octal number between blanks and zeroes, or, with the highest bit set, a big-endian one.</summary>
    internal static long Number(ReadOnlySpan<byte> field, string what)
    {
        if ((field[0] & 0x80) != 0)
        {
            return BinaryNumber(field, what);
        }

        var digits = field.Trim(" \0"u8);
        long number = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'7')
            {
                throw TarReader.Corrupt($"a member's {what} is no number");
            }

            number = (number << 3) | (uint)(digit - '0'); // Twelve digits have 36 bits.
        }

        return number;
    }

    private static long SignedChecksum(ReadOnlySpan<byte> block)
    {
        long sum = 8 * ' ';
        for (var at = 0; at < block.Length; at++)
        {
            sum += at is >= 148 and < 156 ? 0 : (sbyte)block[at];
        }

        return sum;
    }

    private static long BinaryNumber(ReadOnlySpan<byte> field, string what)
    {
        // The highest bit is the mark; the next one is the sign.
        var negative = (field[0] & 0x40) != 0;
        var filler = negative ? 0xff : 0x00;
        var value = field[^8..];
        var high = field[..^8];
        for (var at = 0; at < high.Length; at++)
        {
            var expected = at == 0 ? 0x80 | (filler & 0x7f) : filler;
            if (high[at] != expected)
            {
                throw TarReader.Corrupt($"a member's {what} is out of range");
            }
        }

        var number = BinaryPrimitives.ReadInt64BigEndian(value);
        return high.IsEmpty
            ? negative ? number : number & long.MaxValue
            : number < 0 == negative ? number : throw TarReader.Corrupt($"a member's {what} is out of range");
    }

    private uint Id(int offset, string what) =>
        Number(offset, 8, what) is >= 0 and < uint.MaxValue and var id ? (uint)id : throw TarReader.Corrupt($"a member's {what} id is out of range");

    private long Number(int offset, int length, string what) => Number(block.Slice(offset, length), what);

    private ReadOnlySpan<byte> Text(int offset, int length)
    {
        var field = block.Slice(offset, length);
        var end = field.IndexOf((byte)0);
        return end < 0 ? field : field[..end];
    }
}
