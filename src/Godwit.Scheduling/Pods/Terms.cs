using Godwit.Api.Machinery.Selectors;
using Godwit.Api.Meta.V1;

namespace Godwit.Scheduling.Pods;

/// <summary>A wish and how much it counts, 1 to 100.</summary>
public sealed record Weighted<T>(int Weight, T Term);

/// <summary>Conditions on a node that must all hold; without conditions no node meets it.</summary>
public sealed record NodeTerm(IReadOnlyList<LabelRequirement> Labels, IReadOnlyList<LabelRequirement> Names)
{
    internal static NodeTerm Of(NodeSelectorTerm term) => new(
        [.. term.MatchExpressions.Select(each => Selectors.Compile(each.Key, each.Operator, each.Values))],
        [.. term.MatchFields.Select(each => Selectors.Compile(each.Key, each.Operator, each.Values))]);

    /// <summary>The only field of a node that can be asked for is its name.</summary>
    public bool Matches(NodeFacts node)
    {
        if (Labels.Count + Names.Count == 0)
        {
            return false;
        }

        foreach (var requirement in Names)
        {
            if (!requirement.Matches(requirement.Key == "metadata.name" ? node.Name : null))
            {
                return false;
            }
        }

        return Selectors.Match(Labels, node.Labels);
    }
}

/// <summary>Other pods, and the label of nodes whose value says what is one place.</summary>
public sealed record PodTerm
{
    /// <summary>Null selects no pod.</summary>
    public required LabelSelector? Selector { get; init; }

    public required string TopologyKey { get; init; }

    public IReadOnlyList<string> Namespaces { get; init; } = [];

    /// <summary>More namespaces, by their labels.</summary>
    public LabelSelector? NamespaceSelector { get; init; }

    internal static PodTerm Of(PodAffinityTerm term, string @namespace) => new()
    {
        Selector = Selectors.Compile(term.LabelSelector),
        TopologyKey = term.TopologyKey,
        Namespaces = term.Namespaces.Count == 0 && term.NamespaceSelector is null ? [@namespace] : term.Namespaces,
        NamespaceSelector = Selectors.Compile(term.NamespaceSelector),
    };

    internal static Weighted<PodTerm> Of(WeightedPodAffinityTerm term, string @namespace) => new(term.Weight, Of(term.PodAffinityTerm, @namespace));

    public bool Matches(PodNeeds pod, ClusterSnapshot cluster) =>
        Selector is not null && Selectors.Match(Selector.Requirements, pod.Labels) && MatchesNamespace(pod.Namespace, cluster);

    private bool MatchesNamespace(string @namespace, ClusterSnapshot cluster) =>
        Namespaces.Contains(@namespace)
        || (NamespaceSelector is not null && (NamespaceSelector.MatchesEverything || Selectors.Match(NamespaceSelector.Requirements, cluster.LabelsOfNamespace(@namespace))));
}

/// <summary>How evenly pods like this one are to lie over places. Source: Kubernetes documentation, "Pod Topology Spread Constraints".</summary>
public sealed record SpreadTerm
{
    public required int MaxSkew { get; init; }

    public required string TopologyKey { get; init; }

    /// <summary>Null selects no pod.</summary>
    public required LabelSelector? Selector { get; init; }

    /// <summary>False when it is only a wish (<c>ScheduleAnyway</c>).</summary>
    public required bool IsRequired { get; init; }

    /// <summary>With fewer places than this the emptiest place counts as empty.</summary>
    public int MinDomains { get; init; } = 1;

    /// <summary>Whether nodes that the pod's node selector and affinity refuse are no places.</summary>
    public bool HonorsNodeAffinity { get; init; } = true;

    /// <summary>Whether nodes whose taints the pod does not tolerate are no places.</summary>
    public bool HonorsTaints { get; init; }

    internal static SpreadTerm Of(TopologySpreadConstraint constraint, IReadOnlyDictionary<string, string> labels)
    {
        var selector = Selectors.Compile(constraint.LabelSelector);
        var same = constraint.MatchLabelKeys
            .Where(labels.ContainsKey)
            .Select(key => new LabelRequirement(key, SelectorOperator.In, [labels[key]]));
        return new SpreadTerm
        {
            MaxSkew = Math.Max(1, constraint.MaxSkew),
            TopologyKey = constraint.TopologyKey,
            Selector = selector is null ? null : new LabelSelector([.. selector.Requirements, .. same]),
            IsRequired = constraint.WhenUnsatisfiable != "ScheduleAnyway",
            MinDomains = constraint.MinDomains ?? 1,
            HonorsNodeAffinity = constraint.NodeAffinityPolicy != "Ignore",
            HonorsTaints = constraint.NodeTaintsPolicy == "Honor",
        };
    }

    public bool Matches(PodNeeds pod, string @namespace) =>
        Selector is not null && !pod.IsEnding && pod.Namespace == @namespace && Selectors.Match(Selector.Requirements, pod.Labels);
}

/// <summary>Selectors of objects, compiled.</summary>
internal static class Selectors
{
    public static LabelSelector? Compile(LabelSelectorSpec? selector) => selector is null ? null : LabelSelector.FromSpec(selector);

    /// <summary>An operator that nobody knows gives a condition that never holds: validation lets none through.</summary>
    public static LabelRequirement Compile(string key, string @operator, IReadOnlyList<string> values) => @operator switch
    {
        "In" => new LabelRequirement(key, SelectorOperator.In, values),
        "NotIn" => new LabelRequirement(key, SelectorOperator.NotIn, values),
        "Exists" => new LabelRequirement(key, SelectorOperator.Exists, []),
        "DoesNotExist" => new LabelRequirement(key, SelectorOperator.NotExists, []),
        "Gt" when values.Count == 1 => new LabelRequirement(key, SelectorOperator.GreaterThan, values),
        "Lt" when values.Count == 1 => new LabelRequirement(key, SelectorOperator.LessThan, values),
        _ => new LabelRequirement(key, SelectorOperator.In, []),
    };

    public static bool Match(IReadOnlyList<LabelRequirement> requirements, IReadOnlyDictionary<string, string> labels)
    {
        for (var i = 0; i < requirements.Count; i++)
        {
            if (!requirements[i].Matches(labels.TryGetValue(requirements[i].Key, out var value) ? value : null))
            {
                return false;
            }
        }

        return true;
    }
}
