namespace Godwit.Api.Authentication.V1;

/// <summary>The question "whose token is this?".</summary>
public sealed record TokenReview() : Resource(Type), IResource<TokenReview>
{
    public static ResourceType Type { get; } = new("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", Namespaced: false);

    public TokenReviewSpec Spec { get; init => field = value ?? new(); } = new();

    public TokenReviewStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record TokenReviewSpec
{
    /// <summary>The token itself: a secret.</summary>
    public string? Token { get; init; }

    /// <summary>Whom the token must be meant for; empty: this server.</summary>
    public IReadOnlyList<string> Audiences { get; init => field = value ?? []; } = [];

    public override string ToString() => "TokenReviewSpec { Token = (secret) }";
}

public sealed record TokenReviewStatus
{
    public bool Authenticated { get; init; }

    /// <summary>Whose it is; null when it is nobody's.</summary>
    public UserInfo? User { get; init; }

    public string? Error { get; init; }

    /// <summary>Of the audiences asked for, those that the token is meant for.</summary>
    public IReadOnlyList<string> Audiences { get; init => field = value ?? []; } = [];
}
