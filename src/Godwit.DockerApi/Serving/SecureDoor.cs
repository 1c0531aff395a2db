using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Godwit.DockerApi;

/// <summary>
/// Where the Docker API answers over TCP. Who may speak to it is root on this host, so both sides show certificates: the engine its own, the client
/// one that the given authorities signed for clients. There is no door without.
/// </summary>
/// <param name="Address">Where it listens.</param>
/// <param name="Certificate">The engine's, with its key.</param>
/// <param name="Chain">Those between it and its authority; may be empty.</param>
/// <param name="ClientAuthorities">Who signs clients' certificates.</param>
public sealed record SecureDoor(IPEndPoint Address, X509Certificate2 Certificate, X509Certificate2Collection Chain, X509Certificate2Collection ClientAuthorities)
{
    private const string ForClients = "1.3.6.1.5.5.7.3.2"; // RFC 5280, 4.2.1.12: id-kp-clientAuth.

    private static readonly TimeSpan HandshakeBound = TimeSpan.FromSeconds(10);

    /// <summary>Reads the three files that Docker's clients and engines name <c>cert.pem</c>, <c>key.pem</c> and <c>ca.pem</c>.</summary>
    /// <exception cref="IOException">One of them cannot be read, or holds something else; its name is told.</exception>
    public static SecureDoor Load(IPEndPoint address, string certificatePath, string keyPath, string authoritiesPath)
    {
        var authorities = ReadAll(authoritiesPath);
        var all = ReadAll(certificatePath);
        try
        {
            using var pem = X509Certificate2.CreateFromPemFile(certificatePath, keyPath);
            // A key that was read from PEM serves TLS on every platform once it went through PKCS#12.
            var own = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
            return new SecureDoor(address, own, [.. all.Skip(1)], authorities);
        }
        catch (Exception reason) when (reason is CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{keyPath} holds no PEM key that fits the certificate in {certificatePath}: give both with --tlscert and --tlskey", reason);
        }
    }

    internal void Configure(ListenOptions listen) => listen.UseHttps(new HttpsConnectionAdapterOptions
    {
        ServerCertificate = Certificate,
        ServerCertificateChain = Chain,
        SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        HandshakeTimeout = HandshakeBound,
        ClientCertificateMode = ClientCertificateMode.RequireCertificate,
        ClientCertificateValidation = (certificate, sent, _) => Trusts(certificate, sent),
    });

    /// <summary>Whether one of the authorities signed it, for a client, and it is valid now.</summary>
    internal bool Trusts(X509Certificate2 certificate, X509Chain? sent)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ForClients));
        chain.ChainPolicy.CustomTrustStore.AddRange(ClientAuthorities);
        foreach (var element in sent?.ChainElements.ToList() ?? [])
        {
            chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        }

        return chain.Build(certificate);
    }

    private static X509Certificate2Collection ReadAll(string path)
    {
        var found = new X509Certificate2Collection();
        try
        {
            found.ImportFromPemFile(path);
        }
        catch (Exception reason) when (reason is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{path} cannot be read as certificates in PEM form", reason);
        }

        return found.Count > 0 ? found : throw new IOException($"{path} holds no certificate in PEM form");
    }
}
