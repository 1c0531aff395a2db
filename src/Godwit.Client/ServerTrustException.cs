using System.Globalization;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Godwit.Client;

/// <summary>A server showed a certificate that is not to be believed; the message says which, and what is wrong with it.</summary>
public sealed class ServerTrustException : AuthenticationException
{
    private const int NameLengthMax = 200;

    private ServerTrustException(string message)
        : base(message)
    {
    }

    /// <summary>The distrust that an error comes from, or null when it comes from something else.</summary>
    internal static ServerTrustException? In(Exception? error)
    {
        while (error is not null and not ServerTrustException)
        {
            error = error.InnerException;
        }

        return error as ServerTrustException;
    }

    /// <summary>Ends the handshake with an error that tells more than a bare no; in the form of <see cref="RemoteCertificateValidationCallback"/>.</summary>
    /// <exception cref="ServerTrustException">Something is wrong with the certificate.</exception>
    internal static bool Check(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (errors == SslPolicyErrors.None)
        {
            return true;
        }

        if (certificate is not X509Certificate2 shown)
        {
            throw new ServerTrustException("the server showed no certificate");
        }

        var flags = chain?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, each) => all | each.Status) ?? X509ChainStatusFlags.NoError;
        throw new ServerTrustException(
            $"the certificate of {Printable(shown.Subject)} is not trusted: {string.Join("; ", Faults(shown, flags, errors, (sender as SslStream)?.TargetHostName))} "
            + $"(issued by {Printable(shown.Issuer)}, SHA-256 {shown.GetCertHashString(HashAlgorithmName.SHA256)})");
    }

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
