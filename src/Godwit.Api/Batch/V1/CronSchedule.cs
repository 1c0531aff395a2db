using System.Globalization;
using System.Numerics;

namespace Godwit.Api.Batch.V1;

/// <summary>
/// Times that come again: five fields (minute, hour, day of the month, month, day of the week) of numbers, names, ranges, lists, steps and <c>*</c>, or one of
/// <c>@hourly</c>, <c>@daily</c>, <c>@midnight</c>, <c>@weekly</c>, <c>@monthly</c>, <c>@yearly</c>, <c>@annually</c>. When both days are said, either will do. Source: crontab(5).
/// </summary>
public sealed class CronSchedule
{
    private const int FieldsMax = 5;

    // In four years each date comes that can come, but for the 29th of February before a century; then it is eight.
    private const int DaysAheadMax = (8 * 366) + 1;

    private static readonly string[] Months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    private static readonly string[] Weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

    private readonly ulong minutes;
    private readonly ulong hours;
    private readonly ulong days;
    private readonly ulong months;
    private readonly ulong weekdays;
    private readonly bool eitherDay;
    private readonly bool everyHour;

    private CronSchedule(string[] fields)
    {
        (minutes, hours, days, months, weekdays) = (Read(fields[0], 0, 59, []), Read(fields[1], 0, 23, []), Read(fields[2], 1, 31, []), Read(fields[3], 1, 12, Months), Read(fields[4], 0, 7, Weekdays));
        weekdays |= (weekdays >> 7) & 1; // Sunday is 7 too.
        everyHour = fields[1][0] == '*';
        eitherDay = fields[2][0] is not ('*' or '?') && fields[4][0] is not ('*' or '?');
    }

    /// <exception cref="FormatException">The text is no schedule; says what of it.</exception>
    public static CronSchedule Parse(string text)
    {
        var fields = Spelt(text.Trim()).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return fields.Length == FieldsMax ? new CronSchedule(fields) : throw new FormatException($"expected {FieldsMax} fields, found {fields.Length}");
    }

    /// <summary>
    /// The next time after one, or null when it never comes (the 30th of February). What a clock jumps over (summer time) comes at the end of the jump. An hour that comes
    /// twice counts twice for a schedule of every hour (<c>*</c>), and once, the first time, for any other. Source: cron(8), of changes of the clock.
    /// </summary>
    /// <param name="after">The time; the answer is later.</param>
    /// <param name="zone">In whose hours the schedule speaks.</param>
    public DateTimeOffset? NextAfter(DateTimeOffset after, TimeZoneInfo zone)
    {
        var local = TimeZoneInfo.ConvertTime(after, zone).DateTime;
        for (var day = 0; day < DaysAheadMax; day++)
        {
            var date = local.Date.AddDays(day);
            if (!Fits(date))
            {
                continue;
            }

            if (zone.IsAmbiguousTime(date) || zone.GetUtcOffset(date) > zone.GetUtcOffset(date.AddDays(1)))
            {
                if (TimesOf(date, 0).SelectMany(time => Repeated(time, zone)).Where(time => time > after).Order().Cast<DateTimeOffset?>().FirstOrDefault() is { } repeated)
                {
                    return repeated;
                }

                continue;
            }

            foreach (var time in TimesOf(date, day == 0 ? local.Hour * 60 + local.Minute : 0))
            {
                if (InZone(time, zone) is var found && found > after)
                {
                    return found;
                }
            }
        }

        return null;
    }

    /// <summary>The times of a day that fits, as its clock shows them.</summary>
    private IEnumerable<DateTime> TimesOf(DateTime date, int firstMinute)
    {
        for (var minute = firstMinute; minute < 24 * 60; minute++)
        {
            if (Has(hours, minute / 60) && Has(minutes, minute % 60))
            {
                yield return date.AddMinutes(minute);
            }
        }
    }

    /// <summary>When a clock that goes back on that day shows this time and the schedule means it.</summary>
    private IEnumerable<DateTimeOffset> Repeated(DateTime local, TimeZoneInfo zone)
    {
        if (!zone.IsAmbiguousTime(local))
        {
            return [InZone(local, zone)];
        }

        var times = zone.GetAmbiguousTimeOffsets(local).Select(offset => new DateTimeOffset(local, offset).ToUniversalTime()).Order();
        return everyHour ? times : times.Take(1);
    }

    private static DateTimeOffset InZone(DateTime local, TimeZoneInfo zone)
    {
        while (zone.IsInvalidTime(local))
        {
            local = local.AddMinutes(1);
        }

        return new DateTimeOffset(local, zone.GetUtcOffset(local)).ToUniversalTime();
    }

    private bool Fits(DateTime date)
    {
        var (ofMonth, ofWeek) = (Has(days, date.Day), Has(weekdays, (int)date.DayOfWeek));
        return Has(months, date.Month) && (eitherDay ? ofMonth || ofWeek : ofMonth && ofWeek);
    }

    private static bool Has(ulong set, int value) => ((set >> value) & 1) == 1;

    private static string Spelt(string text) => text switch
    {
        "@hourly" => "0 * * * *",
        "@daily" or "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" or "@annually" => "0 0 1 1 *",
        _ => text,
    };

    private static ulong Read(string field, int min, int max, string[] names)
    {
        var set = 0UL;
        foreach (var part in field.Split(','))
        {
            var (range, step) = part.Split('/') switch
            {
                [var whole] => (whole, 1),
                [var start, var every] when int.TryParse(every, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 => (start, number),
                _ => throw new FormatException($"'{part}' has no step that is a number above 0"),
            };
            var (low, high) = range.Split('-') switch
            {
                ["*" or "?"] => (min, max == 7 ? 6 : max),
                [var one] => (Value(one, min, max, names), part.Contains('/', StringComparison.Ordinal) ? max : Value(one, min, max, names)),
                [var start, var end] => (Value(start, min, max, names), Value(end, min, max, names)),
                _ => throw new FormatException($"'{part}' is no range"),
            };
            if (low > high)
            {
                throw new FormatException($"'{part}' begins after its end");
            }

            for (var value = low; value <= high; value += step)
            {
                set |= 1UL << value;
            }
        }

        return BitOperations.PopCount(set) > 0 ? set : throw new FormatException($"'{field}' is never");
    }

    private static int Value(string text, int min, int max, string[] names)
    {
        var named = Array.FindIndex(names, name => name.Equals(text, StringComparison.OrdinalIgnoreCase));
        return named >= 0 ? named + (names == Months ? 1 : 0)
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max ? value
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"'{text}' is not a number from {min} to {max}"));
    }
}
