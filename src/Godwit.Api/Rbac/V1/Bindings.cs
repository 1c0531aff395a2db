namespace Godwit.Api.Rbac.V1;

/// <summary>Whom rights are given to: a user, a group or a service account.</summary>
public sealed record Subject
{
    public const string UserKind = "User";
    public const string GroupKind = "Group";
    public const string ServiceAccountKind = "ServiceAccount";

    public string Kind { get; init => field = value ?? ""; } = "";

    public string? ApiGroup { get; init; }

    public string Name { get; init => field = value ?? ""; } = "";

    /// <summary>Of a service account.</summary>
    public string? Namespace { get; init; }
}

/// <summary>Names the role whose rights are given.</summary>
public sealed record RoleRef
{
    public string ApiGroup { get; init => field = value ?? ""; } = "";

    public string Kind { get; init => field = value ?? ""; } = "";

    public string Name { get; init => field = value ?? ""; } = "";
}

/// <summary>Gives a role's rights in a namespace.</summary>
public sealed record RoleBinding() : Resource(Type), IResource<RoleBinding>
{
    public static ResourceType Type { get; } = new(GroupName.Rbac, "v1", "RoleBinding", "rolebindings", Namespaced: true);

    public IReadOnlyList<Subject> Subjects { get; init => field = value ?? []; } = [];

    public RoleRef RoleRef { get; init => field = value ?? new(); } = new();
}

/// <summary>Gives a cluster role's rights everywhere.</summary>
public sealed record ClusterRoleBinding() : Resource(Type), IResource<ClusterRoleBinding>
{
    public static ResourceType Type { get; } = new(GroupName.Rbac, "v1", "ClusterRoleBinding", "clusterrolebindings", Namespaced: false);

    public IReadOnlyList<Subject> Subjects { get; init => field = value ?? []; } = [];

    public RoleRef RoleRef { get; init => field = value ?? new(); } = new();
}
