using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using Godwit.ApiServer.Requests;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Security;

/// <summary>Finds out who sends a request: a client certificate of our authority, a bearer token (the operator's, or a service account's), or nobody.</summary>
internal sealed class Authenticator(CertificateAuthority authority, TokenTable tokens, AccountAuthenticator accounts)
{
    private static readonly string[] OwnAudience = [AccountToken.Issuer];

    private readonly ConditionalWeakTable<X509Certificate2, User> users = [];

    /// <exception cref="StatusException">Credentials were given and are not good: 401. Bad ones never count as none.</exception>
    public async ValueTask<User> AuthenticateAsync(HttpContext http)
    {
        var header = http.Request.Headers.Authorization.ToString();
        if (header.Length > 0)
        {
            var user = header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? (await FindByTokenAsync(header[7..].Trim(), [], http.RequestAborted))?.User : null;
            return user is null ? throw StatusException.Unauthorized()
                : user.IsIn(User.BootstrappersGroup) && http.Connection.ClientCertificate is { } former ? user with { Former = ReadFormer(former) }
                : user;
        }

        return http.Connection.ClientCertificate is { } certificate ? OfConnection(certificate) : User.Anonymous;
    }

    /// <summary>Whose token this is that is meant for one of the audiences; none given: for this server. Null: nobody's.</summary>
    public async ValueTask<TokenOwner?> FindByTokenAsync(string token, IReadOnlyList<string> audiences, CancellationToken stopping)
    {
        var wanted = audiences.Count > 0 ? audiences : OwnAudience;
        return tokens.Find(token) is not { } user ? await accounts.FindAsync(token, wanted, stopping)
            : wanted.Contains(AccountToken.Issuer) ? new TokenOwner(user, OwnAudience) // The operator's tokens are meant for this server alone.
            : null;
    }

    /// <summary>
    /// A certificate is looked at once for each connection, which has it as one object; the connection's later requests are the same user's. Requests of one
    /// connection come at the same time, so nothing of the connection itself may be written to.
    /// </summary>
    private User OfConnection(X509Certificate2 certificate) => users.GetValue(certificate, Read);

    /// <summary>A node that was away past its certificate's end has nothing else to be known by; TLS has proved that it holds the key.</summary>
    private FormerNode? ReadFormer(X509Certificate2 certificate) =>
        authority.Vouches(certificate, CertificateAuthority.ClientAuth, evenIfExpired: true) && CertificateSubject.Read(certificate)?.NodeName is { } node
            ? new FormerNode(node, new DateTimeOffset(certificate.NotAfter))
            : null;

    private User Read(X509Certificate2 certificate) =>
        authority.Vouches(certificate, CertificateAuthority.ClientAuth) && CertificateSubject.Read(certificate) is { } user
            ? user
            : throw StatusException.Unauthorized();
}
