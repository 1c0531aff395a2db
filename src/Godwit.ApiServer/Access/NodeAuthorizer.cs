using Godwit.Api;
using Godwit.Api.Rbac.V1;
using Godwit.ApiServer.Requests;
using static Godwit.ApiServer.Access.PolicyRules;

namespace Godwit.ApiServer.Access;

/// <summary>
/// What a node may ask for, so that a host in wrong hands has no more of the cluster than what it runs:
/// <code>
///   read    Nodes, guests, moves and groups, forecasts, Services, EndpointSlices    all: the network is made from them on every node
///           Pods                                                        its own: by name, or a list or watch of its own
///           Secrets, ConfigMaps                                         by name, one that something on it refers to
///           Tokens of service accounts (create)                         of an account of something on it; bound to a pod of its own (TokenHandler)
///           PersistentVolumeClaims, PersistentVolumes                   by name, one that a pod on it has; volumes that were made on it: a list or watch of these
///           ConfigMap kube-system/godwit-network                        also a list or watch of that one name
///           Node (writes), Lease                                        its own
///   write   what <see cref="Resources.NodeRestriction"/> finds to be its own, at the write
/// </code>
/// Pure: what depends on the stored objects is asked for by the verdict.
/// </summary>
internal static class NodeAuthorizer
{
    /// <summary>The cluster network's settings.</summary>
    private const string NetworkSettings = Api.NetworkSettings.Name;

    private static readonly string[] ReadVerbs = ["get", "list", "watch"];
    private static readonly string[] ChangeVerbs = ["update", "patch"];

    private static readonly PolicyRule[] Fixed =
    [
        On("", ["nodes", "services"], ReadVerbs),
        On("", ["nodes", "events"], ["create"]),
        On("", ["events", "persistentvolumes", "pods", "pods/status"], ChangeVerbs),
        On("discovery.k8s.io", ["endpointslices"], ReadVerbs),
        On("coordination.k8s.io", ["leases"], ["create"]),
        On("certificates.k8s.io", ["certificatesigningrequests"], ["create", "get"]),
        On(GroupName.KubeVirt, ["virtualmachineinstances", "virtualmachineinstancemigrations"], ReadVerbs),
        On(GroupName.KubeVirt, ["virtualmachineinstances", "virtualmachineinstances/status", "virtualmachineinstancemigrations", "virtualmachineinstancemigrations/status"], ChangeVerbs),
        On(GroupName.Migrations, ["migrationpolicies"], ReadVerbs),
        On(GroupName.Godwit, ["forecasts", "groupmigrations"], ReadVerbs),
        On(GroupName.Godwit, ["forecasts", "forecasts/status"], ChangeVerbs),
    ];

    /// <summary>The rules as far as they can be told without a look at the stored objects, for a node that asks what it may.</summary>
    public static IEnumerable<PolicyRule> RulesOf(string node) =>
    [
        .. Fixed,
        On("", ["nodes", "nodes/status"], ChangeVerbs) with { ResourceNames = [node] },
        On("", ["configmaps"], ReadVerbs) with { ResourceNames = [NetworkSettings] },
        On("coordination.k8s.io", ["leases"], ["get", .. ChangeVerbs]) with { ResourceNames = [node] },
    ];

    public static NodeVerdict Judge(string node, RequestInfo info) => (info.Group, info.Resource, info.Subresource) switch
    {
        ("", "configmaps", "") when info is { Namespace: NamespaceNames.KubeSystem, Name: NetworkSettings } => NodeVerdict.Of(ReadVerbs.Contains(info.Verb)),
        ("", "persistentvolumes", "") when info.Verb is "list" or "watch" => NodeVerdict.Of(info.SelectedNode == node),
        ("", "persistentvolumes", "") when info.Verb is "get" => info.Name.Length > 0 ? new NodeVerdict.IfRefersTo(new ObjectReference(ObjectReference.Volumes, "", info.Name)) : NodeVerdict.No,
        ("", "persistentvolumeclaims", "") => info is { Verb: "get", Namespace.Length: > 0, Name.Length: > 0 }
            ? new NodeVerdict.IfRefersTo(new ObjectReference(ObjectReference.Claims, info.Namespace, info.Name))
            : NodeVerdict.No,
        ("", "secrets" or "configmaps", "") => info is { Verb: "get", Namespace.Length: > 0, Name.Length: > 0 }
            ? new NodeVerdict.IfRefersTo(new ObjectReference(info.Resource, info.Namespace, info.Name))
            : NodeVerdict.No,
        ("", "serviceaccounts", "token") => info is { Verb: "create", Namespace.Length: > 0, Name.Length: > 0 }
            ? new NodeVerdict.IfRefersTo(new ObjectReference(ObjectReference.ServiceAccounts, info.Namespace, info.Name))
            : NodeVerdict.No,
        ("", "pods", "") when info.Verb is "list" or "watch" => NodeVerdict.Of(info.SelectedNode == node),
        ("", "pods", "") when info.Verb is "get" => info is { Namespace.Length: > 0, Name.Length: > 0 } ? new NodeVerdict.IfRuns(info.Namespace, info.Name) : NodeVerdict.No,
        ("", "nodes", "" or "status") when ChangeVerbs.Contains(info.Verb) => NodeVerdict.Of(info.Name == node),
        ("coordination.k8s.io", "leases", "") when info.Verb == "get" || ChangeVerbs.Contains(info.Verb) =>
            NodeVerdict.Of(info.Namespace == NamespaceNames.KubeNodeLease && info.Name == node),
        _ => NodeVerdict.Of(Fixed.Any(rule => Allows(rule, info))),
    };
}

/// <summary>Whether a node may; where that is for the stored objects to say, what must be so.</summary>
internal abstract record NodeVerdict
{
    private NodeVerdict()
    {
    }

    public static NodeVerdict Yes { get; } = new Decided(true);

    public static NodeVerdict No { get; } = new Decided(false);

    public static NodeVerdict Of(bool allowed) => allowed ? Yes : No;

    public sealed record Decided(bool Allowed) : NodeVerdict;

    /// <summary>It may if something that it runs refers to the object.</summary>
    public sealed record IfRefersTo(ObjectReference Wanted) : NodeVerdict;

    /// <summary>It may if the pod is bound to it.</summary>
    public sealed record IfRuns(string Namespace, string Pod) : NodeVerdict;
}
