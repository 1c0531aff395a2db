namespace Godwit.Api.Authentication.V1;

/// <summary>Asks for a token of a service account; the body and the answer of <c>serviceaccounts/NAME/token</c>.</summary>
public sealed record TokenRequest() : Resource(Type), IResource<TokenRequest>
{
    public static ResourceType Type { get; } = new("authentication.k8s.io", "v1", "TokenRequest", "tokenrequests", Namespaced: true);

    public TokenRequestSpec Spec { get; init => field = value ?? new(); } = new();

    public TokenRequestStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record TokenRequestSpec
{
    /// <summary>Whom the token is meant for; empty: this server.</summary>
    public IReadOnlyList<string> Audiences { get; init => field = value ?? []; } = [];

    public long? ExpirationSeconds { get; init; }

    /// <summary>What the token is to end with; null: the account alone.</summary>
    public BoundObjectReference? BoundObjectRef { get; init; }
}

/// <summary>An object of the account's namespace.</summary>
public sealed record BoundObjectReference
{
    public string? Kind { get; init; }

    public string? ApiVersion { get; init; }

    public string? Name { get; init; }

    public string? Uid { get; init; }
}

public sealed record TokenRequestStatus
{
    /// <summary>The token itself: a secret.</summary>
    public string? Token { get; init; }

    public DateTimeOffset? ExpirationTimestamp { get; init; }

    public override string ToString() => "TokenRequestStatus { Token = (secret) }";
}
