using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;
using Godwit.Api.Rbac.V1;

namespace Godwit.Api.Kinds.Access;

/// <summary>Who may do what.</summary>
internal static class RbacKinds
{
    private static readonly TableColumn CreatedAt = Columns.Text("Created At", "When it was made.", "metadata", "creationTimestamp");

    private static readonly IReadOnlyList<TableColumn> BindingColumns =
    [
        Columns.Computed("Role", "Whose rights are given.", binding => $"{binding.TextAt("roleRef", "kind")}/{binding.TextAt("roleRef", "name")}"),
        Columns.Age(),
        Columns.Computed("Users", "Users who have them.", binding => SubjectsOf(binding, Subject.UserKind), priority: 1),
        Columns.Computed("Groups", "Groups that have them.", binding => SubjectsOf(binding, Subject.GroupKind), priority: 1),
        Columns.Computed("ServiceAccounts", "Service accounts that have them.", binding => SubjectsOf(binding, Subject.ServiceAccountKind), priority: 1),
    ];

    public static ResourceDefinition RoleDefinition { get; } = Define(Role.Type, "role", RbacSchemas.Role, new RoleRules(mayHavePaths: false), [CreatedAt]);

    public static ResourceDefinition ClusterRoleDefinition { get; } = Define(ClusterRole.Type, "clusterrole", RbacSchemas.ClusterRole, new RoleRules(mayHavePaths: true), [CreatedAt]);

    public static ResourceDefinition RoleBindingDefinition { get; } = Define(RoleBinding.Type, "rolebinding", RbacSchemas.RoleBinding, new BindingRules("Role", "ClusterRole"), BindingColumns);

    public static ResourceDefinition ClusterRoleBindingDefinition { get; } =
        Define(ClusterRoleBinding.Type, "clusterrolebinding", RbacSchemas.ClusterRoleBinding, new BindingRules("ClusterRole"), BindingColumns);

    private static ResourceDefinition Define(ResourceType type, string singular, ObjectSchema schema, ResourceStrategy rules, IReadOnlyList<TableColumn> columns) => new()
    {
        Group = type.Group,
        Version = type.Version,
        Kind = type.Kind,
        Plural = type.Plural,
        Singular = singular,
        Namespaced = type.Namespaced,
        RefusesUnknownFields = true, // A rule that is not understood must not be taken for one that is.
        Schema = schema,
        Strategy = rules,
        Columns = columns,
    };

    private static string SubjectsOf(JsonObject binding, string kind) => string.Join(", ", (binding.ArrayAt("subjects") ?? [])
        .Where(subject => subject.TextAt("kind") == kind)
        .Select(subject => kind == Subject.ServiceAccountKind ? $"{subject.TextAt("namespace")}/{subject.TextAt("name")}" : subject.TextAt("name")));
}

/// <summary>A rule is about resources or about paths, and says all of what it is about.</summary>
internal sealed class RoleRules(bool mayHavePaths) : ResourceStrategy
{
    public override bool TracksGeneration => false;

    public override NameRule NameRule => NameRule.PathSegment;

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var rules = resource.ArrayAt("rules") ?? [];
        for (var index = 0; index < rules.Count; index++)
        {
            var (rule, path) = (rules[index], $"rules[{index}]");
            if (!Has(rule, "verbs"))
            {
                yield return FieldError.Required($"{path}.verbs", "verbs must contain at least one value");
            }

            if (Has(rule, "nonResourceURLs"))
            {
                if (!mayHavePaths)
                {
                    yield return FieldError.Invalid($"{path}.nonResourceURLs", rule.At("nonResourceURLs"), "namespaced rules cannot apply to non-resource URLs");
                }

                if (Has(rule, "apiGroups") || Has(rule, "resources") || Has(rule, "resourceNames"))
                {
                    yield return FieldError.Invalid($"{path}.nonResourceURLs", rule.At("nonResourceURLs"), "rules cannot apply to both regular resources and non-resource URLs");
                }

                continue;
            }

            if (!Has(rule, "apiGroups"))
            {
                yield return FieldError.Required($"{path}.apiGroups", "resource rules must supply at least one api group");
            }

            if (!Has(rule, "resources"))
            {
                yield return FieldError.Required($"{path}.resources", "resource rules must supply at least one resource");
            }
        }
    }

    private static bool Has(JsonNode? rule, string field) => rule.ArrayAt(field) is { Count: > 0 };
}

/// <summary>A binding gives the rights of one role for good: to give others, another one is made.</summary>
internal sealed class BindingRules(params string[] roleKinds) : ResourceStrategy
{
    public override bool TracksGeneration => false;

    public override NameRule NameRule => NameRule.PathSegment;

    public override void ApplyDefaults(JsonObject resource)
    {
        if (resource.ObjectAt("roleRef") is { } role && string.IsNullOrEmpty(role.TextAt("apiGroup")))
        {
            role["apiGroup"] = GroupName.Rbac;
        }

        foreach (var subject in (resource.ArrayAt("subjects") ?? []).OfType<JsonObject>())
        {
            if (string.IsNullOrEmpty(subject.TextAt("apiGroup")) && subject.TextAt("kind") is Subject.UserKind or Subject.GroupKind)
            {
                subject["apiGroup"] = GroupName.Rbac;
            }
        }
    }

    public override IEnumerable<FieldError> Validate(JsonObject resource)
    {
        var role = resource.ObjectAt("roleRef");
        if (role.TextAt("apiGroup") != GroupName.Rbac)
        {
            yield return FieldError.NotSupported("roleRef.apiGroup", role.At("apiGroup"), GroupName.Rbac);
        }

        if (!roleKinds.Contains(role.TextAt("kind")))
        {
            yield return FieldError.NotSupported("roleRef.kind", role.At("kind"), roleKinds);
        }

        if (string.IsNullOrEmpty(role.TextAt("name")))
        {
            yield return FieldError.Required("roleRef.name", "");
        }
        else if (Names.CheckPathSegment(role.TextAt("name")!) is { } wrong)
        {
            yield return FieldError.Invalid("roleRef.name", role.At("name"), wrong);
        }

        var subjects = resource.ArrayAt("subjects") ?? [];
        for (var index = 0; index < subjects.Count; index++)
        {
            foreach (var error in ValidateSubject(subjects[index], $"subjects[{index}]"))
            {
                yield return error;
            }
        }
    }

    public override IEnumerable<FieldError> ValidateUpdate(JsonObject updated, JsonObject existing)
    {
        if (!JsonNode.DeepEquals(updated["roleRef"], existing["roleRef"]))
        {
            yield return FieldError.Invalid("roleRef", updated["roleRef"], "cannot change roleRef");
        }
    }

    private static IEnumerable<FieldError> ValidateSubject(JsonNode? subject, string path)
    {
        if (string.IsNullOrEmpty(subject.TextAt("name")))
        {
            yield return FieldError.Required($"{path}.name", "");
        }

        var (kind, group) = (subject.TextAt("kind"), subject.TextAt("apiGroup") ?? "");
        switch (kind)
        {
            case Subject.ServiceAccountKind:
                if (subject.TextAt("name") is { Length: > 0 } name && Names.CheckDnsSubdomain(name) is { } wrong)
                {
                    yield return FieldError.Invalid($"{path}.name", subject.At("name"), wrong);
                }

                if (group.Length > 0)
                {
                    yield return FieldError.NotSupported($"{path}.apiGroup", subject.At("apiGroup"), "");
                }

                if (string.IsNullOrEmpty(subject.TextAt("namespace")))
                {
                    yield return FieldError.Required($"{path}.namespace", "");
                }

                break;
            case Subject.UserKind or Subject.GroupKind:
                if (group != GroupName.Rbac)
                {
                    yield return FieldError.NotSupported($"{path}.apiGroup", subject.At("apiGroup"), GroupName.Rbac);
                }

                break;
            default:
                yield return FieldError.NotSupported($"{path}.kind", subject.At("kind"), Subject.ServiceAccountKind, Subject.UserKind, Subject.GroupKind);
                break;
        }
    }
}
