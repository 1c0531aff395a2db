using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Access;

/// <summary>
/// Who may ask for what: the first rule that allows, allows; else the request is forbidden. A node's rights follow from
/// what it runs (<see cref="NodeAuthorizer"/>). What depends on the content of a write is decided at the write itself, by admission.
/// </summary>
internal sealed class Authorizer(AccessIndex index)
{
    private static readonly string[] ReadVerbs = ["get", "list", "watch"];

    private static readonly string[] EveryPath = ["*"];

    private static readonly string[] OpenPaths = ["/healthz", "/healthz/*", "/livez", "/livez/*", "/readyz", "/readyz/*", "/version", "/version/*"];

    private static readonly string[] AuthenticatedPaths =
        [.. OpenPaths, "/", "/api", "/api/*", "/apis", "/apis/*", "/metrics", "/openapi", "/openapi/*"];

    private static readonly AccessRule[] Everyone =
    [
        new("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
        new("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
    ];

    private static readonly AccessRule[] Bootstrappers =
    [
        new("certificates.k8s.io", ["certificatesigningrequests"], ["create", "get", "watch", "list"]),
    ];

    // The controllers run everything but do not hand out credentials.
    private static readonly AccessRule[] Controllers =
    [
        new("", ["*"], ["*"]),
        new("coordination.k8s.io", ["*"], ["*"]),
        new("discovery.k8s.io", ["*"], ["*"]),
        new("apps", ["*"], ["*"]),
        new("batch", ["*"], ["*"]),
        new("policy", ["*"], ["*"]),
        new("kubevirt.io", ["*"], ["*"]),
        new("migrations.kubevirt.io", ["*"], ["*"]),
        new("godwit.dev", ["*"], ["*"]),
        new("certificates.k8s.io", ["*"], ReadVerbs),
    ];

    public async ValueTask<bool> AllowsAsync(User user, RequestInfo info, CancellationToken stopping) =>
        user.IsIn(User.MastersGroup)
        || (info.IsResource ? AllowsResource(user, info) : AllowsPath(user, info))
        || (user.NodeName is { } node && info.IsResource && await AllowsNodeAsync(node, NodeAuthorizer.Judge(node, info), stopping));

    /// <exception cref="StatusException">The user may not: 403 in Kubernetes' words, or 401 for one who did not say who they are.</exception>
    public async ValueTask CheckAsync(User user, RequestInfo info, CancellationToken stopping)
    {
        if (!await AllowsAsync(user, info, stopping))
        {
            throw user.IsAnonymous ? StatusException.Unauthorized() : Forbidden(user, info);
        }
    }

    /// <summary>The rules that apply to a user, for a self-review. A node may read more: what it runs refers to.</summary>
    public static IReadOnlyList<AccessRule> RulesOf(User user) =>
        user.NodeName is { } node ? [.. GeneralRulesOf(user), .. NodeAuthorizer.RulesOf(node)] : GeneralRulesOf(user);

    private static List<AccessRule> GeneralRulesOf(User user)
    {
        if (user.IsIn(User.MastersGroup))
        {
            return [new AccessRule("*", ["*"], ["*"])];
        }

        var rules = new List<AccessRule>();
        if (user.IsIn(User.AuthenticatedGroup))
        {
            rules.AddRange(Everyone);
        }

        if (user.IsIn(User.BootstrappersGroup))
        {
            rules.AddRange(Bootstrappers);
        }

        if (user.Name == User.ControllersName)
        {
            rules.AddRange(Controllers);
        }

        return rules;
    }

    /// <summary>What may be done to a path that is no resource, except by those who may do everything.</summary>
    public static IReadOnlyList<string> PathVerbs { get; } = ["get", "head"];

    /// <summary>
    /// The paths that are no resources and that a user may read. One that ends in <c>*</c> stands for all that begin
    /// with what is before it; <c>*</c> alone is every path, with every verb.
    /// </summary>
    public static IReadOnlyList<string> PathsOf(User user) =>
        user.IsIn(User.MastersGroup) ? EveryPath : user.IsIn(User.AuthenticatedGroup) ? AuthenticatedPaths : OpenPaths;

    /// <summary>What a node has just learned from the store, the state must have learned too before it says no.</summary>
    private async ValueTask<bool> AllowsNodeAsync(string node, NodeVerdict verdict, CancellationToken stopping) => verdict is NodeVerdict.Decided { Allowed: var allowed }
        ? allowed
        : (index.Known is { } known && known.Holds(node, verdict)) || (await index.CurrentAsync(stopping)).Holds(node, verdict);

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

    private static bool AllowsResource(User user, RequestInfo info) => GeneralRulesOf(user).Any(rule => rule.Allows(info));

    private static bool AllowsPath(User user, RequestInfo info) =>
        PathVerbs.Contains(info.Verb) && PathsOf(user).Any(rule => IsAt(info.Path, rule));

    private static bool IsAt(string path, string rule) =>
        rule.EndsWith('*') ? path.AsSpan().StartsWith(rule.AsSpan(0, rule.Length - 1), StringComparison.Ordinal) : path == rule;
}
