using System.Globalization;

namespace Godwit.Builder.Dockerfiles;

/// <summary>Durations as Go writes them: <c>1h2m3.5s</c>, <c>500ms</c>.</summary>
public static class GoDuration
{
    private static readonly System.Buffers.SearchValues<char> NumberCharacters = System.Buffers.SearchValues.Create("0123456789.");
    private static readonly (string Unit, decimal Nanoseconds)[] Units = [("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];

    /// <summary>Null where the text is no duration, a negative one, or one beyond 292 years.</summary>
    public static long? ParseNanoseconds(string text)
    {
        if (text == "0")
        {
            return 0;
        }

        decimal sum = 0;
        var rest = text.AsSpan();
        if (rest.IsEmpty || rest.Length > 64)
        {
            return null;
        }

        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept(NumberCharacters);
            if (digits <= 0 || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                return null;
            }

            rest = rest[digits..];
            var end = rest.IndexOfAny(NumberCharacters);
            var unit = end < 0 ? rest : rest[..end];
            var scale = 0m;
            foreach (var (name, nanoseconds) in Units)
            {
                scale = unit.SequenceEqual(name) ? nanoseconds : scale;
            }

            if (scale == 0 || number > long.MaxValue / scale || (sum += number * scale) > long.MaxValue)
            {
                return null;
            }

            rest = rest[unit.Length..];
        }

        return (long)sum;
    }
}
