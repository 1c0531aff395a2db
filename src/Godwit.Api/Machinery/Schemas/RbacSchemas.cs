using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of roles and their bindings. Numbers: Kubernetes' <c>api/rbac/v1/generated.proto</c>.</summary>
internal static class RbacSchemas
{
    private const string Prefix = "io.k8s.api.rbac.v1.";

    public static ObjectSchema PolicyRule { get; } = new(
        Prefix + "PolicyRule",
        "Lets verbs be done.",
        Field(1, "verbs", ListOf(Text), "What may be done; * is anything.").Required(),
        Field(2, "apiGroups", ListOf(Text), "Groups of the resources; an empty text is the core group, * any."),
        Field(3, "resources", ListOf(Text), "Plurals; a subresource as resource/subresource; * is any."),
        Field(4, "resourceNames", ListOf(Text), "The only names that it is about; none: all."),
        Field(5, "nonResourceURLs", ListOf(Text), "Paths that are no resources; * at the end stands for any rest."));

    public static ObjectSchema Subject { get; } = new(
        Prefix + "Subject",
        "Whom rights are given to.",
        Field(1, "kind", Text, "User, Group or ServiceAccount.").Required(),
        Field(2, "apiGroup", Text, "Of users and groups rbac.authorization.k8s.io, of service accounts empty."),
        Field(3, "name", Text, "Its name.").Required(),
        Field(4, "namespace", Text, "Of a service account: its namespace.")) { IsAtomic = true };

    public static ObjectSchema RoleRef { get; } = new(
        Prefix + "RoleRef",
        "Names the role; cannot be changed.",
        Field(1, "apiGroup", Text, "rbac.authorization.k8s.io."),
        Field(2, "kind", Text, "Role or ClusterRole.").Required(),
        Field(3, "name", Text, "Its name.").Required()) { IsAtomic = true };

    public static ObjectSchema AggregationRule { get; } = new(
        Prefix + "AggregationRule",
        "Which other cluster roles' rights belong to a role.",
        Field(1, "clusterRoleSelectors", ListOf(SelectorSchemas.LabelSelector), "Labels of these roles; matching one selector is enough."));

    public static ObjectSchema Role { get; } = Kind(
        Prefix + "Role",
        "Rights within a namespace.",
        Field(2, "rules", ListOf(PolicyRule), "What may be done."));

    public static ObjectSchema ClusterRole { get; } = Kind(
        Prefix + "ClusterRole",
        "Rights in the whole cluster, or in the namespaces in which it is bound.",
        Field(2, "rules", ListOf(PolicyRule), "What may be done."),
        Field(3, "aggregationRule", AggregationRule, "Whose rights belong to it beside its own."));

    public static ObjectSchema RoleBinding { get; } = Kind(
        Prefix + "RoleBinding",
        "Gives a role's rights in a namespace.",
        Field(2, "subjects", ListOf(Subject), "Whom they are given to."),
        Field(3, "roleRef", RoleRef, "The role.").Required());

    public static ObjectSchema ClusterRoleBinding { get; } = Kind(
        Prefix + "ClusterRoleBinding",
        "Gives a cluster role's rights everywhere.",
        Field(2, "subjects", ListOf(Subject), "Whom they are given to."),
        Field(3, "roleRef", RoleRef, "The role.").Required());
}
