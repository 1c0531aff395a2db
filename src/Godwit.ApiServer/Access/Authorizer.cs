using Godwit.Api.Rbac.V1;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Access;

/// <summary>
/// Who may ask for what: the first that allows, allows; else the request is forbidden.
/// <code>
///   system:masters ─▶ node: what it runs (NodeAuthorizer) ─▶ roles that the user or a group of theirs is bound to
/// </code>
/// What depends on the content of a write is decided at the write itself, by admission.
/// </summary>
internal sealed class Authorizer(AccessIndex index)
{
    private static readonly PolicyRule[] Everything =
    [
        new() { ApiGroups = ["*"], Resources = ["*"], Verbs = ["*"] },
        new() { NonResourceUrls = ["*"], Verbs = ["*"] },
    ];

    public async ValueTask<bool> AllowsAsync(User user, RequestInfo info, CancellationToken stopping) =>
        user.IsIn(User.MastersGroup)
        || (index.Known is { } known && Allows(known, user, info))
        || Allows(await index.CurrentAsync(stopping), user, info); // What a client has just learned, a "no" must know too.

    /// <exception cref="StatusException">The user may not: 403 in Kubernetes' words, or 401 for one who did not say who they are.</exception>
    public async ValueTask CheckAsync(User user, RequestInfo info, CancellationToken stopping)
    {
        if (!await AllowsAsync(user, info, stopping))
        {
            throw user.IsAnonymous ? StatusException.Unauthorized() : Forbidden(user, info);
        }
    }

    /// <summary>The rules that apply to a user in a namespace, for a self-review. A node may read more: what it runs refers to.</summary>
    public async ValueTask<IReadOnlyList<PolicyRule>> RulesOfAsync(User user, string ns, CancellationToken stopping)
    {
        if (user.IsIn(User.MastersGroup))
        {
            return Everything;
        }

        var rules = (await index.CurrentAsync(stopping)).Roles.RulesOf(user, ns);
        return user.NodeName is { } node ? [.. rules, .. NodeAuthorizer.RulesOf(node)] : rules;
    }

    private static bool Allows(AccessState state, User user, RequestInfo info) =>
        (user.NodeName is { } node && info.IsResource && state.Holds(node, NodeAuthorizer.Judge(node, info)))
        || state.Roles.RulesOf(user, info.Namespace).Any(rule => PolicyRules.Allows(rule, info));

    private static StatusException Forbidden(User user, RequestInfo info)
    {
        if (!info.IsResource)
        {
            return StatusException.Forbidden(new StatusSubject("", "path", info.Path), $"User \"{user.Name}\" cannot {info.Verb} path \"{info.Path}\"");
        }

        var resource = info.Subresource.Length == 0 ? info.Resource : $"{info.Resource}/{info.Subresource}";
        var where = info.Namespace.Length == 0 ? "at the cluster scope" : $"in the namespace \"{info.Namespace}\"";
        return StatusException.Forbidden(info.Subject, $"User \"{user.Name}\" cannot {info.Verb} resource \"{resource}\" in API group \"{info.Group}\" {where}");
    }
}
