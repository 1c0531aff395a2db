using System.Globalization;

namespace Godwit.Linux.Networking;

/// <summary>A 48-bit Ethernet address.</summary>
public readonly record struct MacAddress
{
    public const int Length = 6;

    private readonly ulong value;

    private MacAddress(ulong value) => this.value = value;

    public static MacAddress Broadcast { get; } = new(0xffff_ffff_ffff);

    /// <summary>Addresses one station rather than a group of them.</summary>
    public bool IsUnicast => (value >> 40 & 1) == 0 && value != 0;

    /// <param name="bytes">Six bytes in wire order.</param>
    public static MacAddress FromBytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Length)
        {
            throw new ArgumentException($"{bytes.Length} bytes are no MAC address", nameof(bytes));
        }

        ulong all = 0;
        foreach (var part in bytes)
        {
            all = all << 8 | part;
        }

        return new MacAddress(all);
    }

    /// <summary>Six pairs of hexadecimal digits with colons between.</summary>
    public static bool TryParse(string? text, out MacAddress address)
    {
        address = default;
        var parts = text?.Split(':');
        if (parts is not { Length: Length })
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[Length];
        for (var i = 0; i < Length; i++)
        {
            if (parts[i].Length != 2 || !byte.TryParse(parts[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bytes[i]))
            {
                return false;
            }
        }

        address = FromBytes(bytes);
        return true;
    }

    /// <exception cref="FormatException">The text is no such address.</exception>
    public static MacAddress Parse(string text) =>
        TryParse(text, out var address) ? address : throw new FormatException($"'{text}' is no MAC address: six pairs of hexadecimal digits with ':' between");

    /// <summary>Writes six bytes in wire order.</summary>
    public void WriteTo(Span<byte> destination)
    {
        for (var i = 0; i < Length; i++)
        {
            destination[i] = (byte)(value >> 8 * (Length - 1 - i));
        }
    }

    public byte[] ToBytes()
    {
        var bytes = new byte[Length];
        WriteTo(bytes);
        return bytes;
    }

    /// <summary>Lower case, colons between.</summary>
    public override string ToString() => string.Join(':', ToBytes().Select(part => part.ToString("x2", CultureInfo.InvariantCulture)));
}
