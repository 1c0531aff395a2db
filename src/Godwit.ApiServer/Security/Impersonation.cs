using Godwit.ApiServer.Requests;
using Microsoft.AspNetCore.Http;

namespace Godwit.ApiServer.Security;

/// <summary>Lets a member of system:masters act as somebody else, to see what that user may: <c>kubectl --as</c>.</summary>
internal static class Impersonation
{
    private const string UserHeader = "Impersonate-User";
    private const string GroupHeader = "Impersonate-Group";
    private const string HeaderPrefix = "Impersonate-";

    /// <summary>The user that the request is to be carried out as.</summary>
    /// <exception cref="StatusException">Somebody who may not asks for it (403), or in a way that is not served (400). It is never ignored.</exception>
    public static User Apply(HttpContext http, User user)
    {
        var asked = http.Request.Headers.Where(header => header.Key.StartsWith(HeaderPrefix, StringComparison.OrdinalIgnoreCase)).ToList();
        if (asked.Count == 0)
        {
            return user;
        }

        if (!user.IsIn(User.MastersGroup))
        {
            throw StatusException.Forbidden(new StatusSubject("", "users", http.Request.Headers[UserHeader].ToString()), $"User \"{user.Name}\" cannot impersonate");
        }

        var name = http.Request.Headers[UserHeader].ToString();
        if (name.Length == 0 || asked.Any(header => !header.Key.Equals(UserHeader, StringComparison.OrdinalIgnoreCase) && !header.Key.Equals(GroupHeader, StringComparison.OrdinalIgnoreCase)))
        {
            throw StatusException.BadRequest($"impersonation takes {UserHeader} and {GroupHeader} only, and the first is needed");
        }

        List<string> groups = [.. http.Request.Headers[GroupHeader].OfType<string>()];
        return name == User.Anonymous.Name ? User.Anonymous
            : groups.Count == 0 && name.StartsWith(User.ServiceAccountPrefix, StringComparison.Ordinal) && name.Split(':') is [_, _, var ns, _] ? new User(name, User.AccountGroups(ns))
            : new User(name, [.. groups, User.AuthenticatedGroup]);
    }
}
