using System.Globalization;

namespace Godwit.Networks.Labs;

/// <summary>How much a link carries in each direction, in bits per second; <see cref="Unlimited"/> does not shape at all.</summary>
public readonly record struct LinkRate(long BitsPerSecond)
{
    public const long BitsPerSecondMin = 64_000;
    public const long BitsPerSecondMax = 100_000_000_000;

    private static readonly (string Unit, long Factor)[] Units = [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000)];

    public static LinkRate Unlimited { get; }

    public bool IsUnlimited => BitsPerSecond == 0;

    public long BytesPerSecond => BitsPerSecond / 8;

    /// <summary>Reads <c>none</c>, or a number with <c>kbit</c>, <c>mbit</c> or <c>gbit</c> (decimal, as network people count).</summary>
    public static bool TryParse(string? text, out LinkRate rate)
    {
        rate = Unlimited;
        if (text is "none")
        {
            return true;
        }

        foreach (var (unit, factor) in Units)
        {
            if (text is null || !text.EndsWith(unit, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            if (decimal.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
                && number * factor is >= BitsPerSecondMin and <= BitsPerSecondMax)
            {
                rate = new LinkRate((long)(number * factor));
                return true;
            }
        }

        return false;
    }

    /// <summary>The shortest text that <see cref="TryParse"/> reads back as this rate.</summary>
    public override string ToString()
    {
        var bits = BitsPerSecond;
        if (bits == 0)
        {
            return "none";
        }

        var (unit, factor) = Units.FirstOrDefault(entry => bits % entry.Factor == 0, Units[^1]);
        return string.Create(CultureInfo.InvariantCulture, $"{(decimal)bits / factor}{unit}");
    }
}
