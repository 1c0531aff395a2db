using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Godwit.Client;

/// <summary>
/// Where a cluster is and who we are there. Credentials are asked for when they are needed, so a renewed certificate or
/// a rotated token takes effect without a new client.
/// </summary>
public sealed record ClusterConnection
{
    /// <summary>Addresses of servers of the same cluster, in order of preference; the next is tried when one cannot be reached.</summary>
    public required IReadOnlyList<Uri> Servers { get; init; }

    /// <summary>The only authorities whose server certificates are believed; null means those of this host.</summary>
    public X509Certificate2Collection? Authorities { get; init; }

    /// <summary>The name to expect in the server's certificate where it is not the host of the address.</summary>
    public string? TlsServerName { get; init; }

    /// <summary>Our certificate with its private key, asked for at each new TLS connection.</summary>
    public Func<X509Certificate2?>? ClientCertificate { get; init; }

    /// <summary>Our bearer token, asked for at each request. It is never logged.</summary>
    public Func<string?>? BearerToken { get; init; }

    /// <summary>The namespace that commands act in when none is named.</summary>
    public string Namespace { get; init; } = "default";

    /// <summary>How long one request other than a watch or a stream may take, its retries not included.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    internal SslClientAuthenticationOptions CreateTlsOptions()
    {
        var options = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = ServerTrustException.Check };
        if (TlsServerName is not null)
        {
            options.TargetHost = TlsServerName;
        }

        if (Authorities is not null)
        {
            var policy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck, // A cluster's own CA publishes no revocation lists.
            };
            policy.CustomTrustStore.AddRange(Authorities);
            options.CertificateChainPolicy = policy;
        }

        if (ClientCertificate is { } certificate)
        {
            options.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate()!;
        }

        return options;
    }
}
