using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Godwit.Node.Serving;

/// <summary>Who may talk to an agent: the API server (<c>CN=system:godwit-server</c>) and administrators (<c>O=system:masters</c>).</summary>
internal static class AgentAccess
{
    private const string ServerName = "system:godwit-server";
    private const string Administrators = "system:masters";
    private const string CommonNameOid = "2.5.4.3";
    private const string OrganizationOid = "2.5.4.10";
    private const string ClientAuthenticationOid = "1.3.6.1.5.5.7.3.2";

    public static bool Allows(X509Certificate2? certificate, X509Certificate2Collection authorities, DateTimeOffset now)
    {
        if (certificate is null || !IsNamed(certificate))
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = now.UtcDateTime;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientAuthenticationOid));
        return chain.Build(certificate);
    }

    private static bool IsNamed(X509Certificate2 certificate)
    {
        try
        {
            var parts = certificate.SubjectName.EnumerateRelativeDistinguishedNames().ToList();
            return parts.TrueForAll(part => !part.HasMultipleElements)
                && parts.Exists(part =>
                    (part.GetSingleElementType().Value == CommonNameOid && part.GetSingleElementValue() == ServerName)
                    || (part.GetSingleElementType().Value == OrganizationOid && part.GetSingleElementValue() == Administrators));
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
