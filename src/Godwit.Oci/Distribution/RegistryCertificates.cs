using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Godwit.Base;

namespace Godwit.Oci.Distribution;

/// <summary>
/// Whom to believe that they are a registry, and how to show oneself to it. In a folder, for each registry that needs it, a folder of its name:
/// <code>
///   HOST:PORT/*.crt           authorities that are believed besides the host's own
///   HOST:PORT/NAME.cert, .key a certificate to show when the registry asks for one
/// </code>
/// Read at each new connection, so that what an operator lays down counts from then on. Source of the layout: Docker's <c>certs.d</c>.
/// </summary>
internal sealed class RegistryCertificates(string? folder)
{
    private const int FilesMax = 64;

    /// <summary>Whether authorities of its own are named for this registry; then it is never spoken to without checking.</summary>
    /// <param name="authority">Its host, and port unless that is the scheme's own.</param>
    public bool Has(string authority) => Files(authority, "*.crt").Length > 0;

    /// <summary>What to do about distrust, as the end of a sentence.</summary>
    public string Advice(string authority) => folder is null ? "" : $"; if it is the right one, lay its authority's certificate down as {Path.Combine(folder, authority)}/ca.crt";

    /// <summary>Believes what the host believes, and what the registry's own authorities signed.</summary>
    /// <param name="isChecked">Without, whatever certificate is believed as long as no authorities of its own are named.</param>
    /// <exception cref="RegistryTrustException">It is not to be believed; why.</exception>
    public bool Check(string authority, bool isChecked, object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        var files = Files(authority, "*.crt");
        if (errors == SslPolicyErrors.None || (!isChecked && files.Length == 0))
        {
            return true;
        }

        var flags = CertificateFaults.FlagsOf(chain);
        if (errors == SslPolicyErrors.RemoteCertificateChainErrors && files.Length > 0 && certificate is X509Certificate2 shown)
        {
            using var own = new X509Chain { ChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck } };
            own.ChainPolicy.CustomTrustStore.AddRange(Read(files));
            own.ChainPolicy.ExtraStore.AddRange(chain?.ChainPolicy.ExtraStore ?? []);
            own.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1")); // For servers.
            if (own.Build(shown))
            {
                return true;
            }

            flags = CertificateFaults.FlagsOf(own);
        }

        throw new RegistryTrustException(CertificateFaults.Describe(certificate, flags, errors, (sender as SslStream)?.TargetHostName));
    }

    /// <summary>What to show to a registry that asks; null when there is nothing.</summary>
    /// <exception cref="RegistryTrustException">There is something, and it cannot be used.</exception>
    public X509Certificate2? OwnFor(string authority)
    {
        if (Files(authority, "*.cert") is not [var path, ..])
        {
            return null;
        }

        var key = Path.ChangeExtension(path, ".key");
        try
        {
            return X509Certificate2.CreateFromPemFile(path, key);
        }
        catch (Exception reason) when (reason is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new RegistryTrustException($"the certificate {path} with its key {key} cannot be shown to it: {reason.Message}", reason);
        }
    }

    private static X509Certificate2Collection Read(string[] files)
    {
        var found = new X509Certificate2Collection();
        foreach (var path in files)
        {
            try
            {
                found.ImportFromPemFile(path);
            }
            catch (Exception reason) when (reason is CryptographicException or IOException or UnauthorizedAccessException)
            {
                throw new RegistryTrustException($"the authorities in {path} cannot be read: {reason.Message}", reason);
            }
        }

        return found;
    }

    /// <summary>A registry at the port of its scheme may stand there with its port or without.</summary>
    private string[] Files(string authority, string pattern)
    {
        if (folder is null || authority is "." or ".." || authority.Contains('/', StringComparison.Ordinal))
        {
            return [];
        }

        foreach (var name in authority.EndsWith(']') || !authority.Contains(':', StringComparison.Ordinal) ? [authority, authority + ":443"] : (string[])[authority])
        {
            var place = Path.Combine(folder, name);
            if (Directory.Exists(place))
            {
                return [.. Directory.EnumerateFiles(place, pattern).Order(StringComparer.Ordinal).Take(FilesMax)];
            }
        }

        return [];
    }
}

/// <summary>A registry cannot be believed to be itself, or cannot be shown who asks; the message says why.</summary>
internal sealed class RegistryTrustException(string message, Exception? cause = null) : AuthenticationException(message, cause)
{
    /// <summary>The distrust that an error comes from, or null when it comes from something else.</summary>
    public static RegistryTrustException? In(Exception? error)
    {
        while (error is not null and not RegistryTrustException)
        {
            error = error.InnerException;
        }

        return error as RegistryTrustException;
    }
}
