using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Security;

/// <summary>
/// Who may ask for what, as fixed rules: the first rule that allows, allows; else the request is forbidden. What depends
/// on an object's content (a node and its own guests) is decided at the write itself, by admission.
/// </summary>
internal static class Authorizer
{
    private static readonly string[] ReadVerbs = ["get", "list", "watch"];

    private static readonly string[] EveryPath = ["*"];

    private static readonly string[] OpenPaths = ["/healthz", "/healthz/*", "/livez", "/livez/*", "/readyz", "/readyz/*", "/version", "/version/*"];

    private static readonly string[] AuthenticatedPaths =
        [.. OpenPaths, "/", "/api", "/api/*", "/apis", "/apis/*", "/metrics", "/openapi", "/openapi/*"];

    private static readonly Rule[] Everyone =
    [
        new("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
        new("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
    ];

    private static readonly Rule[] Bootstrappers =
    [
        new("certificates.k8s.io", ["certificatesigningrequests"], ["create", "get", "watch", "list"]),
    ];

    private static readonly Rule[] Nodes =
    [
        new("", ["nodes", "namespaces", "configmaps", "secrets"], ReadVerbs),
        new("", ["nodes", "nodes/status"], ["create", "update", "patch"]),
        new("", ["pods", "services", "endpoints", "serviceaccounts"], ReadVerbs),
        new("", ["pods", "pods/status"], ["update", "patch"]),
        new("discovery.k8s.io", ["endpointslices"], ReadVerbs),
        new("", ["events"], ["create", "update", "patch"]),
        new("coordination.k8s.io", ["leases"], ["get", "list", "watch", "create", "update", "patch"]),
        new("certificates.k8s.io", ["certificatesigningrequests"], ["create", "get"]),
        new("kubevirt.io", ["virtualmachines", "virtualmachineinstances", "virtualmachineinstancemigrations"], ReadVerbs),
        new("kubevirt.io", ["virtualmachineinstances", "virtualmachineinstances/status", "virtualmachineinstancemigrations", "virtualmachineinstancemigrations/status"], ["update", "patch"]),
        new("migrations.kubevirt.io", ["migrationpolicies"], ReadVerbs),
        new("godwit.dev", ["*"], ReadVerbs),
        new("godwit.dev", ["forecasts", "forecasts/status"], ["update", "patch"]),
    ];

    // The controllers run everything but do not hand out credentials.
    private static readonly Rule[] Controllers =
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

    public static bool Allows(User user, RequestInfo info) =>
        user.IsIn(User.MastersGroup) || (info.IsResource ? AllowsResource(user, info) : AllowsPath(user, info));

    /// <exception cref="StatusException">The user may not: 403 in Kubernetes' words, or 401 for one who did not say who they are.</exception>
    public static void Check(User user, RequestInfo info)
    {
        if (!Allows(user, info))
        {
            throw user.IsAnonymous ? StatusException.Unauthorized() : Forbidden(user, info);
        }
    }

    /// <summary>The rules that apply to a user, for a self-review.</summary>
    public static IReadOnlyList<Rule> RulesOf(User user)
    {
        if (user.IsIn(User.MastersGroup))
        {
            return [new Rule("*", ["*"], ["*"])];
        }

        var rules = new List<Rule>();
        if (user.IsIn(User.AuthenticatedGroup))
        {
            rules.AddRange(Everyone);
        }

        if (user.IsIn(User.BootstrappersGroup))
        {
            rules.AddRange(Bootstrappers);
        }

        if (user.NodeName is not null)
        {
            rules.AddRange(Nodes);
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

    private static bool AllowsResource(User user, RequestInfo info) => RulesOf(user).Any(rule => rule.Allows(info));

    private static bool AllowsPath(User user, RequestInfo info) =>
        PathVerbs.Contains(info.Verb) && PathsOf(user).Any(rule => IsAt(info.Path, rule));

    private static bool IsAt(string path, string rule) =>
        rule.EndsWith('*') ? path.AsSpan().StartsWith(rule.AsSpan(0, rule.Length - 1), StringComparison.Ordinal) : path == rule;

    /// <summary>Lets verbs be done to resources of a group; <c>*</c> is any. A subresource is written <c>resource/subresource</c>.</summary>
    public sealed record Rule(string Group, IReadOnlyList<string> Resources, IReadOnlyList<string> Verbs)
    {
        public bool Allows(RequestInfo info)
        {
            var resource = info.Subresource.Length == 0 ? info.Resource : $"{info.Resource}/{info.Subresource}";
            return (Group == "*" || Group == info.Group)
                && (Resources.Contains("*") || Resources.Contains(resource))
                && (Verbs.Contains("*") || Verbs.Contains(info.Verb));
        }
    }
}
