using Godwit.Api.Meta.V1;

namespace Godwit.Api.Rbac.V1;

/// <summary>Lets verbs be done, to resources or to paths that are none; <c>*</c> is any.</summary>
public sealed record PolicyRule
{
    public IReadOnlyList<string> Verbs { get; init => field = value ?? []; } = [];

    public IReadOnlyList<string> ApiGroups { get; init => field = value ?? []; } = [];

    /// <summary>Plurals; a subresource as <c>resource/subresource</c>.</summary>
    public IReadOnlyList<string> Resources { get; init => field = value ?? []; } = [];

    /// <summary>The only names that it is about; empty: all.</summary>
    public IReadOnlyList<string> ResourceNames { get; init => field = value ?? []; } = [];

    /// <summary>Paths; one that ends in <c>*</c> stands for all that begin with what is before it.</summary>
    [System.Text.Json.Serialization.JsonPropertyName("nonResourceURLs")]
    public IReadOnlyList<string> NonResourceUrls { get; init => field = value ?? []; } = [];
}

/// <summary>Rights within a namespace.</summary>
public sealed record Role() : Resource(Type), IResource<Role>
{
    public static ResourceType Type { get; } = new(GroupName.Rbac, "v1", "Role", "roles", Namespaced: true);

    public IReadOnlyList<PolicyRule> Rules { get; init => field = value ?? []; } = [];
}

/// <summary>Which other cluster roles' rights belong to a role.</summary>
public sealed record AggregationRule
{
    public IReadOnlyList<LabelSelectorSpec> ClusterRoleSelectors { get; init => field = value ?? []; } = [];
}

/// <summary>Rights in the whole cluster, or in the namespaces in which it is bound.</summary>
public sealed record ClusterRole() : Resource(Type), IResource<ClusterRole>
{
    public static ResourceType Type { get; } = new(GroupName.Rbac, "v1", "ClusterRole", "clusterroles", Namespaced: false);

    public IReadOnlyList<PolicyRule> Rules { get; init => field = value ?? []; } = [];

    public AggregationRule? AggregationRule { get; init; }
}
