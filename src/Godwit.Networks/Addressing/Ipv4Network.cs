using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Godwit.Networks.Addressing;

/// <summary>An IPv4 network in CIDR form, with arithmetic on its addresses. The first address names the network, the last one is its broadcast.</summary>
public readonly record struct Ipv4Network
{
    private readonly uint first;

    private Ipv4Network(uint first, int prefixLength)
    {
        this.first = first;
        PrefixLength = prefixLength;
    }

    public int PrefixLength { get; }

    public IPAddress Address => ToAddress(first);

    public IPAddress Mask => ToAddress(MaskBits(PrefixLength));

    public IPAddress Broadcast => ToAddress(Last);

    /// <summary>The first address that a station may have.</summary>
    public IPAddress FirstUsable => ToAddress(first + 1);

    /// <summary>The last address that a station may have.</summary>
    public IPAddress LastUsable => ToAddress(Last - 1);

    /// <summary>How many stations it has room for.</summary>
    public uint UsableCount => Last - first - 1;

    private uint Last => first | ~MaskBits(PrefixLength);

    /// <summary>Reads <c>10.0.0.0/16</c>: prefix length 1 to 30, no bits set beyond it.</summary>
    public static bool TryParse(string? text, out Ipv4Network network)
    {
        network = default;
        if (text?.Split('/') is not [var address, var length]
            || !TryParseAddress(address, out var bits)
            || !int.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out var prefix)
            || prefix is < 1 or > 30
            || (bits & ~MaskBits(prefix)) != 0)
        {
            return false;
        }

        network = new Ipv4Network(bits, prefix);
        return true;
    }

    /// <exception cref="FormatException">The text is no such network.</exception>
    public static Ipv4Network Parse(string text) => TryParse(text, out var network)
        ? network
        : throw new FormatException($"'{text}' is no IPv4 network: four numbers, '/', and a prefix length from 1 to 30, with no bits set beyond it, as in 10.0.0.0/16");

    public bool Contains(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork && ToBits(address) is var bits && bits >= first && bits <= Last;

    /// <summary>Whether a station in it may have this address.</summary>
    public bool IsUsable(IPAddress address) => Contains(address) && ToBits(address) is var bits && bits != first && bits != Last;

    /// <summary>The address of a station by its number, from 0 to <see cref="UsableCount"/> - 1.</summary>
    public IPAddress UsableAt(uint number)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, UsableCount);
        return ToAddress(first + 1 + number);
    }

    /// <summary>The number of a station by its address, the inverse of <see cref="UsableAt"/>.</summary>
    public uint NumberOf(IPAddress address) =>
        IsUsable(address) ? ToBits(address) - first - 1 : throw new ArgumentException($"{address} is no station's address in {this}", nameof(address));

    /// <summary>The lowest usable address that is not taken, or null when all are.</summary>
    public IPAddress? FirstFree(IReadOnlySet<IPAddress> taken)
    {
        for (uint number = 0; number < UsableCount && number <= (uint)taken.Count; number++)
        {
            if (UsableAt(number) is var address && !taken.Contains(address))
            {
                return address;
            }
        }

        return null;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address}/{PrefixLength}");

    /// <summary>Four decimal numbers and nothing else: the short and octal forms that the platform reads are surprises in a configuration.</summary>
    private static bool TryParseAddress(string text, out uint bits)
    {
        bits = 0;
        var known = IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetwork && address.ToString() == text;
        bits = known ? ToBits(address!) : 0;
        return known;
    }

    private static uint MaskBits(int prefixLength) => prefixLength == 0 ? 0 : uint.MaxValue << (32 - prefixLength);

    private static uint ToBits(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[4];
        address.TryWriteBytes(bytes, out _);
        return BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    private static IPAddress ToAddress(uint bits)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, bits);
        return new IPAddress(bytes);
    }
}
