namespace Godwit.Builder.Dockerfiles;

/// <summary>
/// Matches names against Go's patterns (<c>path/filepath.Match</c>): <c>*</c> and <c>?</c> stop at slashes, <c>[a-z]</c> and
/// <c>[^a-z]</c> are sets, a backslash takes the meaning from what follows. Time is bounded by pattern times name: a star is
/// gone back to only the last one.
/// </summary>
public static class Glob
{
    /// <param name="slashIsOrdinary">A star and a question mark match slashes too.</param>
    public static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name, bool slashIsOrdinary = false)
    {
        int at = 0, nameAt = 0, starAt = -1, starNameAt = 0;
        while (nameAt < name.Length)
        {
            if (at < pattern.Length && pattern[at] == '*')
            {
                (starAt, starNameAt) = (at++, nameAt);
            }
            else if (at < pattern.Length && MatchesOne(pattern[at..], name[nameAt], slashIsOrdinary, out var length))
            {
                (at, nameAt) = (at + length, nameAt + 1);
            }
            else if (starAt >= 0 && (slashIsOrdinary || name[starNameAt] != '/'))
            {
                (at, nameAt) = (starAt + 1, ++starNameAt);
            }
            else
            {
                return false;
            }
        }

        return pattern[at..].Trim('*').IsEmpty;
    }

    public static bool HasPattern(string text) => text.AsSpan().ContainsAny('*', '?', '[');

    /// <summary>One element of the pattern against one character, and how long that element is.</summary>
    private static bool MatchesOne(ReadOnlySpan<char> pattern, char letter, bool slashIsOrdinary, out int length)
    {
        length = 1;
        switch (pattern[0])
        {
            case '?':
                return slashIsOrdinary || letter != '/';
            case '\\' when pattern.Length > 1:
                length = 2;
                return pattern[1] == letter;
            case '[' when pattern.Length > 1 && pattern[2..].IndexOf(']') is >= 0 and var end:
                length = end + 3;
                return InSet(pattern[1..(end + 2)], letter);
            default:
                return pattern[0] == letter;
        }
    }

    private static bool InSet(ReadOnlySpan<char> set, char letter)
    {
        var inverted = set[0] is '^' or '!' && set.Length > 1;
        set = inverted ? set[1..] : set;
        var found = false;
        while (!set.IsEmpty)
        {
            if (set.Length > 2 && set[1] == '-')
            {
                found |= letter >= set[0] && letter <= set[2];
                set = set[3..];
            }
            else
            {
                found |= letter == set[0];
                set = set[1..];
            }
        }

        return found != inverted;
    }
}
