namespace Godwit.Api.Meta.V1;

/// <summary>One condition on a label.</summary>
public sealed record LabelSelectorRequirement
{
    public string Key { get; init => field = value ?? ""; } = "";

    public string Operator { get; init => field = value ?? ""; } = "";

    public IReadOnlyList<string> Values { get; init => field = value ?? []; } = [];
}

/// <summary>Picks objects by their labels; all conditions must hold, and none picks everything.</summary>
public sealed record LabelSelectorSpec
{
    public IReadOnlyDictionary<string, string> MatchLabels { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;

    public IReadOnlyList<LabelSelectorRequirement> MatchExpressions { get; init => field = value ?? []; } = [];
}
