using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of nodes. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c>.</summary>
internal static class NodeSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    private static readonly ObjectSchema Taint = new(
        Prefix + "Taint",
        "Keeps guests away that do not tolerate it.",
        Field(1, "key", Text, "Its name.").Required(),
        Field(2, "value", Text, "Its value."),
        Field(3, "effect", OneOf("NoSchedule", "PreferNoSchedule", "NoExecute"), "What it does to guests that do not tolerate it.").Required(),
        Field(4, "timeAdded", Time, "When it was added."));

    private static readonly ObjectSchema NodeSpec = new(
        Prefix + "NodeSpec",
        "What a node is to be.",
        Field(3, "providerID", Text, "The host's name at whoever provides it."),
        Field(4, "unschedulable", Flag, "True (cordoned): nothing new is placed here."),
        Field(5, "taints", ListOf(Taint), "What keeps guests away."));

    private static readonly ObjectSchema NodeCondition = new(
        Prefix + "NodeCondition",
        "One observed fact about a node.",
        Field(1, "type", Text, "What is observed.").Required(),
        Field(2, "status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field(3, "lastHeartbeatTime", Time, "When it was last looked at."),
        Field(4, "lastTransitionTime", Time, "When the status last changed."),
        Field(5, "reason", Text, "Why, as one word in CamelCase."),
        Field(6, "message", Text, "Why, in words."));

    private static readonly ObjectSchema NodeAddress = new(
        Prefix + "NodeAddress",
        "Where a node is reached.",
        Field(1, "type", Text, "What sort of address: InternalIP, Hostname.").Required(),
        Field(2, "address", Text, "The address.").Required());

    private static readonly ObjectSchema NodeSystemInfo = new(
        Prefix + "NodeSystemInfo",
        "What the host is.",
        Field(1, "machineID", Text, "The host's machine id."),
        Field(2, "systemUUID", Text, "The UUID in the host's firmware."),
        Field(3, "bootID", Text, "Changes with each boot of the host."),
        Field(4, "kernelVersion", Text, "The running kernel."),
        Field(5, "osImage", Text, "The distribution."),
        Field(6, "containerRuntimeVersion", Text, "What runs the guests, for example qemu://10.0.2."),
        Field(7, "kubeletVersion", Text, "The agent's version."),
        Field(8, "kubeProxyVersion", Text, "Not used; empty."),
        Field(9, "operatingSystem", Text, "linux."),
        Field(10, "architecture", Text, "amd64, arm64 and so on."));

    private static readonly ObjectSchema NodeStatus = new(
        Prefix + "NodeStatus",
        "What a node is.",
        Field(1, "capacity", QuantityMap, "What the host has: cpu in cores, memory in bytes."),
        Field(2, "allocatable", QuantityMap, "What of it guests may use."),
        Field(4, "conditions", ListByKey(NodeCondition, "type"), "Observed facts.").Merged("type"),
        Field(5, "addresses", ListOf(NodeAddress), "Where it is reached.").Merged("type"),
        Field(7, "nodeInfo", NodeSystemInfo, "What the host is."));

    public static ObjectSchema Node { get; } = Kind(
        Prefix + "Node",
        "A host that runs guests.",
        Field(2, "spec", NodeSpec, "What it is to be."),
        Field(3, "status", NodeStatus, "What it is."));
}
