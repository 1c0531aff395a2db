namespace Godwit.Oci.Distribution;

/// <summary>What a registry wants to see before it answers. Sources: RFC 9110, section 11.6.1; the distribution project's token specification.</summary>
internal abstract record Challenge
{
    private const int HeaderLengthMax = 4096;

    private Challenge()
    {
    }

    /// <summary>User name and password with each request.</summary>
    public sealed record Basic : Challenge;

    /// <summary>A token, to be had at <paramref name="Realm"/> for these scopes.</summary>
    public sealed record Bearer(Uri Realm, string? Service, string? Scope) : Challenge;

    /// <summary>The first challenge that can be met, bearer before basic; null when there is none.</summary>
    public static Challenge? Parse(IEnumerable<string> headers)
    {
        Challenge? found = null;
        foreach (var header in headers.Where(header => header.Length <= HeaderLengthMax).Take(8))
        {
            var blank = header.IndexOf(' ', StringComparison.Ordinal);
            var scheme = blank < 0 ? header : header[..blank];
            if (scheme.Equals("bearer", StringComparison.OrdinalIgnoreCase))
            {
                var parameters = Parameters(blank < 0 ? "" : header[blank..]);
                if (parameters.GetValueOrDefault("realm") is { } realm && Uri.TryCreate(realm, UriKind.Absolute, out var address) && address.Scheme is "https" or "http")
                {
                    return new Bearer(address, parameters.GetValueOrDefault("service"), parameters.GetValueOrDefault("scope"));
                }
            }
            else if (scheme.Equals("basic", StringComparison.OrdinalIgnoreCase))
            {
                found ??= new Basic();
            }
        }

        return found;
    }

    /// <summary>Reads <c>name="value", name=value</c>; a backslash in quotes stands before the character that is meant.</summary>
    private static Dictionary<string, string> Parameters(string text)
    {
        var found = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var at = 0;
        while (at < text.Length)
        {
            at = Skip(text, at);
            var equals = text.IndexOf('=', at);
            if (equals < 0)
            {
                break;
            }

            var name = text[at..equals].Trim();
            (var value, at) = equals + 1 < text.Length && text[equals + 1] == '"' ? Quoted(text, equals + 2) : Plain(text, equals + 1);
            found.TryAdd(name, value);
        }

        return found;
    }

    private static int Skip(string text, int at)
    {
        while (at < text.Length && text[at] is ' ' or ',' or '\t')
        {
            at++;
        }

        return at;
    }

    private static (string Value, int Next) Plain(string text, int at)
    {
        var end = text.IndexOf(',', at) is >= 0 and var comma ? comma : text.Length;
        return (text[at..end].Trim(), end);
    }

    private static (string Value, int Next) Quoted(string text, int at)
    {
        var value = new System.Text.StringBuilder();
        for (; at < text.Length && text[at] != '"'; at++)
        {
            at += text[at] == '\\' && at + 1 < text.Length ? 1 : 0;
            value.Append(text[at]);
        }

        return (value.ToString(), at + 1);
    }
}
