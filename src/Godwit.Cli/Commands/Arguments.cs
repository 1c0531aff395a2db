using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Godwit.Base;

namespace Godwit.Cli.Commands;

/// <summary>How values on the command line are read; what cannot be read is an error of usage that says how to write it.</summary>
internal static class Arguments
{
    /// <summary>Larger files are no user data.</summary>
    private const int FileBytesMax = 1 << 20;

    public static Quantity? Quantity(ArgumentResult argument)
    {
        var text = argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";
        if (Base.Quantity.TryParse(text, out var quantity) && quantity.Value > 0)
        {
            return quantity;
        }

        argument.AddError($"'{text}' is no size: write a number with a unit, such as 512Mi, 2Gi or 50M.");
        return null;
    }

    /// <summary>A duration as people write it: <c>90s</c>, <c>10m</c>, <c>2h</c>, <c>300ms</c>.</summary>
    public static Option<TimeSpan?> DurationOption(string name, string description) =>
        new(name) { Description = description, HelpName = "TIME", CustomParser = Duration };

    private static TimeSpan? Duration(ArgumentResult argument)
    {
        var text = argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";
        if (TryReadDuration(text, out var duration))
        {
            return duration;
        }

        argument.AddError($"'{text}' is no duration: write 300ms, 90s, 10m or 2h.");
        return null;
    }

    internal static bool TryReadDuration(string text, out TimeSpan duration)
    {
        (string Unit, double Ms)[] units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
        duration = default;
        foreach (var (unit, ms) in units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal)
                && double.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
                && value > 0 && value * ms <= TimeSpan.FromDays(30).TotalMilliseconds)
            {
                duration = TimeSpan.FromMilliseconds(value * ms);
                return true;
            }
        }

        return false;
    }

    public static async Task<string?> ReadTextAsync(FileInfo? file, string what, CancellationToken stopping)
    {
        if (file is null)
        {
            return null;
        }

        try
        {
            return file.Length > FileBytesMax
                ? throw new CliException($"{file} has {file.Length} bytes: too many for {what}, which has at most {FileBytesMax}", ExitCodes.Usage)
                : await File.ReadAllTextAsync(file.FullName, stopping);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"Cannot read the {what} from {file}", ExitCodes.Usage, error);
        }
    }
}

/// <summary><c>--wait</c> and its bound, the same for every command that can wait.</summary>
internal sealed class WaitOptions(string description)
{
    private static readonly TimeSpan DefaultBound = TimeSpan.FromMinutes(5);

    private readonly Option<bool> wait = new("--wait") { Description = description };

    private readonly Option<TimeSpan?> timeout = Arguments.DurationOption("--timeout", "How long to wait at most, for example 90s or 10m (default: 5m)");

    public void AddTo(Command command)
    {
        command.Add(wait);
        command.Add(timeout);
    }

    public bool IsAsked(ParseResult parsed) => parsed.GetValue(wait);

    public TimeSpan Bound(ParseResult parsed) => parsed.GetValue(timeout) ?? DefaultBound;
}
