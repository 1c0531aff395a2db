namespace Godwit.Api.Core.V1;

/// <summary>A container that does not run yet.</summary>
public sealed record ContainerStateWaiting
{
    public string? Reason { get; init; }

    public string? Message { get; init; }
}

/// <summary>A container that runs.</summary>
public sealed record ContainerStateRunning
{
    public DateTimeOffset? StartedAt { get; init; }
}

/// <summary>A container that has ended.</summary>
public sealed record ContainerStateTerminated
{
    public int ExitCode { get; init; }

    public int? Signal { get; init; }

    public string? Reason { get; init; }

    public string? Message { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? FinishedAt { get; init; }

    public string? ContainerID { get; init; }
}

/// <summary>Where a container stands; one of the three.</summary>
public sealed record ContainerState
{
    public ContainerStateWaiting? Waiting { get; init; }

    public ContainerStateRunning? Running { get; init; }

    public ContainerStateTerminated? Terminated { get; init; }
}

/// <summary>What a container is.</summary>
public sealed record ContainerStatus
{
    public string Name { get; init => field = value ?? ""; } = "";

    public ContainerState? State { get; init; }

    public ContainerState? LastState { get; init; }

    public bool Ready { get; init; }

    public int RestartCount { get; init; }

    public string Image { get; init => field = value ?? ""; } = "";

    public string ImageID { get; init => field = value ?? ""; } = "";

    public string? ContainerID { get; init; }

    public bool? Started { get; init; }
}

/// <summary>One observed fact about a pod.</summary>
public sealed record PodCondition
{
    public string Type { get; init => field = value ?? ""; } = "";

    public string Status { get; init => field = value ?? ""; } = "";

    public DateTimeOffset? LastProbeTime { get; init; }

    public DateTimeOffset? LastTransitionTime { get; init; }

    public string? Reason { get; init; }

    public string? Message { get; init; }

    public long? ObservedGeneration { get; init; }
}

/// <summary>One address of a pod.</summary>
public sealed record PodIP
{
    public string Ip { get; init => field = value ?? ""; } = "";
}

/// <summary>One address of a node.</summary>
public sealed record HostIP
{
    public string Ip { get; init => field = value ?? ""; } = "";
}

/// <summary>What a pod is.</summary>
public sealed record PodStatus
{
    public string? Phase { get; init; }

    public IReadOnlyList<PodCondition> Conditions { get; init => field = value ?? []; } = [];

    public string? Message { get; init; }

    public string? Reason { get; init; }

    public string? HostIP { get; init; }

    public string? PodIP { get; init; }

    public DateTimeOffset? StartTime { get; init; }

    public IReadOnlyList<ContainerStatus> ContainerStatuses { get; init => field = value ?? []; } = [];

    public string? QosClass { get; init; }

    public IReadOnlyList<ContainerStatus> InitContainerStatuses { get; init => field = value ?? []; } = [];

    public string? NominatedNodeName { get; init; }

    public IReadOnlyList<PodIP> PodIPs { get; init => field = value ?? []; } = [];

    public IReadOnlyList<ContainerStatus> EphemeralContainerStatuses { get; init => field = value ?? []; } = [];

    public IReadOnlyList<HostIP> HostIPs { get; init => field = value ?? []; } = [];

    public long? ObservedGeneration { get; init; }
}
