using System.Globalization;

namespace Godwit.Containers.Runtime;

/// <summary>Signals by the names that people use (signal(7)), numbers as on x86-64 and arm64.</summary>
internal static class Signals
{
    private const int NumberMax = 64;
    private const int RealTimeMin = 34;

    private static readonly string[] Names =
    [
        "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP",
        "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];

    /// <param name="text"><c>SIGTERM</c>, <c>term</c>, <c>15</c>, <c>RTMIN+3</c>; empty is SIGKILL.</param>
    /// <exception cref="InvalidRequestException">There is no such signal.</exception>
    internal static int Parse(string text)
    {
        if (text.Length == 0)
        {
            return Array.IndexOf(Names, "KILL");
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= NumberMax)
        {
            return number;
        }

        var name = text.ToUpperInvariant();
        name = name.StartsWith("SIG", StringComparison.Ordinal) ? name[3..] : name;
        if (Array.IndexOf(Names, name) is > 0 and var found)
        {
            return found;
        }

        var (start, rest) = name.StartsWith("RTMIN", StringComparison.Ordinal) ? (RealTimeMin, name["RTMIN".Length..])
            : name.StartsWith("RTMAX", StringComparison.Ordinal) ? (NumberMax, name["RTMAX".Length..])
            : (0, "?");
        var offset = 0;
        return (rest.Length == 0 || int.TryParse(rest, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out offset)) && start + offset is >= RealTimeMin and <= NumberMax
            ? start + offset
            : throw new InvalidRequestException($"there is no signal '{text}': see signal(7)");
    }
}
