using System.Text.Json.Serialization;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.KubeVirt.V1;

/// <summary>What the user wants: a guest that exists, stopped or running.</summary>
public sealed record VirtualMachine() : Resource(Type), IResource<VirtualMachine>
{
    public static ResourceType Type { get; } = new(GroupName.KubeVirt, "v1", "VirtualMachine", "virtualmachines", Namespaced: true);

    public VirtualMachineSpec Spec { get; init => field = value ?? new(); } = new();

    public VirtualMachineStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record VirtualMachineSpec
{
    /// <summary>Older form of <see cref="RunStrategy"/>: true is Always, false is Halted. Exactly one of the two is set.</summary>
    public bool? Running { get; init; }

    /// <summary>One of <see cref="RunStrategies"/>.</summary>
    public string? RunStrategy { get; init; }

    /// <summary>What each incarnation is made from.</summary>
    public VirtualMachineInstanceTemplate Template { get; init => field = value ?? new(); } = new();
}

public static class RunStrategies
{
    /// <summary>A new incarnation is made whenever there is none.</summary>
    public const string Always = "Always";

    /// <summary>A new incarnation is made when the last one failed, not when the guest shut itself down.</summary>
    public const string RerunOnFailure = "RerunOnFailure";

    /// <summary>Only the start, stop and restart subresources act.</summary>
    public const string Manual = "Manual";

    /// <summary>No incarnation may exist.</summary>
    public const string Halted = "Halted";
}

public sealed record VirtualMachineInstanceTemplate
{
    /// <summary>Labels and annotations for the incarnation.</summary>
    public ObjectMeta Metadata { get; init => field = value ?? new(); } = new();

    public VirtualMachineInstanceSpec Spec { get; init => field = value ?? new(); } = new();
}

public sealed record VirtualMachineStatus
{
    /// <summary>True when an incarnation exists.</summary>
    public bool? Created { get; init; }

    /// <summary>True when the incarnation runs and is ready.</summary>
    public bool? Ready { get; init; }

    /// <summary>One of <see cref="PrintableStatuses"/>: the state in one word, for people.</summary>
    public string? PrintableStatus { get; init; }

    /// <summary>The strategy in force when this was written.</summary>
    public string? RunStrategy { get; init; }

    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];

    /// <summary>What the start, stop and restart subresources asked for and is not done yet; in order.</summary>
    public IReadOnlyList<StateChangeRequest> StateChangeRequests { get; init => field = value ?? []; } = [];

    /// <summary>Present while incarnations keep failing.</summary>
    public StartFailure? StartFailure { get; init; }

    /// <summary>The metadata.generation that this status answers.</summary>
    public long? ObservedGeneration { get; init; }

    public long? DesiredGeneration { get; init; }
}

public static class PrintableStatuses
{
    public const string Stopped = "Stopped";
    public const string Provisioning = "Provisioning";
    public const string Starting = "Starting";
    public const string Running = "Running";
    public const string Paused = "Paused";

    /// <summary>It lies in a file of its node. Godwit's own word: KubeVirt does not suspend.</summary>
    public const string Suspended = "Suspended";
    public const string Stopping = "Stopping";
    public const string Terminating = "Terminating";
    public const string CrashLoopBackOff = "CrashLoopBackOff";
    public const string Migrating = "Migrating";
    public const string Unknown = "Unknown";
    public const string ErrorUnschedulable = "ErrorUnschedulable";
}

public sealed record StateChangeRequest
{
    /// <summary><c>Start</c> or <c>Stop</c>.</summary>
    public string Action { get; init => field = value ?? ""; } = "";

    /// <summary>The incarnation to stop; absent for a start.</summary>
    public string? Uid { get; init; }

    public IReadOnlyDictionary<string, string> Data { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;
}

/// <summary>Incarnations failed in a row; the next is tried at <see cref="RetryAfterTimestamp"/>.</summary>
public sealed record StartFailure
{
    public int? ConsecutiveFailCount { get; init; }

    [JsonPropertyName("lastFailedVMIUID")]
    public string? LastFailedVmiUid { get; init; }

    public DateTimeOffset? RetryAfterTimestamp { get; init; }
}
