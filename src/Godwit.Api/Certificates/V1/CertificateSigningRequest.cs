using System.Collections.Immutable;

namespace Godwit.Api.Certificates.V1;

/// <summary>A request for a certificate: how a node joins.</summary>
public sealed record CertificateSigningRequest() : Resource(Type), IResource<CertificateSigningRequest>
{
    public static ResourceType Type { get; } =
        new("certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests", Namespaced: false);

    public CertificateSigningRequestSpec Spec { get; init => field = value ?? new(); } = new();

    public CertificateSigningRequestStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record CertificateSigningRequestSpec
{
    /// <summary>A PKCS #10 request in PEM.</summary>
    public byte[] Request { get; init => field = value ?? []; } = [];

    /// <summary>Who is to sign; nodes ask <see cref="SignerNames.Node"/>.</summary>
    public string SignerName { get; init => field = value ?? ""; } = "";

    /// <summary>How long the certificate should be good for; the signer may give less.</summary>
    public int? ExpirationSeconds { get; init; }

    /// <summary>For example <c>client auth</c>, <c>server auth</c>, <c>digital signature</c>.</summary>
    public IReadOnlyList<string> Usages { get; init => field = value ?? []; } = [];

    /// <summary>Who asked; set by the server.</summary>
    public string? Username { get; init; }

    public string? Uid { get; init; }

    public IReadOnlyList<string> Groups { get; init => field = value ?? []; } = [];

    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extra { get; init => field = value ?? NoExtra; } = NoExtra;

    internal static IReadOnlyDictionary<string, IReadOnlyList<string>> NoExtra { get; } = ImmutableDictionary<string, IReadOnlyList<string>>.Empty;
}

public sealed record CertificateSigningRequestStatus
{
    public IReadOnlyList<CertificateSigningRequestCondition> Conditions { get; init => field = value ?? []; } = [];

    /// <summary>The certificate in PEM, once it is signed.</summary>
    public byte[]? Certificate { get; init; }
}

public sealed record CertificateSigningRequestCondition
{
    /// <summary><c>Approved</c>, <c>Denied</c> or <c>Failed</c>.</summary>
    public string Type { get; init => field = value ?? ""; } = "";

    public string Status { get; init => field = value ?? ""; } = "";

    public string? Reason { get; init; }

    public string? Message { get; init; }

    public DateTimeOffset? LastUpdateTime { get; init; }

    public DateTimeOffset? LastTransitionTime { get; init; }
}

public static class SignerNames
{
    /// <summary>Signs the certificates by which agents speak to the server and to each other.</summary>
    public const string Node = "godwit.dev/node";
}
