using System.Text.Json.Serialization;
using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Api.Core.V1;

/// <summary>A host that runs guests.</summary>
public sealed record Node() : Resource(Type), IResource<Node>
{
    public static ResourceType Type { get; } = new("", "v1", "Node", "nodes", Namespaced: false);

    public NodeSpec Spec { get; init => field = value ?? new(); } = new();

    public NodeStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record NodeSpec
{
    /// <summary>True (cordoned): nothing new is placed here.</summary>
    public bool? Unschedulable { get; init; }

    public IReadOnlyList<Taint> Taints { get; init => field = value ?? []; } = [];

    [JsonPropertyName("providerID")]
    public string? ProviderId { get; init; }
}

/// <summary>Keeps guests away that do not tolerate it.</summary>
public sealed record Taint
{
    public string Key { get; init => field = value ?? ""; } = "";

    public string? Value { get; init; }

    /// <summary>One of <see cref="TaintEffects"/>.</summary>
    public string Effect { get; init => field = value ?? ""; } = "";

    public DateTimeOffset? TimeAdded { get; init; }
}

public static class TaintEffects
{
    public const string NoSchedule = "NoSchedule";
    public const string PreferNoSchedule = "PreferNoSchedule";
    public const string NoExecute = "NoExecute";
}

public sealed record NodeStatus
{
    /// <summary>What the host has; keys such as <c>cpu</c> (cores) and <c>memory</c> (bytes).</summary>
    public IReadOnlyDictionary<string, Quantity> Capacity { get; init => field = value ?? Quantities.None; } = Quantities.None;

    /// <summary>What of it guests may use.</summary>
    public IReadOnlyDictionary<string, Quantity> Allocatable { get; init => field = value ?? Quantities.None; } = Quantities.None;

    public IReadOnlyList<NodeCondition> Conditions { get; init => field = value ?? []; } = [];

    public IReadOnlyList<NodeAddress> Addresses { get; init => field = value ?? []; } = [];

    public NodeSystemInfo? NodeInfo { get; init; }
}

/// <summary>One observed fact about a node.</summary>
public sealed record NodeCondition
{
    public string Type { get; init => field = value ?? ""; } = "";

    public string Status { get; init => field = value ?? ""; } = "";

    public string? Reason { get; init; }

    public string? Message { get; init; }

    public DateTimeOffset? LastHeartbeatTime { get; init; }

    public DateTimeOffset? LastTransitionTime { get; init; }
}

public static class NodeConditionTypes
{
    public const string Ready = "Ready";
    public const string MemoryPressure = "MemoryPressure";
    public const string DiskPressure = "DiskPressure";
}

public sealed record NodeAddress
{
    /// <summary>One of <see cref="NodeAddressTypes"/>.</summary>
    public string Type { get; init => field = value ?? ""; } = "";

    public string Address { get; init => field = value ?? ""; } = "";
}

public static class NodeAddressTypes
{
    public const string InternalIP = "InternalIP";
    public const string Hostname = "Hostname";
}

/// <summary>What the host is; the names are Kubernetes', the kubelet being our agent.</summary>
public sealed record NodeSystemInfo
{
    [JsonPropertyName("machineID")]
    public string MachineId { get; init => field = value ?? ""; } = "";

    [JsonPropertyName("systemUUID")]
    public string SystemUuid { get; init => field = value ?? ""; } = "";

    /// <summary>Changes with each boot of the host.</summary>
    [JsonPropertyName("bootID")]
    public string BootId { get; init => field = value ?? ""; } = "";

    public string KernelVersion { get; init => field = value ?? ""; } = "";

    public string OsImage { get; init => field = value ?? ""; } = "";

    /// <summary>What runs the guests, for example <c>qemu://10.0.2</c>.</summary>
    public string ContainerRuntimeVersion { get; init => field = value ?? ""; } = "";

    /// <summary>The agent's version; <c>kubectl get nodes</c> prints it as VERSION.</summary>
    public string KubeletVersion { get; init => field = value ?? ""; } = "";

    public string KubeProxyVersion { get; init => field = value ?? ""; } = "";

    public string OperatingSystem { get; init => field = value ?? ""; } = "";

    public string Architecture { get; init => field = value ?? ""; } = "";
}
