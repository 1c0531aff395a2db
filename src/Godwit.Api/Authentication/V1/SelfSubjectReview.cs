using Godwit.Api.Certificates.V1;

namespace Godwit.Api.Authentication.V1;

/// <summary>The question "who am I?".</summary>
public sealed record SelfSubjectReview() : Resource(Type), IResource<SelfSubjectReview>
{
    public static ResourceType Type { get; } =
        new("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", Namespaced: false);

    public SelfSubjectReviewStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record SelfSubjectReviewStatus
{
    public UserInfo UserInfo { get; init => field = value ?? new(); } = new();
}

/// <summary>Who makes a request.</summary>
public sealed record UserInfo
{
    public string? Username { get; init; }

    public string? Uid { get; init; }

    public IReadOnlyList<string> Groups { get; init => field = value ?? []; } = [];

    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extra { get; init => field = value ?? CertificateSigningRequestSpec.NoExtra; } =
        CertificateSigningRequestSpec.NoExtra;
}
