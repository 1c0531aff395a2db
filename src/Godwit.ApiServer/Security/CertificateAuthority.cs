using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Godwit.ApiServer.Security;

/// <summary>
/// The cluster's own authority. Everyone in the cluster is known by a certificate of it: CN is the user, each O a
/// group. ECDSA P-256 throughout: small, quick to make at first start, and taken by every client.
/// </summary>
internal sealed class CertificateAuthority(X509Certificate2 certificate, TimeProvider clock)
{
    public const string ServerAuth = "1.3.6.1.5.5.7.3.1";
    public const string ClientAuth = "1.3.6.1.5.5.7.3.2";

    public static readonly TimeSpan AuthorityLifetime = TimeSpan.FromDays(3650);
    public static readonly TimeSpan LeafLifetime = TimeSpan.FromDays(365);

    /// <summary>Clocks in a cluster differ; a certificate is good from a little before now.</summary>
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(10);

    public X509Certificate2 Certificate { get; } = certificate;

    public string CertificatePem => Certificate.ExportCertificatePem();

    public static X509Certificate2 MakeRoot(string commonName, TimeProvider clock)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(new X500DistinguishedName($"CN={commonName}"), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = clock.GetUtcNow();
        return request.CreateSelfSigned(now - ClockSkew, now + AuthorityLifetime);
    }

    /// <summary>Makes a key and a certificate for it.</summary>
    /// <param name="subject">Who it is.</param>
    /// <param name="usages">Extended key usages.</param>
    /// <param name="names">DNS names and addresses it serves under; null for a client.</param>
    public X509Certificate2 Issue(X500DistinguishedName subject, IReadOnlyList<string> usages, SubjectAlternativeNameBuilder? names)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signed = Sign(new CertificateRequest(subject, key, HashAlgorithmName.SHA256), usages, names?.Build());
        return signed.CopyWithPrivateKey(key);
    }

    /// <summary>Signs a request whose subject and key were checked; of the request's own extensions none is taken over.</summary>
    public X509Certificate2 Sign(CertificateRequest request, IReadOnlyList<string> usages, X509Extension? names)
    {
        request.CertificateExtensions.Clear();
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([.. usages.Select(usage => new Oid(usage))], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        if (names is not null)
        {
            request.CertificateExtensions.Add(names);
        }

        var now = clock.GetUtcNow();
        var authorityEnd = new DateTimeOffset(Certificate.NotAfter);
        var end = now + LeafLifetime < authorityEnd ? now + LeafLifetime : authorityEnd;
        return request.Create(Certificate, now - ClockSkew, end, RandomNumberGenerator.GetBytes(16));
    }

    /// <summary>Whether the authority issued a certificate that is good now for the usage.</summary>
    /// <param name="candidate">The certificate.</param>
    /// <param name="usage">One of its extended key usages.</param>
    /// <param name="evenIfExpired">Whether one that was good, and has ended, will do.</param>
    public bool Vouches(X509Certificate2 candidate, string usage, bool evenIfExpired = false)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(Certificate);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        var now = clock.GetUtcNow().UtcDateTime;
        var end = candidate.NotAfter.ToUniversalTime() - TimeSpan.FromSeconds(1);
        chain.ChainPolicy.VerificationTime = evenIfExpired && end < now ? end : now;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(usage));
        return chain.Build(candidate);
    }
}
