using System.Text.Json.Serialization;

namespace Godwit.Api.Authorization.V1;

/// <summary>The question "may I do this?".</summary>
public sealed record SelfSubjectAccessReview() : Resource(Type), IResource<SelfSubjectAccessReview>
{
    public static ResourceType Type { get; } =
        new("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", Namespaced: false);

    public SelfSubjectAccessReviewSpec Spec { get; init => field = value ?? new(); } = new();

    public SubjectAccessReviewStatus Status { get; init => field = value ?? new(); } = new();
}

/// <summary>Exactly one of the two is asked about.</summary>
public sealed record SelfSubjectAccessReviewSpec
{
    public ResourceAttributes? ResourceAttributes { get; init; }

    public NonResourceAttributes? NonResourceAttributes { get; init; }
}

/// <summary>A request to the API, as authorisation sees it; <c>*</c> means all.</summary>
public sealed record ResourceAttributes
{
    public string? Namespace { get; init; }

    public string? Verb { get; init; }

    public string? Group { get; init; }

    public string? Version { get; init; }

    public string? Resource { get; init; }

    public string? Subresource { get; init; }

    public string? Name { get; init; }
}

/// <summary>A request to a path that is no resource, for example <c>/healthz</c>.</summary>
public sealed record NonResourceAttributes
{
    public string? Path { get; init; }

    public string? Verb { get; init; }
}

public sealed record SubjectAccessReviewStatus
{
    public bool Allowed { get; init; }

    /// <summary>True when it is refused for good, rather than not allowed by any rule.</summary>
    public bool? Denied { get; init; }

    public string? Reason { get; init; }

    public string? EvaluationError { get; init; }
}

/// <summary>The question "what may I do in this namespace?".</summary>
public sealed record SelfSubjectRulesReview() : Resource(Type), IResource<SelfSubjectRulesReview>
{
    public static ResourceType Type { get; } =
        new("authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", Namespaced: false);

    public SelfSubjectRulesReviewSpec Spec { get; init => field = value ?? new(); } = new();

    public SubjectRulesReviewStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record SelfSubjectRulesReviewSpec
{
    public string? Namespace { get; init; }
}

public sealed record SubjectRulesReviewStatus
{
    public IReadOnlyList<ResourceRule> ResourceRules { get; init => field = value ?? []; } = [];

    public IReadOnlyList<NonResourceRule> NonResourceRules { get; init => field = value ?? []; } = [];

    /// <summary>True when the rules are not all there is.</summary>
    public bool Incomplete { get; init; }

    public string? EvaluationError { get; init; }
}

/// <summary>What may be done to which resources; <c>*</c> means all.</summary>
public sealed record ResourceRule
{
    public IReadOnlyList<string> Verbs { get; init => field = value ?? []; } = [];

    public IReadOnlyList<string> ApiGroups { get; init => field = value ?? []; } = [];

    public IReadOnlyList<string> Resources { get; init => field = value ?? []; } = [];

    public IReadOnlyList<string> ResourceNames { get; init => field = value ?? []; } = [];
}

public sealed record NonResourceRule
{
    public IReadOnlyList<string> Verbs { get; init => field = value ?? []; } = [];

    [JsonPropertyName("nonResourceURLs")]
    public IReadOnlyList<string> NonResourceUrls { get; init => field = value ?? []; } = [];
}
