using System.Diagnostics.CodeAnalysis;

namespace Godwit.Node;

/// <summary>
/// The name of a cluster member: a DNS-1123 subdomain, as <c>metadata.name</c> of its Node object and, with the prefix
/// <c>system:node:</c>, as the common name of its certificate. A value of this type is a checked name.
/// </summary>
public readonly record struct NodeName
{
    /// <summary>The longest DNS-1123 subdomain.</summary>
    public const int LengthMax = 253;

    private readonly string? value;

    private NodeName(string value) => this.value = value;

    public string Value => value ?? throw new InvalidOperationException("A node name was used before it was given.");

    /// <exception cref="FormatException">The text is no DNS-1123 subdomain.</exception>
    public static NodeName Parse(string text) =>
        TryParse(text, out var name)
            ? name
            : throw new FormatException(
                $"'{(text.Length > 64 ? text[..64] + "…" : text)}' is no node name: use at most {LengthMax} lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit.");

    public static bool TryParse([NotNullWhen(true)] string? text, out NodeName name)
    {
        name = default;
        if (text is null || text.Length is 0 or > LengthMax)
        {
            return false;
        }

        foreach (var label in text.Split('.'))
        {
            if (label.Length is 0 or > 63 || label[0] == '-' || label[^1] == '-' || label.AsSpan().ContainsAnyExcept(LabelCharacters))
            {
                return false;
            }
        }

        name = new NodeName(text);
        return true;
    }

    public override string ToString() => value ?? "(no node)";

    private static readonly System.Buffers.SearchValues<char> LabelCharacters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-");
}
