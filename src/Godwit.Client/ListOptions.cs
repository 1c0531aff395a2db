using System.Text;

namespace Godwit.Client;

/// <summary>Which objects of a kind are wanted.</summary>
public sealed record ListOptions
{
    public static ListOptions All { get; } = new();

    /// <summary>Null means all namespaces.</summary>
    public string? Namespace { get; init; }

    public string? LabelSelector { get; init; }

    public string? FieldSelector { get; init; }

    internal string ToQuery(params ReadOnlySpan<(string Name, string? Value)> more)
    {
        var query = new StringBuilder();
        Append(query, "labelSelector", LabelSelector);
        Append(query, "fieldSelector", FieldSelector);
        foreach (var (name, value) in more)
        {
            Append(query, name, value);
        }

        return query.ToString();
    }

    private static void Append(StringBuilder query, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            query.Append(query.Length == 0 ? '?' : '&').Append(name).Append('=').Append(Uri.EscapeDataString(value));
        }
    }
}
