using System.Buffers;

namespace Godwit.Oci;

/// <summary>
/// How names of images are read. The grammar is that of the distribution specification, the normalisation docker's:
/// the part before the first slash is a registry if it has a dot or a colon, is <c>localhost</c>, or has a capital letter.
/// </summary>
public sealed record ReferenceRules
{
    private const int NameLengthMax = 255;
    private const int TagLengthMax = 128;
    private const int TextLengthMax = NameLengthMax + TagLengthMax + 256;
    private static readonly SearchValues<char> LowerAlphanumeric = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789");
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>The names by which the default registry is also called: written in front of a name they say nothing new. The first is its own.</summary>
    public IReadOnlyList<string> DefaultRegistryNames { get; init; } = [];

    /// <exception cref="FormatException">The text is no name of an image; says why, and never repeats more than a line of it.</exception>
    public ImageReference Parse(string text)
    {
        if (text.Length is 0 or > TextLengthMax)
        {
            throw Refuse(text, text.Length == 0 ? "it is empty" : "it is too long");
        }

        var name = text.AsSpan();
        Digest? digest = null;
        if (name.IndexOf('@') is >= 0 and var at)
        {
            digest = Oci.Digest.TryParse(name[(at + 1)..], out var parsed) ? parsed : throw Refuse(text, "after the @ there is no digest (sha256: and 64 hexadecimal digits)");
            name = name[..at];
        }

        string? tag = null;
        if (name.LastIndexOf(':') is >= 0 and var colon && name[(colon + 1)..].IndexOf('/') < 0)
        {
            tag = name[(colon + 1)..].ToString();
            name = name[..colon];
            if (!IsTag(tag))
            {
                throw Refuse(text, "its tag must be letters, digits, _, . and -, at most 128, and begin with none of the last two");
            }
        }

        var (registry, repository) = SplitRegistry(name);
        Check(text, registry, repository);
        if (registry is null && repository.IndexOf('/', StringComparison.Ordinal) < 0)
        {
            repository = ImageReference.OfficialPrefix + repository;
        }

        return new ImageReference(registry, repository, tag, digest);
    }

    public bool TryParse(string text, out ImageReference? reference)
    {
        try
        {
            reference = Parse(text);
            return true;
        }
        catch (FormatException)
        {
            reference = null;
            return false;
        }
    }

    private static void Check(string text, string? registry, string repository)
    {
        if (registry is null && repository.Length == 64 && !repository.AsSpan().ContainsAnyExcept(HexDigits))
        {
            throw Refuse(text, "64 hexadecimal digits are the id of an image, not a name");
        }

        if ((registry?.Length ?? -1) + 1 + repository.Length > NameLengthMax)
        {
            throw Refuse(text, $"a name has at most {NameLengthMax} characters");
        }

        if (registry is not null && !IsRegistry(registry))
        {
            throw Refuse(text, "the part before the first slash is no host name with an optional port");
        }

        if (!IsRepository(repository))
        {
            throw Refuse(text, repository.AsSpan().ContainsAnyInRange('A', 'Z') ? "the repository's name must be lower case" : "expected lower-case letters and digits, in parts separated by /, ., _, __ or -");
        }
    }

    private static FormatException Refuse(string text, string reason)
    {
        var shown = new string([.. text.Take(80).Select(letter => char.IsControl(letter) ? '·' : letter)]);
        return new FormatException($"invalid reference format: \"{shown}{(text.Length > 80 ? "…" : "")}\": {reason}");
    }

    private (string? Registry, string Repository) SplitRegistry(ReadOnlySpan<char> name)
    {
        var slash = name.IndexOf('/');
        if (slash < 0 || !LooksLikeRegistry(name[..slash]))
        {
            return (null, name.ToString());
        }

        var registry = name[..slash].ToString();
        return (Registry(registry), name[(slash + 1)..].ToString());
    }

    /// <summary>The registry that a client means by this name (host and port); null is the default registry.</summary>
    public string? Registry(string? name) => name is null || DefaultRegistryNames.Contains(name, StringComparer.OrdinalIgnoreCase) ? null : name;

    private static bool LooksLikeRegistry(ReadOnlySpan<char> part) =>
        part.ContainsAny('.', ':') || part is "localhost" || part.ContainsAnyInRange('A', 'Z');

    private static bool IsTag(string tag) => tag.Length is > 0 and <= TagLengthMax
        && tag[0] is not ('.' or '-') && tag.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '.' or '-');

    private static bool IsRegistry(string registry)
    {
        var host = registry.AsSpan();
        if (host.StartsWith("["))
        {
            var end = host.IndexOf(']');
            return end > 0 && System.Net.IPAddress.TryParse(host[1..end], out var address) && address.AddressFamily is System.Net.Sockets.AddressFamily.InterNetworkV6
                && !host[1..end].Contains('%') && (end + 1 == host.Length || (host[end + 1] == ':' && IsPort(host[(end + 2)..])));
        }

        if (host.IndexOf(':') is >= 0 and var colon)
        {
            if (!IsPort(host[(colon + 1)..]))
            {
                return false;
            }

            host = host[..colon];
        }

        foreach (var range in host.Split('.'))
        {
            var label = host[range];
            if (label.IsEmpty || label[0] == '-' || label[^1] == '-' || !All(label, letter => char.IsAsciiLetterOrDigit(letter) || letter == '-'))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsPort(ReadOnlySpan<char> port) => port.Length is > 0 and <= 5 && All(port, char.IsAsciiDigit);

    private static bool IsRepository(string repository)
    {
        foreach (var range in repository.AsSpan().Split('/'))
        {
            if (!IsComponent(repository.AsSpan()[range]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Runs of lower-case letters and digits, with one separator between two of them: a dot, one or two underscores, or any number of dashes.</summary>
    private static bool IsComponent(ReadOnlySpan<char> component)
    {
        while (true)
        {
            var run = component.IndexOfAnyExcept(LowerAlphanumeric);
            if (run == 0 || component.IsEmpty)
            {
                return false;
            }

            if (run < 0)
            {
                return true;
            }

            component = component[run..];
            var next = component.IndexOfAny(LowerAlphanumeric);
            if (next < 0 || !(component[..next] is "." or "_" or "__" || component[..next].IndexOfAnyExcept('-') < 0))
            {
                return false;
            }

            component = component[next..];
        }
    }

    private static bool All(ReadOnlySpan<char> text, Func<char, bool> holds)
    {
        foreach (var letter in text)
        {
            if (!holds(letter))
            {
                return false;
            }
        }

        return true;
    }
}
