namespace Godwit.Oci.Distribution;

/// <summary>Which registries there are and how they may be spoken to. All names come from configuration; none is built in.</summary>
public sealed record RegistryOptions
{
    /// <summary>How names of images are read, and by which names the default registry goes.</summary>
    public ReferenceRules References { get; init; } = new();

    /// <summary>Where the default registry is reached; null when there is none, and names without a registry can only be local.</summary>
    public Uri? DefaultEndpoint { get; init; }

    /// <summary>Per registry (the key is its host and port; the empty key is the default registry): mirrors that are asked first, in order, for pulls only.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<Uri>> Mirrors { get; init; } = new Dictionary<string, IReadOnlyList<Uri>>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Registries (<c>host[:port]</c>) that may be spoken to without TLS, or with a certificate that cannot be checked. Loopback addresses always are.</summary>
    public IReadOnlySet<string> Insecure { get; init; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Folder with a folder <c>HOST:PORT</c> for each registry whose authorities (<c>*.crt</c>) are not the host's, or that wants a certificate (<c>*.cert</c>, <c>*.key</c>); null for none. Also such a registry on loopback, or an insecure one, is then believed by them alone.</summary>
    public string? CertificatesFolder { get; init; } = CertificatesFolderDefault;

    /// <summary>Where operators lay them down for the container engines that they know.</summary>
    public const string CertificatesFolderDefault = "/etc/docker/certs.d";

    public string UserAgent { get; init; } = "godwit";
}

/// <summary>What a user shows to a registry. Never printed: its text is its kind alone.</summary>
public sealed record RegistryCredentials
{
    public string? UserName { get; init; }

    public string? Password { get; init; }

    /// <summary>A refresh token, exchanged for access tokens at the registry's token server.</summary>
    public string? IdentityToken { get; init; }

    /// <summary>An access token, sent as it is.</summary>
    public string? RegistryToken { get; init; }

    public bool IsEmpty => UserName is null && IdentityToken is null && RegistryToken is null;

    public override string ToString() => IsEmpty ? "no credentials" : RegistryToken is not null ? "a registry token" : IdentityToken is not null ? "an identity token" : "user name and password";
}
