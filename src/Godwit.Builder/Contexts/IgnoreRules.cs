using Godwit.Builder.Dockerfiles;

namespace Godwit.Builder.Contexts;

/// <summary>
/// A <c>.dockerignore</c>: patterns of Go's kind with <c>**</c> for any folders, <c>!</c> in front of exceptions; the last that
/// matches a path, or a folder above it, decides. Source: the Docker build reference, ".dockerignore files". Pure.
/// </summary>
public sealed class IgnoreRules
{
    private const int RulesMax = 10_000;
    private readonly List<(string[] Parts, bool IsException)> rules = [];

    /// <exception cref="BuildException">There are too many rules.</exception>
    public static IgnoreRules Read(string text)
    {
        var read = new IgnoreRules();
        foreach (var line in text.TrimStart('\ufeff').Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#'))
        {
            var isException = line[0] == '!';
            var parts = (isException ? line[1..].Trim() : line).Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").ToList();
            for (var at = 1; at < parts.Count; at++)
            {
                if (parts[at] == ".." && parts[at - 1] != "..")
                {
                    parts.RemoveRange(at - 1, 2);
                    at = Math.Max(at - 2, 0);
                }
            }

            if (parts.Count > 0)
            {
                read.rules.Add(read.rules.Count < RulesMax ? ([.. parts], isException) : throw new BuildException($"The .dockerignore has more than {RulesMax} rules."));
            }
        }

        return read;
    }

    /// <summary>Whether this path (from the context's root, slashes between its parts) is left out.</summary>
    public bool Ignores(string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var ignored = false;
        foreach (var (pattern, isException) in rules)
        {
            if (ignored == isException && Enumerable.Range(1, parts.Length).Any(length => Matches(pattern, parts.AsSpan(0, length))))
            {
                ignored = !isException;
            }
        }

        return ignored;
    }

    /// <summary>Whether something below an ignored folder might be an exception, so that it has to be looked into.</summary>
    public bool HasExceptions => rules.Any(rule => rule.IsException);

    /// <summary>As with a star in <see cref="Glob"/>, only the last <c>**</c> is gone back to: hostile patterns cost no more than pattern times path.</summary>
    private static bool Matches(ReadOnlySpan<string> pattern, ReadOnlySpan<string> path)
    {
        int at = 0, pathAt = 0, anyAt = -1, anyPathAt = 0;
        while (pathAt < path.Length)
        {
            if (at < pattern.Length && pattern[at] == "**")
            {
                (anyAt, anyPathAt) = (at++, pathAt);
            }
            else if (at < pattern.Length && Glob.Matches(pattern[at], path[pathAt]))
            {
                (at, pathAt) = (at + 1, pathAt + 1);
            }
            else if (anyAt >= 0)
            {
                (at, pathAt) = (anyAt + 1, ++anyPathAt);
            }
            else
            {
                return false;
            }
        }

        return !pattern[at..].ContainsAnyExcept("**");
    }
}
