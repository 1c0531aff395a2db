using System.Globalization;

namespace Godwit.Api.Machinery;

/// <summary>Durations as <c>kubectl</c> prints ages: two units at most, the smaller one only while it matters.</summary>
public static class HumanDuration
{
    public const string Unknown = "<unknown>";

    public static string Since(string? time, DateTimeOffset now) =>
        time is not null && Rfc3339.TryParse(time, out var then) ? Format(now - then) : Unknown;

    public static string Format(TimeSpan duration)
    {
        var seconds = (long)Math.Floor(duration.TotalSeconds);
        // A clock that is a little ahead is no reason to worry anybody.
        if (seconds < -1)
        {
            return "<invalid>";
        }

        seconds = Math.Max(seconds, 0);
        var (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
        var years = days / 365;
        return seconds < 120 ? Text(seconds, "s")
            : minutes < 10 ? Text(minutes, "m", seconds % 60, "s")
            : minutes < 180 ? Text(minutes, "m")
            : hours < 8 ? Text(hours, "h", minutes % 60, "m")
            : hours < 48 ? Text(hours, "h")
            : days < 8 ? Text(days, "d", hours % 24, "h")
            : years < 2 ? Text(days, "d")
            : years < 8 ? Text(years, "y", days % 365, "d")
            : Text(years, "y");
    }

    private static string Text(long large, string largeUnit, long small = 0, string smallUnit = "") =>
        small == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{large}{largeUnit}")
            : string.Create(CultureInfo.InvariantCulture, $"{large}{largeUnit}{small}{smallUnit}");
}
