using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Godwit.Real.Tests.Docker;

/// <summary>Authorities and what they signed, as PEM files.</summary>
internal sealed class CertificateFolder : IDisposable
{
    private readonly string path = Directory.CreateTempSubdirectory("gwd-pki-").FullName;
    private readonly Dictionary<string, X509Certificate2> authorities = new(StringComparer.Ordinal);

    public string Certificate(string name) => Path.Combine(path, name + ".pem");

    public string Key(string name) => Path.Combine(path, name + ".key");

    /// <summary>A folder HOST:PORT for each registry, as the engine is told of it.</summary>
    public string TrustFolder => Path.Combine(path, "trust");

    /// <summary>This authority, and no other, is believed about this registry.</summary>
    public void Trust(string registry, string authority) =>
        File.Copy(Certificate(authority), Path.Combine(Directory.CreateDirectory(Path.Combine(TrustFolder, registry)).FullName, "ca.crt"), overwrite: true);

    public void Authority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        authorities[name] = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(30));
        File.WriteAllText(Certificate(name), authorities[name].ExportCertificatePem());
    }

    /// <param name="purpose">What it is good for; null is for servers.</param>
    /// <param name="address">Whose it is; null is loopback.</param>
    public void Issue(string authority, string name, string? purpose = null, IPAddress? address = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(purpose ?? "1.3.6.1.5.5.7.3.1")], critical: false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(address ?? IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var made = request.Create(authorities[authority], TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(20), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(Certificate(name), made.ExportCertificatePem());
        File.WriteAllText(Key(name), key.ExportPkcs8PrivateKeyPem());
    }

    public void Dispose()
    {
        foreach (var authority in authorities.Values)
        {
            authority.Dispose();
        }

        Directory.Delete(path, recursive: true);
    }
}
