namespace Godwit.Api.Machinery;

/// <summary>What an object may be called.</summary>
public enum NameRule
{
    /// <summary>Labels joined by dots, 253 characters in all.</summary>
    DnsSubdomain,

    /// <summary>Lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit.</summary>
    DnsLabel,

    /// <summary>Anything that can be one segment of a path, as roles are named: <c>system:node</c>.</summary>
    PathSegment,
}

/// <summary>
/// Kubernetes' rules for names (RFC 1123) and label and annotation keys. They let nothing through that means something
/// to a path, a shell or a URL. Each method answers what is wrong, or null.
/// </summary>
public static class Names
{
    public const int DnsLabelLengthMax = 63;
    public const int DnsSubdomainLengthMax = 253;
    public const int QualifiedNameLengthMax = 63;
    public const int LabelValueLengthMax = 63;

    /// <param name="name">The name.</param>
    /// <param name="rule">What it is held to.</param>
    /// <param name="isPrefix">True for a generateName: what is appended makes up for a '-' or '.' at its end.</param>
    public static string? Check(string name, NameRule rule, bool isPrefix = false)
    {
        var text = isPrefix && name.Length > 0 && name[^1] is '-' or '.' ? name[..^1] + "a" : name;
        return rule switch
        {
            NameRule.DnsLabel => CheckDnsLabel(text),
            NameRule.PathSegment => CheckPathSegment(text),
            _ => CheckDnsSubdomain(text),
        };
    }

    public static string? CheckPathSegment(string name) =>
        name is "." or ".." ? $"may not be '{name}'"
        : name.Length is 0 or > DnsSubdomainLengthMax ? $"must be no more than {DnsSubdomainLengthMax} characters, and one at least"
        : name.Any(letter => letter is '/' or '%' or '\\' || char.IsControl(letter)) ? "may not contain '/', '%', '\\' or control characters"
        : null;

    public static string? CheckDnsLabel(string name) =>
        name.Length > DnsLabelLengthMax ? $"must be no more than {DnsLabelLengthMax} characters"
        : IsDnsLabel(name) ? null
        : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name' or '123-abc')";

    public static string? CheckDnsSubdomain(string name)
    {
        if (name.Length > DnsSubdomainLengthMax)
        {
            return $"must be no more than {DnsSubdomainLengthMax} characters";
        }

        foreach (var part in name.AsSpan().Split('.'))
        {
            if (!IsDnsLabel(name.AsSpan()[part]))
            {
                return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com')";
            }
        }

        return null;
    }

    /// <summary>A label or annotation key: a name, or a DNS subdomain, a slash and a name.</summary>
    public static string? CheckQualifiedName(string key)
    {
        var slash = key.IndexOf('/', StringComparison.Ordinal);
        if (slash == 0 || (slash > 0 && CheckDnsSubdomain(key[..slash]) is not null))
        {
            return "prefix part must be a lowercase RFC 1123 subdomain (e.g. 'example.com/my-name')";
        }

        var name = key.AsSpan(slash + 1);
        return name.Length > QualifiedNameLengthMax ? $"name part must be no more than {QualifiedNameLengthMax} characters"
            : IsNamePart(name) ? null
            : "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName' or 'example.com/my.name')";
    }

    public static string? CheckLabelValue(string value) =>
        value.Length > LabelValueLengthMax ? $"must be no more than {LabelValueLengthMax} characters"
        : value.Length == 0 || IsNamePart(value) ? null
        : "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue' or '12345')";

    /// <summary>A key of a ConfigMap or Secret: could be a file's name, and only in its own folder.</summary>
    public static string? CheckDataKey(string key) =>
        key.Length is 0 or > DnsSubdomainLengthMax ? $"must have 1 to {DnsSubdomainLengthMax} characters"
        : key is "." or ".." || key.StartsWith("..", StringComparison.Ordinal) ? "must not be '.', nor start with '..'"
        : key.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.') ? null
        : "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";

    private static bool IsDnsLabel(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text[0] == '-' || text[^1] == '-')
        {
            return false;
        }

        foreach (var letter in text)
        {
            if (!char.IsAsciiLetterLower(letter) && !char.IsAsciiDigit(letter) && letter != '-')
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsNamePart(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || !char.IsAsciiLetterOrDigit(text[0]) || !char.IsAsciiLetterOrDigit(text[^1]))
        {
            return false;
        }

        foreach (var letter in text)
        {
            if (!char.IsAsciiLetterOrDigit(letter) && letter is not ('-' or '_' or '.'))
            {
                return false;
            }
        }

        return true;
    }
}
