using Godwit.Api;
using Godwit.Api.Meta.V1;
using Godwit.Api.Rbac.V1;
using Godwit.ApiServer.Security;
using static Godwit.ApiServer.Access.PolicyRules;

namespace Godwit.ApiServer.Access;

/// <summary>
/// The roles that every cluster has, by Kubernetes' names, and whom they are given to. <c>view</c>, <c>edit</c> and
/// <c>admin</c> also take up the rules of every cluster role that is labelled for them
/// (<c>rbac.authorization.k8s.io/aggregate-to-view</c> and so on). Nodes have no role: see <see cref="NodeAuthorizer"/>.
/// </summary>
internal static class DefaultRoles
{
    private const string AggregateLabel = "rbac.authorization.k8s.io/aggregate-to-";
    private const string BootstrapLabel = "kubernetes.io/bootstrapping";
    private const string Subresources = GroupName.KubeVirtSubresources;

    private static readonly string[] Read = ["get", "list", "watch"];
    private static readonly string[] Write = ["create", "delete", "deletecollection", "patch", "update"];
    private static readonly string[] ReadWrite = [.. Read, .. Write];
    private static readonly string[] Every = ["*"];
    private static readonly string[] PathVerbs = ["get", "head"];
    private static readonly string[] HealthPaths = ["/healthz", "/healthz/*", "/livez", "/livez/*", "/readyz", "/readyz/*", "/version", "/version/*"];

    private static readonly string[] Workloads =
    [
        "daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets", "statefulsets/scale",
    ];

    private static readonly string[] CoreContent =
    [
        "configmaps", "endpoints", "persistentvolumeclaims", "pods", "replicationcontrollers", "replicationcontrollers/scale", "serviceaccounts", "services",
    ];

    private static readonly PolicyRule[] ViewRules =
    [
        On("", [.. CoreContent, "bindings", "events", "limitranges", "namespaces", "namespaces/status", "persistentvolumeclaims/status", "pods/log", "pods/status", "replicationcontrollers/status", "resourcequotas", "resourcequotas/status", "services/status"], Read),
        On("apps", [.. Workloads, "controllerrevisions", "daemonsets/status", "deployments/status", "replicasets/status", "statefulsets/status"], Read),
        On("batch", ["cronjobs", "cronjobs/status", "jobs", "jobs/status"], Read),
        On("autoscaling", ["horizontalpodautoscalers", "horizontalpodautoscalers/status"], Read),
        On("policy", ["poddisruptionbudgets", "poddisruptionbudgets/status"], Read),
        On("discovery.k8s.io", ["endpointslices"], Read),
        On("events.k8s.io", ["events"], Read),
        On(GroupName.KubeVirt, ["virtualmachines", "virtualmachines/status", "virtualmachineinstances", "virtualmachineinstances/status", "virtualmachineinstancemigrations", "virtualmachineinstancemigrations/status"], Read),
        On(Subresources, ["virtualmachineinstances/log"], "get"),
        On(GroupName.Godwit, ["forecasts", "forecasts/status"], Read),
    ];

    private static readonly PolicyRule[] EditRules =
    [
        On("", ["secrets"], Read),
        On("", [.. CoreContent, "events", "secrets"], Write),
        On("", ["pods/attach", "pods/exec", "pods/portforward"], "get", "create"),
        On("", ["pods/eviction", "serviceaccounts/token"], "create"),
        On("apps", Workloads, Write),
        On("batch", ["cronjobs", "jobs"], Write),
        On("autoscaling", ["horizontalpodautoscalers"], Write),
        On("policy", ["poddisruptionbudgets"], Write),
        On("discovery.k8s.io", ["endpointslices"], Write),
        On("events.k8s.io", ["events"], Write),
        On(GroupName.KubeVirt, ["virtualmachines", "virtualmachineinstances", "virtualmachineinstancemigrations"], Write),
        On(Subresources, ["virtualmachines/restart", "virtualmachines/start", "virtualmachines/stop", "virtualmachineinstances/pause", "virtualmachineinstances/suspend", "virtualmachineinstances/unpause"], "update"),
        On(Subresources, ["virtualmachineinstances/console"], "get"),
        On(GroupName.Godwit, ["forecasts"], Write),
    ];

    private static readonly PolicyRule[] AdminRules =
    [
        On("authorization.k8s.io", ["localsubjectaccessreviews"], "create"),
        On(GroupName.Rbac, ["rolebindings", "roles"], ReadWrite),
    ];

    public static IReadOnlyList<ClusterRole> ClusterRoles { get; } =
    [
        Make("cluster-admin", On("*", Every, Every), Paths(Every, "*")),
        Make("system:public-info-viewer", Paths(PathVerbs, HealthPaths)),
        Make("system:discovery", Paths(PathVerbs, [.. HealthPaths, "/", "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"])),
        Make("system:monitoring", Paths(PathVerbs, [.. HealthPaths, "/metrics"])),
        Make("system:basic-user", On("authentication.k8s.io", ["selfsubjectreviews"], "create"), On("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], "create")),
        Make("system:auth-delegator", On("authentication.k8s.io", ["tokenreviews"], "create"), On("authorization.k8s.io", ["subjectaccessreviews"], "create")),
        Make("system:node-bootstrapper", On("certificates.k8s.io", ["certificatesigningrequests"], [.. Read, "create"])),
        Make(User.ControllersName, ControllerRules()),
        Aggregated("system:aggregated-metrics-reader", On("metrics.k8s.io", ["nodes", "pods"], Read)),
        Aggregating("view", [], ViewRules),
        Aggregating("edit", ["view"], [.. ViewRules, .. EditRules]),
        Aggregating("admin", ["edit", "view"], [.. ViewRules, .. EditRules, .. AdminRules]),
    ];

    public static IReadOnlyList<ClusterRoleBinding> Bindings { get; } =
    [
        Bind("cluster-admin", Subject.GroupKind, User.MastersGroup),
        Bind("system:public-info-viewer", Subject.GroupKind, User.AuthenticatedGroup, User.UnauthenticatedGroup),
        Bind("system:discovery", Subject.GroupKind, User.AuthenticatedGroup),
        Bind("system:basic-user", Subject.GroupKind, User.AuthenticatedGroup),
        Bind("system:monitoring", Subject.GroupKind, "system:monitoring"),
        Bind("system:node-bootstrapper", Subject.GroupKind, User.BootstrappersGroup),
        Bind(User.ControllersName, Subject.UserKind, User.ControllersName),
    ];

    /// <summary>The controllers run everything but hand out no credentials: no certificates, no tokens, no roles.</summary>
    private static PolicyRule[] ControllerRules() =>
    [
        On("", [
            "bindings", "configmaps", "endpoints", "events", "limitranges", "namespaces", "namespaces/finalize", "namespaces/status", "nodes", "nodes/status", "persistentvolumeclaims", "persistentvolumeclaims/status",
            "persistentvolumes", "persistentvolumes/status", "pods", "pods/binding", "pods/ephemeralcontainers", "pods/eviction", "pods/status", "podtemplates", "replicationcontrollers",
            "replicationcontrollers/scale", "replicationcontrollers/status", "resourcequotas", "resourcequotas/status", "secrets", "serviceaccounts", "services", "services/status"], Every),
        new PolicyRule
        {
            ApiGroups = ["coordination.k8s.io", "discovery.k8s.io", "apps", "autoscaling", "batch", "policy", "storage.k8s.io", "events.k8s.io", "metrics.k8s.io", GroupName.KubeVirt, Subresources, GroupName.Migrations, GroupName.Godwit],
            Resources = Every,
            Verbs = Every,
        },
        On("certificates.k8s.io", Every, Read),
        Paths(PathVerbs, "/metrics"),
    ];

    private static PolicyRule Paths(IReadOnlyList<string> verbs, params IReadOnlyList<string> paths) => new() { Verbs = verbs, NonResourceUrls = paths };

    private static ClusterRole Make(string name, params IReadOnlyList<PolicyRule> rules) => new() { Metadata = Labelled(name), Rules = rules };

    /// <summary>Whose rules <c>view</c> takes up, and with it the others.</summary>
    private static ClusterRole Aggregated(string name, params IReadOnlyList<PolicyRule> rules)
    {
        var role = Make(name, rules);
        return role with { Metadata = role.Metadata with { Labels = new Dictionary<string, string>(role.Metadata.Labels, StringComparer.Ordinal) { [AggregateLabel + "view"] = "true" } } };
    }

    private static ClusterRole Aggregating(string name, IReadOnlyList<string> lesser, IReadOnlyList<PolicyRule> rules) => new()
    {
        Metadata = Labelled(name),
        Rules = rules,
        AggregationRule = new AggregationRule
        {
            ClusterRoleSelectors = [.. lesser.Prepend(name).Select(each => new LabelSelectorSpec { MatchLabels = new Dictionary<string, string>(StringComparer.Ordinal) { [AggregateLabel + each] = "true" } })],
        },
    };

    private static ClusterRoleBinding Bind(string role, string kind, params string[] names) => new()
    {
        Metadata = Labelled(role),
        RoleRef = new RoleRef { ApiGroup = GroupName.Rbac, Kind = ClusterRole.Type.Kind, Name = role },
        Subjects = [.. names.Select(name => new Subject { Kind = kind, ApiGroup = GroupName.Rbac, Name = name })],
    };

    private static ObjectMeta Labelled(string name) => new()
    {
        Name = name,
        Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [BootstrapLabel] = "rbac-defaults" },
        Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [RoleBootstrap.AutoUpdateAnnotation] = "true" },
    };
}
