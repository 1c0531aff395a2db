using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Godwit.Store.Etcd;

/// <summary>How we know etcd's members, and how they know us.</summary>
internal static class EtcdTls
{
    /// <returns>What the handshake needs, and what must be disposed of at the end.</returns>
    /// <exception cref="StoreUnavailableException">A file is missing or not what it should be, or nothing was named though it must be.</exception>
    public static (SslClientAuthenticationOptions Options, X509Certificate2Collection Owned) From(EtcdStoreOptions options)
    {
        if (options is { AuthorityFile: null, CertificateFile: null })
        {
            throw Refused($"{options.Address} is not on this host, and no certificates were named: secrets would cross the network in the open. Name its authority's certificate, and ours with its key; or say that a plain connection is meant");
        }

        if ((options.CertificateFile is null) != (options.KeyFile is null))
        {
            throw Refused("A client's certificate and its key go together: name both files, or none");
        }

        var tls = new SslClientAuthenticationOptions { EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13 };
        var owned = new X509Certificate2Collection();
        if (options.AuthorityFile is { } authority)
        {
            var trusted = Read(authority, () =>
            {
                var found = new X509Certificate2Collection();
                found.ImportFromPemFile(authority);
                return found.Count > 0 ? found : throw new CryptographicException("There is no certificate in it.");
            });
            owned.AddRange(trusted);
            tls.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            tls.CertificateChainPolicy.CustomTrustStore.AddRange(trusted);
        }

        if (options.CertificateFile is { } certificate)
        {
            var shown = Read(certificate, () => X509Certificate2.CreateFromPemFile(certificate, options.KeyFile));
            owned.Add(shown);
            tls.ClientCertificates = [shown];
            tls.LocalCertificateSelectionCallback = (_, _, _, _, _) => shown;
        }

        return (tls, owned);
    }

    private static T Read<T>(string file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new StoreUnavailableException(StoreFault.AccessDenied, $"Cannot read the certificate {file}, or the key that goes with it: both must be PEM, and readable by this user", error);
        }
    }

    private static StoreUnavailableException Refused(string message) => new(StoreFault.AccessDenied, message);
}
