using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Rbac.V1;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Access;

/// <summary>
/// Nobody gives away what they do not have: who writes a role must hold all of its rules, or the verb <c>escalate</c> on
/// roles; who writes a binding must hold all rules of the role, or the verb <c>bind</c> on it. Source: Kubernetes
/// documentation, "Privilege escalation prevention and bootstrapping".
/// </summary>
internal sealed class EscalationGuard(AccessIndex index, Authorizer authorizer)
{
    private static readonly string[] GivingFields = ["rules", "aggregationRule", "subjects", "roleRef"];

    /// <param name="write">The write.</param>
    /// <param name="resource">The role or binding as it is to be; other kinds are let through.</param>
    /// <param name="existing">As it is; null for a new one.</param>
    /// <exception cref="StatusException">403 with what is missing.</exception>
    public async Task CheckAsync(WriteContext write, JsonObject resource, JsonObject? existing)
    {
        if (write.Resource.Definition.Group != GroupName.Rbac || write.User.IsIn(User.MastersGroup) || IsSame(resource, existing))
        {
            return;
        }

        var roles = (await index.CurrentAsync(write.Stopping)).Roles;
        var (verb, name, rules) = write.Resource.Definition.Plural switch
        {
            "roles" => ("escalate", write.Name, GodwitJson.FromNode<Role>(resource).Rules),
            "clusterroles" => ("escalate", write.Name, GivenBy(GodwitJson.FromNode<ClusterRole>(resource), roles)),
            "rolebindings" => Bound(GodwitJson.FromNode<RoleBinding>(resource).RoleRef),
            _ => Bound(GodwitJson.FromNode<ClusterRoleBinding>(resource).RoleRef),
        };
        var plural = verb == "bind" && resource["roleRef"]?["kind"]?.GetValue<string>() == ClusterRole.Type.Kind ? ClusterRole.Type.Plural : verb == "bind" ? Role.Type.Plural : write.Resource.Definition.Plural;
        var may = new RequestInfo { Path = "", IsResource = true, Verb = verb, Group = GroupName.Rbac, Version = "v1", Resource = plural, Namespace = write.Namespace, Name = name };
        if (await authorizer.AllowsAsync(write.User, may, write.Stopping))
        {
            return;
        }

        var owned = roles.RulesOf(write.User, write.Namespace);
        if (rules.Where(rule => !PolicyRules.Covers(owned, rule)).ToList() is { Count: > 0 } missing)
        {
            throw StatusException.Forbidden(write.Subject, $"user \"{write.User.Name}\" (groups={string.Join(',', write.User.Groups)}) is attempting to grant RBAC permissions not currently held: {string.Join("; ", missing.Select(Describe))}");
        }

        (string, string, IReadOnlyList<PolicyRule>) Bound(RoleRef role) => ("bind", role.Name, roles.RulesOf(role, write.Namespace)
            ?? throw StatusException.NotFound(new StatusSubject(GroupName.Rbac, role.Kind == Role.Type.Kind ? Role.Type.Plural : ClusterRole.Type.Plural, role.Name)));
    }

    private static IReadOnlyList<PolicyRule> GivenBy(ClusterRole role, RoleTable roles) => [.. role.Rules, .. roles.Aggregated(role.AggregationRule)];

    /// <summary>True when a change gives nothing: of metadata, apart from labels, by which others take up the rules.</summary>
    private static bool IsSame(JsonObject resource, JsonObject? existing) => existing is not null
        && GivingFields.All(field => JsonNode.DeepEquals(resource[field], existing[field]))
        && JsonNode.DeepEquals(resource["metadata"]?["labels"], existing["metadata"]?["labels"]);

    private static string Describe(PolicyRule rule) => rule.NonResourceUrls.Count > 0
        ? $"{{NonResourceURLs:[{Quote(rule.NonResourceUrls)}], Verbs:[{Quote(rule.Verbs)}]}}"
        : $"{{APIGroups:[{Quote(rule.ApiGroups)}], Resources:[{Quote(rule.Resources)}], Verbs:[{Quote(rule.Verbs)}]}}";

    private static string Quote(IReadOnlyList<string> words) => string.Join(' ', words.Select(word => $"\"{word}\""));
}
