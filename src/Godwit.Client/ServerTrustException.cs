using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Godwit.Base;

namespace Godwit.Client;

/// <summary>A server showed a certificate that is not to be believed; the message says which, and what is wrong with it.</summary>
public sealed class ServerTrustException : AuthenticationException
{
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
    internal static bool Check(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) => errors == SslPolicyErrors.None
        ? true
        : throw new ServerTrustException(CertificateFaults.Describe(certificate, CertificateFaults.FlagsOf(chain), errors, (sender as SslStream)?.TargetHostName));
}
