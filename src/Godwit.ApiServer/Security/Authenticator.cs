using System.Security.Cryptography.X509Certificates;
using Godwit.ApiServer.Requests;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Security;

/// <summary>Finds out who sends a request: a client certificate of our authority, a bearer token, or nobody.</summary>
internal sealed class Authenticator(CertificateAuthority authority, TokenTable tokens)
{
    private static readonly object ConnectionUserKey = new();

    /// <exception cref="StatusException">Credentials were given and are not good: 401. Bad ones never count as none.</exception>
    public User Authenticate(HttpContext http)
    {
        var header = http.Request.Headers.Authorization.ToString();
        if (header.Length > 0)
        {
            return header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && tokens.Find(header[7..].Trim()) is { } user
                ? user
                : throw StatusException.Unauthorized();
        }

        return http.Connection.ClientCertificate is { } certificate ? OfConnection(http, certificate) : User.Anonymous;
    }

    /// <summary>A certificate is looked at once for each connection; the connection's later requests are the same user's.</summary>
    private User OfConnection(HttpContext http, X509Certificate2 certificate)
    {
        var items = http.Features.Get<IConnectionItemsFeature>()?.Items;
        if (items is not null && items.TryGetValue(ConnectionUserKey, out var known) && known is User remembered)
        {
            return remembered;
        }

        var user = Read(certificate);
        if (items is not null)
        {
            items[ConnectionUserKey] = user;
        }

        return user;
    }

    private User Read(X509Certificate2 certificate) =>
        authority.Vouches(certificate, CertificateAuthority.ClientAuth) && CertificateSubject.Read(certificate) is { } user
            ? user
            : throw StatusException.Unauthorized();
}
