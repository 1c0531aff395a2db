using Godwit.Api.Machinery.Selectors;
using Godwit.Api.Rbac.V1;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Access;

/// <summary>
/// The roles and bindings of the cluster, and which rules they give whom:
/// <code>
///   user, its groups ──▶ bindings of the cluster, and of the namespace ──▶ role ──▶ rules
///                                                                           └─▶ rules of the cluster roles that it aggregates
/// </code>
/// A binding whose role does not exist gives nothing. One writer, many readers: each call is whole.
/// </summary>
internal sealed class RoleTable
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, IReadOnlyList<PolicyRule>> roles = new(StringComparer.Ordinal); // By namespace/name.
    private readonly Dictionary<string, ClusterRole> clusterRoles = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IReadOnlyList<PolicyRule>> effective = new(StringComparer.Ordinal); // Of cluster roles, until one changes.
    private readonly Dictionary<string, BoundRole> bindings = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> bySubject = new(StringComparer.Ordinal);

    public void SetRole(string ns, string name, IReadOnlyList<PolicyRule>? rules)
    {
        lock (gate)
        {
            SetOrRemove(roles, $"{ns}/{name}", rules);
        }
    }

    public void SetClusterRole(string name, ClusterRole? role)
    {
        lock (gate)
        {
            effective.Clear();
            SetOrRemove(clusterRoles, name, role);
        }
    }

    /// <summary>Says what a binding, by its key, gives whom; null: it is gone.</summary>
    public void SetBinding(string key, BoundRole? binding)
    {
        lock (gate)
        {
            if (bindings.Remove(key, out var before))
            {
                foreach (var subject in before.Subjects.Select(KeyOf))
                {
                    if (bySubject.TryGetValue(subject, out var keys) && keys.Remove(key) && keys.Count == 0)
                    {
                        bySubject.Remove(subject);
                    }
                }
            }

            if (binding is null)
            {
                return;
            }

            bindings[key] = binding;
            foreach (var subject in binding.Subjects.Select(KeyOf))
            {
                if (!bySubject.TryGetValue(subject, out var keys))
                {
                    bySubject[subject] = keys = new HashSet<string>(StringComparer.Ordinal);
                }

                keys.Add(key);
            }
        }
    }

    /// <summary>The rules that a user has in a namespace; with an empty one, those at the cluster scope.</summary>
    public IReadOnlyList<PolicyRule> RulesOf(User user, string ns)
    {
        lock (gate)
        {
            var found = new HashSet<BoundRole>();
            foreach (var subject in user.Groups.Select(group => $"group {group}").Prepend($"user {user.Name}"))
            {
                foreach (var key in bySubject.GetValueOrDefault(subject) ?? [])
                {
                    if (bindings[key] is var bound && (bound.Namespace.Length == 0 || bound.Namespace == ns))
                    {
                        found.Add(bound);
                    }
                }
            }

            return [.. found.SelectMany(bound => RulesOf(bound.Role, bound.Namespace) ?? [])];
        }
    }

    /// <summary>The rules of a role, those that it aggregates included; null when there is no such role.</summary>
    /// <param name="role">The role.</param>
    /// <param name="ns">The namespace of the binding.</param>
    public IReadOnlyList<PolicyRule>? RulesOf(RoleRef role, string ns)
    {
        lock (gate)
        {
            return role.Kind == Role.Type.Kind ? roles.GetValueOrDefault($"{ns}/{role.Name}") : EffectiveRulesOf(role.Name);
        }
    }

    /// <summary>The rules of the cluster roles that selectors match, without what these aggregate themselves.</summary>
    public IReadOnlyList<PolicyRule> Aggregated(AggregationRule? aggregation)
    {
        lock (gate)
        {
            return [.. clusterRoles.Values.Where(other => Aggregates(aggregation, other)).SelectMany(other => other.Rules)];
        }
    }

    private IReadOnlyList<PolicyRule>? EffectiveRulesOf(string name)
    {
        if (!clusterRoles.TryGetValue(name, out var role) || role.AggregationRule is null)
        {
            return role?.Rules;
        }

        if (!effective.TryGetValue(name, out var rules))
        {
            effective[name] = rules = [.. role.Rules, .. Aggregated(role.AggregationRule)];
        }

        return rules;
    }

    private static bool Aggregates(AggregationRule? aggregation, ClusterRole other) =>
        aggregation?.ClusterRoleSelectors.Any(selector => LabelSelector.FromSpec(selector).Matches(other.Metadata.Labels)) == true;

    private static string KeyOf(Subject subject) => subject.Kind switch
    {
        Subject.GroupKind => $"group {subject.Name}",
        Subject.ServiceAccountKind => $"user {User.ServiceAccountPrefix}{subject.Namespace}:{subject.Name}",
        _ => $"user {subject.Name}",
    };

    private static void SetOrRemove<T>(Dictionary<string, T> table, string key, T? value)
        where T : class
    {
        if (value is null)
        {
            table.Remove(key);
        }
        else
        {
            table[key] = value;
        }
    }
}

/// <summary>A role that subjects have in a namespace, or (when it is empty) everywhere.</summary>
internal sealed record BoundRole(string Namespace, RoleRef Role, IReadOnlyList<Subject> Subjects);
