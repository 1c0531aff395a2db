using System.Globalization;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Machinery;

namespace Godwit.Cli.Output;

/// <summary>Numbers as people read them: three figures and a unit.</summary>
internal static class Human
{
    public const string Unknown = "-";

    private static readonly string[] ByteUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    public static string Bytes(long? bytes) => bytes is { } known ? Bytes(known) : Unknown;

    public static string Bytes(long bytes)
    {
        var (value, unit) = Scale(bytes);
        return $"{Figures(value)} {unit}";
    }

    public static string Rate(long? bytesPerSecond) => bytesPerSecond is { } known ? $"{Bytes(known)}/s" : Unknown;

    public static string Milliseconds(long? milliseconds) => milliseconds is { } known ? Milliseconds((double)known) : Unknown;

    public static string Milliseconds(double? milliseconds) => milliseconds switch
    {
        null => Unknown,
        < 999.5 => $"{Figures(milliseconds.Value)} ms",
        < 119_500 => $"{Figures(milliseconds.Value / 1000)} s",
        < 7_200_000 => $"{Figures(milliseconds.Value / 60_000)} min",
        _ => $"{Figures(milliseconds.Value / 3_600_000)} h",
    };

    /// <summary>Both ends in one unit: <c>1.2–1.9 s</c>.</summary>
    public static string Milliseconds(ForecastRange? range) => Range(range, bound => Milliseconds((double?)bound));

    public static string Bytes(ForecastRange? range) => Range(range, Bytes);

    public static string Percent(double? share) =>
        share is { } known ? string.Create(CultureInfo.InvariantCulture, $"{Math.Round(known * 100):0} %") : Unknown;

    public static string Number(long? number) => number?.ToString(CultureInfo.InvariantCulture) ?? Unknown;

    /// <summary>How long ago, as kubectl prints ages.</summary>
    public static string Age(DateTimeOffset? since, DateTimeOffset now) => since is { } then ? HumanDuration.Format(now - then) : Unknown;

    private static string Range(ForecastRange? range, Func<long, string> print)
    {
        if (range is null)
        {
            return Unknown;
        }

        var (low, high) = (print(range.Low), print(range.High));
        var (lowUnit, highUnit) = (low[low.IndexOf(' ', StringComparison.Ordinal)..], high[high.IndexOf(' ', StringComparison.Ordinal)..]);
        return low == high ? low : lowUnit == highUnit ? $"{low[..^lowUnit.Length]}–{high}" : $"{low} – {high}";
    }

    private static (double Value, string Unit) Scale(long bytes)
    {
        var value = (double)bytes;
        var unit = 0;
        while (Math.Abs(value) >= 999.5 && unit < ByteUnits.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return (value, ByteUnits[unit]);
    }

    private static string Figures(double value) =>
        value.ToString(Math.Abs(value) switch { < 9.995 => "0.##", < 99.95 => "0.#", _ => "0" }, CultureInfo.InvariantCulture);
}
