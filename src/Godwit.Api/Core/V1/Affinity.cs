using Godwit.Api.Meta.V1;

namespace Godwit.Api.Core.V1;

/// <summary>One condition on a node.</summary>
public sealed record NodeSelectorRequirement
{
    public string Key { get; init => field = value ?? ""; } = "";

    public string Operator { get; init => field = value ?? ""; } = "";

    public IReadOnlyList<string> Values { get; init => field = value ?? []; } = [];
}

/// <summary>Conditions on a node that must all hold.</summary>
public sealed record NodeSelectorTerm
{
    public IReadOnlyList<NodeSelectorRequirement> MatchExpressions { get; init => field = value ?? []; } = [];

    public IReadOnlyList<NodeSelectorRequirement> MatchFields { get; init => field = value ?? []; } = [];
}

/// <summary>Terms of which one must hold.</summary>
public sealed record NodeSelector
{
    public IReadOnlyList<NodeSelectorTerm> NodeSelectorTerms { get; init => field = value ?? []; } = [];
}

/// <summary>A term that counts in favour of a node.</summary>
public sealed record PreferredSchedulingTerm
{
    public int Weight { get; init; }

    public NodeSelectorTerm Preference { get; init => field = value ?? new(); } = new();
}

/// <summary>Which nodes a pod may and would rather run on.</summary>
public sealed record NodeAffinity
{
    public NodeSelector? RequiredDuringSchedulingIgnoredDuringExecution { get; init; }

    public IReadOnlyList<PreferredSchedulingTerm> PreferredDuringSchedulingIgnoredDuringExecution { get; init => field = value ?? []; } = [];
}

/// <summary>Pods, and how near to them.</summary>
public sealed record PodAffinityTerm
{
    public LabelSelectorSpec? LabelSelector { get; init; }

    public IReadOnlyList<string> Namespaces { get; init => field = value ?? []; } = [];

    public string TopologyKey { get; init => field = value ?? ""; } = "";

    public LabelSelectorSpec? NamespaceSelector { get; init; }
}

/// <summary>A term that counts in favour of a node.</summary>
public sealed record WeightedPodAffinityTerm
{
    public int Weight { get; init; }

    public PodAffinityTerm PodAffinityTerm { get; init => field = value ?? new(); } = new();
}

/// <summary>Which other pods a pod is to be near to.</summary>
public sealed record PodAffinity
{
    public IReadOnlyList<PodAffinityTerm> RequiredDuringSchedulingIgnoredDuringExecution { get; init => field = value ?? []; } = [];

    public IReadOnlyList<WeightedPodAffinityTerm> PreferredDuringSchedulingIgnoredDuringExecution { get; init => field = value ?? []; } = [];
}

/// <summary>Which other pods a pod is to be away from.</summary>
public sealed record PodAntiAffinity
{
    public IReadOnlyList<PodAffinityTerm> RequiredDuringSchedulingIgnoredDuringExecution { get; init => field = value ?? []; } = [];

    public IReadOnlyList<WeightedPodAffinityTerm> PreferredDuringSchedulingIgnoredDuringExecution { get; init => field = value ?? []; } = [];
}

/// <summary>What draws a pod to nodes and to other pods.</summary>
public sealed record Affinity
{
    public NodeAffinity? NodeAffinity { get; init; }

    public PodAffinity? PodAffinity { get; init; }

    public PodAntiAffinity? PodAntiAffinity { get; init; }
}

/// <summary>How evenly pods are to be spread over places.</summary>
public sealed record TopologySpreadConstraint
{
    public int MaxSkew { get; init; }

    public string TopologyKey { get; init => field = value ?? ""; } = "";

    public string WhenUnsatisfiable { get; init => field = value ?? ""; } = "";

    public LabelSelectorSpec? LabelSelector { get; init; }

    public int? MinDomains { get; init; }

    public string? NodeAffinityPolicy { get; init; }

    public string? NodeTaintsPolicy { get; init; }

    public IReadOnlyList<string> MatchLabelKeys { get; init => field = value ?? []; } = [];
}
