using System.Text.Json.Serialization;
using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Api.KubeVirt.V1;

public sealed record VirtualMachineInstanceStatus
{
    /// <summary>The node that owns the guest.</summary>
    public string? NodeName { get; init; }

    /// <summary>One of <see cref="VirtualMachineInstancePhases"/>; absent means not looked at yet.</summary>
    public string? Phase { get; init; }

    /// <summary>Why the phase is what it is, as one word.</summary>
    public string? Reason { get; init; }

    public IReadOnlyList<PhaseTransition> PhaseTransitionTimestamps { get; init => field = value ?? []; } = [];

    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];

    public IReadOnlyList<InterfaceStatus> Interfaces { get; init => field = value ?? []; } = [];

    /// <summary>The running migration, or the last one.</summary>
    public MigrationState? MigrationState { get; init; }

    /// <summary>The node that it was evicted from and is to leave; absent when it was not, or has left it. KubeVirt's.</summary>
    public string? EvacuationNodeName { get; init; }

    /// <summary><c>LiveMigration</c> (memory only) or <c>BlockMigration</c> (disks too).</summary>
    public string? MigrationMethod { get; init; }

    public string? MigrationTransport { get; init; }

    /// <summary>The machine as it really runs.</summary>
    public Machine? Machine { get; init; }

    public MemoryStatus? Memory { get; init; }

    [JsonPropertyName("currentCPUTopology")]
    public CpuTopology? CurrentCpuTopology { get; init; }

    /// <summary>What the guest uses of its node; Godwit's own field.</summary>
    public ResourceUsage? Usage { get; init; }
}

public static class VirtualMachineInstancePhases
{
    public const string Pending = "Pending";
    public const string Scheduling = "Scheduling";

    /// <summary>Has a node; that node's agent starts it.</summary>
    public const string Scheduled = "Scheduled";
    public const string Running = "Running";

    /// <summary>The guest shut itself down, or was stopped as asked.</summary>
    public const string Succeeded = "Succeeded";
    public const string Failed = "Failed";

    /// <summary>Its node is silent.</summary>
    public const string Unknown = "Unknown";

    /// <summary>True when the incarnation has ended.</summary>
    public static bool IsFinal(string? phase) => phase is Succeeded or Failed;
}

/// <summary>What the annotation <c>godwit.dev/suspend</c> may say.</summary>
public static class Suspensions
{
    /// <summary>Lies in a file, wherever the guest is moved to.</summary>
    public const string Always = "true";

    /// <summary>Lies in a file on this node, and runs on the one that it is moved to next.</summary>
    public const string UntilMoved = "UntilMoved";
}

public static class VirtualMachineInstanceConditions
{
    public const string Ready = "Ready";
    public const string Paused = "Paused";
    public const string LiveMigratable = "LiveMigratable";

    /// <summary>True: nothing of the guest runs, all of it lies in a file of its node. False with a reason: it was to be suspended, and cannot be.</summary>
    public const string Suspended = "Suspended";

    /// <summary>False with a reason: no node, no address.</summary>
    public const string PodScheduled = "PodScheduled";

    /// <summary>False with the path and the reason: something that the agent could not do for this guest.</summary>
    public const string Synchronized = "Synchronized";
}

/// <summary>When a phase was entered.</summary>
public sealed record PhaseTransition
{
    public string Phase { get; init => field = value ?? ""; } = "";

    [JsonPropertyName("phaseTransitionTimestamp")]
    public DateTimeOffset? Timestamp { get; init; }
}

public sealed record InterfaceStatus
{
    public string? Name { get; init; }

    public string? Mac { get; init; }

    public string? IpAddress { get; init; }

    public IReadOnlyList<string> IpAddresses { get; init => field = value ?? []; } = [];
}

public sealed record MemoryStatus
{
    public Quantity? GuestAtBoot { get; init; }

    public Quantity? GuestCurrent { get; init; }

    public Quantity? GuestRequested { get; init; }
}

public sealed record CpuTopology
{
    public int? Cores { get; init; }

    public int? Sockets { get; init; }

    public int? Threads { get; init; }
}

/// <summary>Measured on the node over the last interval.</summary>
public sealed record ResourceUsage
{
    /// <summary>CPU in thousandths of a core.</summary>
    public long? CpuMillicores { get; init; }

    /// <summary>Resident memory of the guest's processes.</summary>
    public long? MemoryBytes { get; init; }

    public DateTimeOffset? UpdatedTimestamp { get; init; }
}

/// <summary>A move as seen from the guest's object.</summary>
public sealed record MigrationState
{
    public string? SourceNode { get; init; }

    public string? TargetNode { get; init; }

    /// <summary>Where the target's agent listens.</summary>
    public string? TargetNodeAddress { get; init; }

    public DateTimeOffset? StartTimestamp { get; init; }

    public DateTimeOffset? EndTimestamp { get; init; }

    public bool? Completed { get; init; }

    public bool? Failed { get; init; }

    public string? FailureReason { get; init; }

    public bool? AbortRequested { get; init; }

    /// <summary><c>Aborting</c>, <c>Succeeded</c> or <c>Failed</c>.</summary>
    public string? AbortStatus { get; init; }

    /// <summary>The uid of the VirtualMachineInstanceMigration.</summary>
    public string? MigrationUid { get; init; }

    /// <summary><c>PreCopy</c>, <c>PostCopy</c> or <c>Paused</c>.</summary>
    public string? Mode { get; init; }

    /// <summary>The MigrationPolicy in force.</summary>
    public string? MigrationPolicyName { get; init; }
}
