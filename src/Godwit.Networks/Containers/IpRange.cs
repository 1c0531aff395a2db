using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Godwit.Networks.Containers;

/// <summary>A range of addresses of either family, as arithmetic on their bits.</summary>
internal readonly record struct IpRange
{
    private IpRange(AddressFamily family, UInt128 first, int prefixLength)
    {
        Family = family;
        First = first;
        PrefixLength = prefixLength;
    }

    internal AddressFamily Family { get; }

    internal UInt128 First { get; }

    internal int PrefixLength { get; }

    internal UInt128 Last => First | HostMask(Bits(Family), PrefixLength);

    /// <exception cref="FormatException">It is no range.</exception>
    internal static IpRange Parse(string text) => TryParse(text, out var range) ? range : throw new FormatException($"'{text}' is no range of addresses: the form is 172.20.0.0/16 or fd00::/64");

    /// <summary>Host bits in the text are dropped.</summary>
    internal static bool TryParse(string? text, out IpRange range)
    {
        range = default;
        if (text?.Split('/') is not [var address, var length] || !IPAddress.TryParse(address, out var parsed)
            || !int.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out var prefix) || prefix > Bits(parsed.AddressFamily))
        {
            return false;
        }

        range = new IpRange(parsed.AddressFamily, ToBits(parsed) & ~HostMask(Bits(parsed.AddressFamily), prefix), prefix);
        return true;
    }

    internal static IpRange Of(IPAddress address, int prefixLength) =>
        new(address.AddressFamily, ToBits(address) & ~HostMask(Bits(address.AddressFamily), prefixLength), prefixLength);

    internal bool Contains(IPAddress address) => address.AddressFamily == Family && ToBits(address) is var bits && bits >= First && bits <= Last;

    internal bool Overlaps(IpRange other) => Family == other.Family && First <= other.Last && other.First <= Last;

    /// <summary>The ranges of that length inside, in order, at most <paramref name="most"/>.</summary>
    internal IEnumerable<IpRange> Split(int prefixLength, int most)
    {
        var step = HostMask(Bits(Family), prefixLength) + 1;
        var (next, last) = (First, Last);
        for (var i = 0; i < most && next <= last; i++, next += step)
        {
            yield return new IpRange(Family, next, prefixLength);
            if (next + step < next)
            {
                yield break; // Past the end of all addresses.
            }
        }
    }

    internal IPAddress At(UInt128 offset) => ToAddress(Family, First + offset);

    internal UInt128 OffsetOf(IPAddress address) => ToBits(address) - First;

    /// <summary>Addresses in it, the first and (IPv4) last one counted.</summary>
    internal UInt128 Count => Last - First + 1;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{ToAddress(Family, First)}/{PrefixLength}");

    private static int Bits(AddressFamily family) => family is AddressFamily.InterNetworkV6 ? 128 : 32;

    private static UInt128 HostMask(int bits, int prefixLength) => prefixLength == 0 && bits == 128 ? UInt128.MaxValue : (UInt128.One << (bits - prefixLength)) - 1;

    private static UInt128 ToBits(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        return address.TryWriteBytes(bytes, out var count) && count == 16 ? BinaryPrimitives.ReadUInt128BigEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    private static IPAddress ToAddress(AddressFamily family, UInt128 bits)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, bits);
        return new IPAddress(family is AddressFamily.InterNetworkV6 ? bytes : bytes[12..]);
    }
}
