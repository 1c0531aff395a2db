using System.Globalization;

namespace Godwit.DockerApi.Serving;

/// <summary>Times as Docker writes and reads them.</summary>
internal static class Moments
{
    /// <summary>What Docker writes for a time that has not come.</summary>
    public const string Never = "0001-01-01T00:00:00Z";

    /// <summary>RFC 3339 with as many digits of the second as are not zero.</summary>
    public static string Write(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    public static string Write(DateTimeOffset? at) => at is { } time ? Write(time) : Never;

    public static long Nanoseconds(DateTimeOffset at) => (at - DateTimeOffset.UnixEpoch).Ticks * 100;

    /// <summary>Seconds since 1970 with a fraction, or RFC 3339.</summary>
    /// <exception cref="DockerException">It is neither.</exception>
    public static DateTimeOffset Parse(string name, string text)
    {
        const decimal secondsMin = -60_000_000_000; // The calendar's ends, about.
        const decimal secondsMax = 200_000_000_000;
        if (decimal.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds) && seconds is > secondsMin and < secondsMax)
        {
            return DateTimeOffset.UnixEpoch.AddTicks((long)(seconds * TimeSpan.TicksPerSecond));
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            ? at
            : throw DockerException.Invalid($"{name} takes seconds since 1970 or a time such as 2026-01-31T12:00:00Z, not '{text}'");
    }

    /// <summary>A moment, or a time ago such as <c>24h</c>, <c>1h30m</c> or <c>90s</c>.</summary>
    /// <exception cref="DockerException">It is neither.</exception>
    public static DateTimeOffset ParseAgo(string name, string text, DateTimeOffset now) => TryParseSpan(text) is { } ago ? now - ago : Parse(name, text);

    private static TimeSpan? TryParseSpan(string text)
    {
        var total = TimeSpan.Zero;
        var rest = text.AsSpan();
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExceptInRange('0', '9');
            if (digits is <= 0 or > 9)
            {
                return null;
            }

            var unit = rest[digits..].StartsWith("ms") ? "ms" : rest.Slice(digits, 1).ToString();
            var factor = unit switch { "h" => TimeSpan.TicksPerHour, "m" => TimeSpan.TicksPerMinute, "s" => TimeSpan.TicksPerSecond, "ms" => TimeSpan.TicksPerMillisecond, _ => 0 };
            if (factor == 0)
            {
                return null;
            }

            total += TimeSpan.FromTicks(factor * int.Parse(rest[..digits], CultureInfo.InvariantCulture));
            rest = rest[(digits + unit.Length)..];
        }

        return text.Length == 0 ? null : total;
    }
}
