using Godwit.Api.Certificates.V1;

namespace Godwit.Api.Authorization.V1;

/// <summary>The question "may they do this?", asked by those who decide for others: an extension of the API, a proxy.</summary>
public sealed record SubjectAccessReview() : Resource(Type), IResource<SubjectAccessReview>
{
    public static ResourceType Type { get; } =
        new("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", Namespaced: false);

    public SubjectAccessReviewSpec Spec { get; init => field = value ?? new(); } = new();

    public SubjectAccessReviewStatus Status { get; init => field = value ?? new(); } = new();
}

/// <summary>The same within one namespace, for those who may ask there only.</summary>
public sealed record LocalSubjectAccessReview() : Resource(Type), IResource<LocalSubjectAccessReview>
{
    public static ResourceType Type { get; } =
        new("authorization.k8s.io", "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", Namespaced: true);

    public SubjectAccessReviewSpec Spec { get; init => field = value ?? new(); } = new();

    public SubjectAccessReviewStatus Status { get; init => field = value ?? new(); } = new();
}

/// <summary>Who, and exactly one of the two that are asked about.</summary>
public sealed record SubjectAccessReviewSpec
{
    public ResourceAttributes? ResourceAttributes { get; init; }

    public NonResourceAttributes? NonResourceAttributes { get; init; }

    public string? User { get; init; }

    public string? Uid { get; init; }

    /// <summary>All of the user's groups: none is added.</summary>
    public IReadOnlyList<string> Groups { get; init => field = value ?? []; } = [];

    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extra { get; init => field = value ?? CertificateSigningRequestSpec.NoExtra; } =
        CertificateSigningRequestSpec.NoExtra;
}
