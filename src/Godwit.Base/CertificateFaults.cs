using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Godwit.Base;

/// <summary>What is wrong with a certificate that the other side showed, in words for a person.</summary>
public static class CertificateFaults
{
    private const int NameLengthMax = 200;

    /// <summary>One sentence without a full stop: whose certificate, its faults, who issued it, and its fingerprint.</summary>
    /// <param name="certificate">What was shown; null when nothing was.</param>
    /// <param name="flags">What building its chain found.</param>
    /// <param name="errors">What the handshake found.</param>
    /// <param name="host">The name that it should be for.</param>
    public static string Describe(X509Certificate? certificate, X509ChainStatusFlags flags, SslPolicyErrors errors, string? host) => certificate is X509Certificate2 shown
        ? $"the certificate of {Printable(shown.Subject)} is not trusted: {string.Join("; ", Faults(shown, flags, errors, host))} "
          + $"(issued by {Printable(shown.Issuer)}, SHA-256 {shown.GetCertHashString(HashAlgorithmName.SHA256)})"
        : "the server showed no certificate";

    /// <summary>All that a chain's building found.</summary>
    public static X509ChainStatusFlags FlagsOf(X509Chain? chain) => chain?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, each) => all | each.Status) ?? X509ChainStatusFlags.NoError;

    private static IEnumerable<string> Faults(X509Certificate2 shown, X509ChainStatusFlags flags, SslPolicyErrors errors, string? host)
    {
        const X509ChainStatusFlags unknownIssuer = X509ChainStatusFlags.PartialChain | X509ChainStatusFlags.UntrustedRoot;
        if ((flags & unknownIssuer) != X509ChainStatusFlags.NoError)
        {
            yield return "none of the authorities that are trusted here has signed it";
        }

        if (flags.HasFlag(X509ChainStatusFlags.NotTimeValid))
        {
            yield return string.Create(
                CultureInfo.InvariantCulture, $"it or one that it stands on is not in time (itself valid from {shown.NotBefore.ToUniversalTime():u} to {shown.NotAfter.ToUniversalTime():u})");
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            yield return $"it is not for the name '{host}'";
        }

        if ((flags & ~unknownIssuer & ~X509ChainStatusFlags.NotTimeValid) is var others && others != X509ChainStatusFlags.NoError)
        {
            yield return others.ToString();
        }
    }

    /// <summary>A stranger chose this text, and it goes to a terminal.</summary>
    private static string Printable(string name)
    {
        if (name.Length == 0)
        {
            return "no name";
        }

        var clean = string.Concat(name.Select(each => char.IsControl(each) ? '?' : each));
        return clean.Length <= NameLengthMax ? clean : clean[..NameLengthMax] + "…";
    }
}
