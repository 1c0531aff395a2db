using System.Text.Json.Nodes;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Machinery.Selectors;

public enum SelectorOperator
{
    Exists,
    NotExists,
    In,
    NotIn,
    GreaterThan,
    LessThan,
}

/// <summary>One condition on one label. A NotIn holds for an object without the label too.</summary>
public sealed record LabelRequirement(string Key, SelectorOperator Operator, IReadOnlyList<string> Values)
{
    /// <param name="value">The label's value, or null when the object has no such label.</param>
    public bool Matches(string? value) => Operator switch
    {
        SelectorOperator.Exists => value is not null,
        SelectorOperator.NotExists => value is null,
        SelectorOperator.In => value is not null && Values.Contains(value),
        SelectorOperator.NotIn => value is null || !Values.Contains(value),
        _ => value is not null && LabelSelector.TryParseNumber(value, out var number) && LabelSelector.TryParseNumber(Values[0], out var bound)
            && (Operator == SelectorOperator.GreaterThan ? number > bound : number < bound),
    };

    public override string ToString() => Operator switch
    {
        SelectorOperator.Exists => Key,
        SelectorOperator.NotExists => "!" + Key,
        SelectorOperator.In when Values.Count == 1 => $"{Key}={Values[0]}",
        SelectorOperator.NotIn when Values.Count == 1 => $"{Key}!={Values[0]}",
        SelectorOperator.In => $"{Key} in ({string.Join(',', Values)})",
        SelectorOperator.NotIn => $"{Key} notin ({string.Join(',', Values)})",
        SelectorOperator.GreaterThan => $"{Key}>{Values[0]}",
        _ => $"{Key}<{Values[0]}",
    };
}

/// <summary>
/// A label selector: conditions that must all hold. Its text is as in the <c>labelSelector</c> query: <c>a=b</c>,
/// <c>a!=b</c>, <c>a in (b,c)</c>, <c>a notin (b,c)</c>, <c>a</c>, <c>!a</c>, <c>a&gt;5</c>, <c>a&lt;5</c>, joined by
/// commas. The empty selector matches everything. Source: Kubernetes documentation, "Labels and Selectors".
/// </summary>
public sealed record LabelSelector(IReadOnlyList<LabelRequirement> Requirements)
{
    /// <summary>The longest selector that is read, in characters.</summary>
    public const int TextLengthMax = 16 * 1024;

    public static LabelSelector Everything { get; } = new([]);

    public bool MatchesEverything => Requirements.Count == 0;

    /// <exception cref="FormatException">The text is no selector; the message says where it went wrong.</exception>
    public static LabelSelector Parse(string text) =>
        text.Length <= TextLengthMax
            ? new LabelSelectorParser(text).Read()
            : throw new FormatException($"a label selector may have {TextLengthMax} characters at most");

    /// <summary>Equality with each entry, as in <c>nodeSelector</c> or a policy.</summary>
    public static LabelSelector FromMap(IReadOnlyDictionary<string, string> labels) =>
        new([.. labels.OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => new LabelRequirement(label.Key, SelectorOperator.In, [label.Value]))]);

    /// <summary>A selector as objects hold it. An operator that is none matches nothing.</summary>
    public static LabelSelector FromSpec(LabelSelectorSpec spec) => new(
    [
        .. FromMap(spec.MatchLabels).Requirements,
        .. spec.MatchExpressions.Select(expression => expression.Operator switch
        {
            "In" => new LabelRequirement(expression.Key, SelectorOperator.In, expression.Values),
            "NotIn" => new LabelRequirement(expression.Key, SelectorOperator.NotIn, expression.Values),
            "Exists" => new LabelRequirement(expression.Key, SelectorOperator.Exists, []),
            "DoesNotExist" => new LabelRequirement(expression.Key, SelectorOperator.NotExists, []),
            _ => new LabelRequirement(expression.Key, SelectorOperator.In, []),
        }),
    ]);

    /// <summary>A selector as objects hold it, or a plain map of labels.</summary>
    /// <exception cref="System.Text.Json.JsonException">It is neither.</exception>
    public static LabelSelector FromJson(JsonObject selector)
    {
        var isSpec = selector.All(field => field.Key is "matchLabels" or "matchExpressions" && field.Value is not JsonValue);
        return FromSpec(GodwitJson.FromNode<LabelSelectorSpec>(isSpec ? selector : new JsonObject { ["matchLabels"] = selector.DeepClone() }));
    }

    public bool Matches(IReadOnlyDictionary<string, string> labels) => Matches(key => labels.GetValueOrDefault(key));

    /// <param name="labels">An object's <c>metadata.labels</c>, or null when it has none.</param>
    public bool Matches(JsonObject? labels) => Matches(key => JsonAccess.AsText(labels?[key]));

    /// <param name="labelOf">The value of a label, or null when there is no such label.</param>
    public bool Matches(Func<string, string?> labelOf)
    {
        foreach (var requirement in Requirements)
        {
            if (!requirement.Matches(labelOf(requirement.Key)))
            {
                return false;
            }
        }

        return true;
    }

    public override string ToString() => string.Join(',', Requirements);

    internal static bool TryParseNumber(string text, out long number) =>
        long.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, System.Globalization.CultureInfo.InvariantCulture, out number);
}
