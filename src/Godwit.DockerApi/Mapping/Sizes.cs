using System.Buffers;
using System.Globalization;
using Godwit.DockerApi.Serving;

namespace Godwit.DockerApi.Mapping;

/// <summary>Sizes as people write them in Docker's options: <c>10m</c>, <c>1g</c>, <c>512kb</c>, <c>2GiB</c>; the units are powers of 1024.</summary>
internal static class Sizes
{
    private const string Units = "kmgtp";
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    /// <exception cref="DockerException">It is none.</exception>
    public static long Parse(string name, string text)
    {
        var plain = text.Trim().ToLowerInvariant();
        var end = plain.AsSpan().IndexOfAnyExcept(Digits);
        var number = end < 0 ? plain : plain[..end];
        var unit = end < 0 ? "" : plain[end..].Trim();
        var power = unit is "" or "b" ? 0 : Units.IndexOf(unit[0], StringComparison.Ordinal) + 1;
        if ((unit.Length > 0 && unit[1..] is not ("" or "b" or "ib")) || (power == 0 && unit is not ("" or "b"))
            || !decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value))
        {
            throw DockerException.Invalid($"invalid size for {name}: '{text}'");
        }

        var scaled = value;
        for (var step = 0; step < power && scaled <= long.MaxValue; step++)
        {
            scaled *= 1024;
        }

        return scaled <= long.MaxValue ? (long)scaled : throw DockerException.Invalid($"invalid size for {name}: '{text}' is too large");
    }
}
