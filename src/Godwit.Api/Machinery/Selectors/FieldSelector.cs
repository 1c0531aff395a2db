using System.Text;
using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery.Selectors;

/// <summary>One condition on one field.</summary>
public sealed record FieldRequirement(string Field, bool IsEqual, string Value);

/// <summary>
/// A field selector: conditions that must all hold, as in the <c>fieldSelector</c> query: <c>a=b</c>, <c>a==b</c> and
/// <c>a!=b</c>, joined by commas; in a value a backslash stands before a comma, an equals sign or a backslash.
/// Which fields there are is the kind's to say. Source: Kubernetes documentation, "Field Selectors".
/// </summary>
public sealed record FieldSelector(IReadOnlyList<FieldRequirement> Requirements)
{
    public const int TextLengthMax = 16 * 1024;

    public static FieldSelector Everything { get; } = new([]);

    /// <exception cref="FormatException">The text is no selector.</exception>
    public static FieldSelector Parse(string text)
    {
        if (text.Length > TextLengthMax)
        {
            throw new FormatException($"a field selector may have {TextLengthMax} characters at most");
        }

        return new FieldSelector([.. SplitUnescaped(text).Where(term => term.Length > 0).Select(ParseTerm)]);
    }

    /// <summary>The value that <c>metadata.name</c> must have, when the selector says so.</summary>
    public string? ExactName => ExactValue("metadata.name");

    /// <summary>The value that a field must have, when the selector says so.</summary>
    public string? ExactValue(string field) => Requirements.FirstOrDefault(requirement => requirement.IsEqual && requirement.Field == field)?.Value;

    /// <summary>The selector as a test of a kind's objects.</summary>
    /// <exception cref="FormatException">The kind has no such selectable field.</exception>
    public Func<JsonObject, bool> For(ResourceDefinition definition)
    {
        var tests = Requirements.Select(requirement => (requirement, read: ReaderOf(definition, requirement.Field))).ToArray();
        return resource =>
        {
            foreach (var (requirement, read) in tests)
            {
                if ((requirement.Value == read(resource)) != requirement.IsEqual)
                {
                    return false;
                }
            }

            return true;
        };
    }

    public override string ToString() =>
        string.Join(',', Requirements.Select(requirement => $"{requirement.Field}{(requirement.IsEqual ? "=" : "!=")}{Escape(requirement.Value)}"));

    private static Func<JsonObject, string> ReaderOf(ResourceDefinition definition, string field) => field switch
    {
        "metadata.name" => static resource => resource.TextAt("metadata", "name") ?? "",
        "metadata.namespace" => static resource => resource.TextAt("metadata", "namespace") ?? "",
        _ => definition.SelectableFields.TryGetValue(field, out var read)
            ? read
            : throw new FormatException($"field label not supported: {field}; {definition.Plural} can be selected by {string.Join(", ", definition.SelectableFields.Keys.Prepend("metadata.namespace").Prepend("metadata.name"))}"),
    };

    private static FieldRequirement ParseTerm(string term)
    {
        for (var index = 0; index < term.Length; index++)
        {
            if (term[index] == '\\')
            {
                index++;
                continue;
            }

            var length = term.AsSpan(index) switch
            {
                ['!', '=', ..] or ['=', '=', ..] => 2,
                ['=', ..] => 1,
                _ => 0,
            };
            if (length > 0)
            {
                return new FieldRequirement(term[..index].Trim(), term[index] == '=', Unescape(term[(index + length)..].Trim()));
            }
        }

        throw new FormatException($"\"{term}\" in the field selector is none of field=value, field==value, field!=value");
    }

    private static List<string> SplitUnescaped(string text)
    {
        var (terms, start) = (new List<string>(), 0);
        for (var index = 0; index < text.Length; index++)
        {
            if (text[index] == '\\')
            {
                index++;
            }
            else if (text[index] == ',')
            {
                terms.Add(text[start..index]);
                start = index + 1;
            }
        }

        terms.Add(text[Math.Min(start, text.Length)..]);
        return terms;
    }

    private static string Unescape(string value)
    {
        var result = new StringBuilder(value.Length);
        for (var index = 0; index < value.Length; index++)
        {
            var letter = value[index];
            if (letter == '\\')
            {
                index++;
                letter = index < value.Length && value[index] is '\\' or ',' or '='
                    ? value[index]
                    : throw new FormatException("in a field selector's value a backslash must stand before a comma, an equals sign or a backslash");
            }
            else if (letter is ',' or '=')
            {
                throw new FormatException($"in a field selector's value \"{letter}\" must be written with a backslash before it");
            }

            result.Append(letter);
        }

        return result.ToString();
    }

    private static string Escape(string value) => value
        .Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace(",", "\\,", StringComparison.Ordinal)
        .Replace("=", "\\=", StringComparison.Ordinal);
}
