using System.Text.Json.Serialization;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.KubeVirt.V1;

/// <summary>One move of one guest. Deleting it while it runs cancels it.</summary>
public sealed record VirtualMachineInstanceMigration() : Resource(Type), IResource<VirtualMachineInstanceMigration>
{
    public static ResourceType Type { get; } =
        new(GroupName.KubeVirt, "v1", "VirtualMachineInstanceMigration", "virtualmachineinstancemigrations", Namespaced: true);

    public VirtualMachineInstanceMigrationSpec Spec { get; init => field = value ?? new(); } = new();

    public VirtualMachineInstanceMigrationStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record VirtualMachineInstanceMigrationSpec
{
    public string VmiName { get; init => field = value ?? ""; } = "";

    /// <summary>Labels that the target must have beside what the guest asks for; <c>kubernetes.io/hostname</c> names it.</summary>
    public IReadOnlyDictionary<string, string> AddedNodeSelector { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;

    /// <summary>One of <see cref="MigrationPriorities"/>; <c>user-triggered</c> when absent.</summary>
    public string? Priority { get; init; }
}

/// <summary>Which of the moves that wait comes first; KubeVirt's words.</summary>
public static class MigrationPriorities
{
    /// <summary>Before all others.</summary>
    public const string SystemCritical = "system-critical";

    /// <summary>Somebody waits for it.</summary>
    public const string UserTriggered = "user-triggered";

    /// <summary>A node that is emptied, a cluster that is balanced.</summary>
    public const string SystemMaintenance = "system-maintenance";

    /// <summary>Lower comes first.</summary>
    public static int Rank(string? priority) => priority switch
    {
        SystemCritical => 0,
        SystemMaintenance => 2,
        _ => 1,
    };
}

public sealed record VirtualMachineInstanceMigrationStatus
{
    /// <summary>One of <see cref="MigrationPhases"/>.</summary>
    public string? Phase { get; init; }

    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];

    public IReadOnlyList<PhaseTransition> PhaseTransitionTimestamps { get; init => field = value ?? []; } = [];

    public MigrationState? MigrationState { get; init; }

    /// <summary>How far it is; Godwit's own field, as are those that follow.</summary>
    public MigrationProgress? Progress { get; init; }

    /// <summary>What was expected of it before it began.</summary>
    public ModeForecast? Forecast { get; init; }

    /// <summary>What it took.</summary>
    public MigrationMeasurement? Measurement { get; init; }

    /// <summary>Of a guest that is one of a service: what its source has to say to the keeper of the service's record.</summary>
    public ServiceMemberStatus? Service { get; init; }
}

/// <summary>See docs/decisions/0013: members ask, and the group controller alone decides.</summary>
public sealed record ServiceMemberStatus
{
    /// <summary>One of <see cref="ServiceStandings"/>.</summary>
    public string? Standing { get; init; }

    /// <summary>Why it returns, in words.</summary>
    public string? Reason { get; init; }
}

/// <summary>How far a guest of a service is.</summary>
public static class ServiceStandings
{
    public const string Coming = "Coming";

    /// <summary>In its last rounds: it can be stopped.</summary>
    public const string Gathered = "Gathered";

    /// <summary>All of it has arrived, and it stands still.</summary>
    public const string Ready = "Ready";

    /// <summary>It wants all to return, or has returned.</summary>
    public const string Returns = "Returns";
}

/// <summary>KubeVirt's phases of a migration object.</summary>
public static class MigrationPhases
{
    public const string Pending = "Pending";
    public const string Scheduling = "Scheduling";

    /// <summary>Source and target are chosen: the source's agent takes over.</summary>
    public const string Scheduled = "Scheduled";
    public const string PreparingTarget = "PreparingTarget";
    public const string TargetReady = "TargetReady";
    public const string Running = "Running";
    public const string Succeeded = "Succeeded";
    public const string Failed = "Failed";

    public static bool IsFinal(string? phase) => phase is Succeeded or Failed;
}

/// <summary>Godwit's phases of a move: see docs/migration.md.</summary>
public static class MovePhases
{
    public const string Preflight = "Preflight";
    public const string Preparing = "Preparing";

    /// <summary>Disks that the target does not see are copied; memory follows.</summary>
    public const string CopyingDisks = "CopyingDisks";
    public const string Precopying = "Precopying";
    public const string SwitchingOver = "SwitchingOver";
    public const string Activating = "Activating";
    public const string Postcopying = "Postcopying";

    /// <summary>Post-copy with a broken stream: the guest waits for it to be mended.</summary>
    public const string Paused = "Paused";
    public const string Completed = "Completed";
    public const string Aborted = "Aborted";
}

/// <summary>Where a move can be held to look at it, or to try what happens when something dies just there: see docs/migration.md.</summary>
public static class MoveHoldPoints
{
    /// <summary>The target's QEMU listens; the guest runs on the source and nothing of it was sent.</summary>
    public const string Prepared = "Prepared";

    /// <summary>The guest stands still on the source, and the rest of its state was not sent.</summary>
    public const string Barrier = "Barrier";

    /// <summary>The guest stands still on both sides, and the order to run was not sent.</summary>
    public const string Arrived = "Arrived";

    /// <summary>The target has recorded that it may run the guest, and has not told QEMU to.</summary>
    public const string Granted = "Granted";

    /// <summary>The guest runs on the target, and the source's QEMU was not ended.</summary>
    public const string Moved = "Moved";

    public static string[] All => [Prepared, Barrier, Arrived, Granted, Moved];
}

public sealed record MigrationProgress
{
    /// <summary>One of <see cref="MovePhases"/>.</summary>
    public string? Phase { get; init; }

    /// <summary>Passes over memory, from 1.</summary>
    public int? Round { get; init; }

    public long? TransferredBytes { get; init; }

    /// <summary>Memory still to be sent, as known now.</summary>
    public long? RemainingBytes { get; init; }

    /// <summary>The guest's memory.</summary>
    public long? TotalBytes { get; init; }

    /// <summary>Of the disks that go along; absent when none does.</summary>
    public long? DiskCopiedBytes { get; init; }

    /// <summary>What is to be copied of disks as known now: it grows as the guest writes.</summary>
    public long? DiskTotalBytes { get; init; }

    public long? ThroughputBytesPerSecond { get; init; }

    public long? DirtyBytesPerSecond { get; init; }

    /// <summary>How much of its time the guest is slowed down, in per cent.</summary>
    public int? ThrottlePercent { get; init; }

    /// <summary>From 0 to 100, never falling within one migration.</summary>
    public int? Percent { get; init; }

    /// <summary>The earliest end that is likely, as far as can be told now; absent when it cannot be told. It may go either way as the move shows more.</summary>
    public DateTimeOffset? EndEarliestTimestamp { get; init; }

    /// <summary>The latest end that is likely, as far as can be told now.</summary>
    public DateTimeOffset? EndLatestTimestamp { get; init; }

    /// <summary>The share of what is likely in which the move ends well within its policy's bounds, from 1 to 99: what is known, not a frequency.</summary>
    public int? SuccessChancePercent { get; init; }

    public DateTimeOffset? UpdatedTimestamp { get; init; }
}

public sealed record MigrationMeasurement
{
    /// <summary>From the agent's start of the move to the guest running and whole on the target.</summary>
    public long? TotalMs { get; init; }

    /// <summary>From the stream's begin to its end, as the source's QEMU counts: the rest of <see cref="TotalMs"/> is what the move costs beside it.</summary>
    public long? StreamMs { get; init; }

    /// <summary>
    /// How long the guest stood still, as the source's QEMU counts: it knows of its own end only. In post-copy, where the guest is stopped by order
    /// before QEMU begins to count, from then until the target said that it runs, which leaves out how long it waits for its memory.
    /// </summary>
    public long? DowntimeMs { get; init; }

    /// <summary>How long no CPU of the guest ran, from the stop at the source to the target's word that it runs, as the agents saw it.</summary>
    public long? PausedMs { get; init; }

    /// <summary>When the source saw the guest stand still.</summary>
    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? PausedTimestamp { get; init; }

    /// <summary>When the source learned that the guest runs on the target.</summary>
    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? RunningTimestamp { get; init; }

    /// <summary>The longest silence of the guest on the network, as a third host saw it.</summary>
    public long? NetworkDowntimeMs { get; init; }

    /// <summary>All that went over the wire.</summary>
    public long? Bytes { get; init; }

    public BytesByKind? BytesByKind { get; init; }

    /// <summary>From the begin of the copy of disks to both sides being in step; absent when none went along.</summary>
    public long? DisksMs { get; init; }

    /// <summary>How they went: one of <c>MigrationTransports</c>.</summary>
    public string? Transport { get; init; }

    public int? Rounds { get; init; }

    /// <summary>The rule that ended pre-copy.</summary>
    public string? Termination { get; init; }

    public long? ThroughputBytesPerSecond { get; init; }

    /// <summary>True when the guest answered from its new place.</summary>
    public bool? Reachable { get; init; }
}

public sealed record BytesByKind
{
    /// <summary>Pages with content.</summary>
    public long? Normal { get; init; }

    /// <summary>What announcing zero pages took.</summary>
    public long? Zero { get; init; }

    /// <summary>State of CPUs and devices.</summary>
    public long? Device { get; init; }

    /// <summary>Disks that went along.</summary>
    public long? Disk { get; init; }
}
