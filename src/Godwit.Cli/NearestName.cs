namespace Godwit.Cli;

/// <summary>The name that was probably meant.</summary>
internal static class NearestName
{
    /// <summary>
    /// The candidate with the smallest edit distance (Levenshtein: insertions, deletions, substitutions), if that is at
    /// most a third of the name's length, and at least one edit; null when none is near.
    /// </summary>
    public static string? Of(string name, IEnumerable<string> candidates)
    {
        var limit = Math.Max(1, name.Length / 3);
        return candidates
            .Select(candidate => (candidate, distance: Distance(name, candidate)))
            .Where(near => near.distance <= limit || near.candidate.StartsWith(name, StringComparison.Ordinal))
            .OrderBy(near => near.distance)
            .ThenBy(near => near.candidate, StringComparer.Ordinal)
            .Select(near => near.candidate)
            .FirstOrDefault();
    }

    internal static int Distance(string one, string other)
    {
        var previous = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var current = new int[other.Length + 1];
            current[0] = i;
            for (var j = 1; j <= other.Length; j++)
            {
                var substitution = previous[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
                current[j] = Math.Min(substitution, Math.Min(previous[j], current[j - 1]) + 1);
            }

            previous = current;
        }

        return previous[^1];
    }
}
