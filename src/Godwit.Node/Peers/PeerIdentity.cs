using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Godwit.Node.Peers;

/// <summary>
/// Who this node is to others, and how it knows them: its certificate with key, and the cluster's authority. An agent is
/// recognised by nothing but its certificate: subject <c>O=system:nodes, CN=system:node:NAME</c>, signed by the
/// authority, in time, allowed for the role it plays. Addresses and host names prove nothing here.
/// </summary>
internal sealed class PeerIdentity
{
    public const string CommonNamePrefix = "system:node:";
    public const string Organization = "system:nodes";

    private const string CommonNameOid = "2.5.4.3";
    private const string OrganizationOid = "2.5.4.10";
    private const string ServerAuthenticationOid = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthenticationOid = "1.3.6.1.5.5.7.3.2";

    // AES-128-GCM first: the stream is bulk data, and this is the fastest of the three where the CPU has AES.
    private static readonly CipherSuitesPolicy Ciphers = new(
    [
        TlsCipherSuite.TLS_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
    ]);

    private readonly TimeProvider time;
    private volatile Credentials credentials;

    /// <param name="certificate">The node's certificate with its private key.</param>
    /// <param name="authorities">The cluster's certificate authorities; not the host's own trust store, ever.</param>
    /// <exception cref="PeerException">The certificate is no node's, or has no key.</exception>
    public PeerIdentity(X509Certificate2 certificate, X509Certificate2Collection authorities, TimeProvider time)
    {
        this.time = time;
        credentials = Check(certificate, authorities);
        Name = credentials.Name;
    }

    public NodeName Name { get; }

    public X509Certificate2 Certificate => credentials.Context.TargetCertificate;

    /// <summary>Puts a renewed certificate in place; connections that stand keep the old one.</summary>
    public void Renew(X509Certificate2 certificate, X509Certificate2Collection authorities)
    {
        var renewed = Check(certificate, authorities);
        if (renewed.Name != Name)
        {
            throw new PeerException($"The renewed certificate names node {renewed.Name}, but this node is {Name}.");
        }

        credentials = renewed;
    }

    /// <summary>The options of the listening end: a certificate of a node is demanded.</summary>
    public SslServerAuthenticationOptions ForServer() => new()
    {
        ServerCertificateContext = credentials.Context,
        ClientCertificateRequired = true,
        EnabledSslProtocols = SslProtocols.Tls13,
        CipherSuitesPolicy = Ciphers,
        CertificateChainPolicy = ChainPolicy(ClientAuthenticationOid),
        RemoteCertificateValidationCallback = (_, certificate, _, errors) => errors == SslPolicyErrors.None && NameOf(certificate) is not null,
        AllowTlsResume = false, // A resumed session would outlive the certificate that opened it.
    };

    /// <summary>The options of the dialling end: the other end must be the one node that was meant.</summary>
    public SslClientAuthenticationOptions ForClient(NodeName expected) => new()
    {
        TargetHost = expected.Value,
        ClientCertificateContext = credentials.Context,
        EnabledSslProtocols = SslProtocols.Tls13,
        CipherSuitesPolicy = Ciphers,
        CertificateChainPolicy = ChainPolicy(ServerAuthenticationOid),
        // The subject is the identity, so a differing host name is no error and an equal one no proof.
        RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
            (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None && NameOf(certificate) == expected,
        AllowTlsResume = false,
    };

    /// <summary>The node that a certificate names, or null when it names none. Says nothing about who signed it.</summary>
    public static NodeName? NameOf(X509Certificate? certificate)
    {
        if (certificate is not X509Certificate2 full)
        {
            return null;
        }

        string? commonName = null;
        var isNode = false;
        try
        {
            foreach (var part in full.SubjectName.EnumerateRelativeDistinguishedNames())
            {
                if (part.HasMultipleElements)
                {
                    return null;
                }

                switch (part.GetSingleElementType().Value)
                {
                    case CommonNameOid when commonName is not null:
                        return null; // Two names are no name.
                    case CommonNameOid:
                        commonName = part.GetSingleElementValue();
                        break;
                    case OrganizationOid:
                        isNode |= string.Equals(part.GetSingleElementValue(), Organization, StringComparison.Ordinal);
                        break;
                }
            }
        }
        catch (CryptographicException)
        {
            return null;
        }

        return isNode
            && commonName is not null
            && commonName.StartsWith(CommonNamePrefix, StringComparison.Ordinal)
            && NodeName.TryParse(commonName[CommonNamePrefix.Length..], out var name)
                ? name
                : null;
    }

    private static Credentials Check(X509Certificate2 certificate, X509Certificate2Collection authorities)
    {
        if (!certificate.HasPrivateKey)
        {
            throw new PeerException($"The certificate '{certificate.Subject}' came without its private key: this node could not prove who it is.");
        }

        var name = NameOf(certificate)
            ?? throw new PeerException($"The certificate '{certificate.Subject}' is no node's: its subject must be O={Organization}, CN={CommonNamePrefix}NAME.");
        return new Credentials(name, SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true), authorities);
    }

    private X509ChainPolicy ChainPolicy(string usageOid)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck, // The authority publishes no list; certificates are short-lived.
            VerificationTime = time.GetUtcNow().UtcDateTime,
            VerificationTimeIgnored = false,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(credentials.Authorities);
        policy.ApplicationPolicy.Add(new Oid(usageOid));
        return policy;
    }

    private sealed record Credentials(NodeName Name, SslStreamCertificateContext Context, X509Certificate2Collection Authorities);
}
