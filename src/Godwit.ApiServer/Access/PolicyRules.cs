using Godwit.Api.Rbac.V1;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Access;

/// <summary>
/// What a rule lets be done: pure. Source: Kubernetes documentation, "Using RBAC Authorization".
/// </summary>
internal static class PolicyRules
{
    private const string Any = "*";

    /// <summary>A rule about resources of one group.</summary>
    public static PolicyRule On(string group, IReadOnlyList<string> resources, params IReadOnlyList<string> verbs) => new() { ApiGroups = [group], Resources = resources, Verbs = verbs };

    public static bool Allows(PolicyRule rule, RequestInfo info) => Matches(rule.Verbs, info.Verb) && (info.IsResource
        ? Matches(rule.ApiGroups, info.Group) && MatchesResource(rule.Resources, info) && (rule.ResourceNames.Count == 0 || rule.ResourceNames.Contains(info.Name))
        : rule.NonResourceUrls.Any(url => MatchesPath(url, info.Path)));

    /// <summary>Whether everything that a rule gives is given by others already, together. What they give by wildcards counts for what it stands for.</summary>
    public static bool Covers(IReadOnlyCollection<PolicyRule> owned, PolicyRule asked)
    {
        foreach (var verb in asked.Verbs)
        {
            foreach (var url in asked.NonResourceUrls)
            {
                if (!owned.Any(rule => Matches(rule.Verbs, verb) && rule.NonResourceUrls.Any(has => MatchesPath(has, url))))
                {
                    return false;
                }
            }

            foreach (var (group, resource) in asked.ApiGroups.SelectMany(_ => asked.Resources, (group, resource) => (group, resource)))
            {
                foreach (var name in asked.ResourceNames.DefaultIfEmpty(""))
                {
                    if (!owned.Any(rule => Matches(rule.Verbs, verb) && Matches(rule.ApiGroups, group) && CoversResource(rule.Resources, resource)
                        && (rule.ResourceNames.Count == 0 || (name.Length > 0 && rule.ResourceNames.Contains(name)))))
                    {
                        return false;
                    }
                }
            }
        }

        return true;
    }

    private static bool Matches(IReadOnlyList<string> allowed, string wanted) => allowed.Contains(Any) || allowed.Contains(wanted);

    private static bool MatchesResource(IReadOnlyList<string> allowed, RequestInfo info) =>
        CoversResource(allowed, info.Subresource.Length == 0 ? info.Resource : $"{info.Resource}/{info.Subresource}");

    /// <summary><c>*/scale</c> is that subresource of every resource.</summary>
    private static bool CoversResource(IReadOnlyList<string> allowed, string wanted) =>
        Matches(allowed, wanted) || (wanted.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash && allowed.Contains(Any + wanted[slash..]));

    private static bool MatchesPath(string rule, string path) =>
        rule == path || (rule.EndsWith('*') && path.AsSpan().StartsWith(rule.AsSpan(0, rule.Length - 1), StringComparison.Ordinal));
}
