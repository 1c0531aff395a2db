using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Apps.V1;

/// <summary>How far a rolling update goes.</summary>
public sealed record RollingUpdateStatefulSetStrategy
{
    public int? Partition { get; init; }

    public IntOrText? MaxUnavailable { get; init; }
}

/// <summary>How old pods are replaced by new ones.</summary>
public sealed record StatefulSetUpdateStrategy
{
    public string? Type { get; init; }

    public RollingUpdateStatefulSetStrategy? RollingUpdate { get; init; }
}

/// <summary>What becomes of its claims.</summary>
public sealed record StatefulSetPersistentVolumeClaimRetentionPolicy
{
    public string? WhenDeleted { get; init; }

    public string? WhenScaled { get; init; }
}

/// <summary>How its pods are numbered.</summary>
public sealed record StatefulSetOrdinals
{
    public int Start { get; init; }
}

/// <summary>How many pods, of what, and in which order.</summary>
public sealed record StatefulSetSpec
{
    public int? Replicas { get; init; }

    public LabelSelectorSpec Selector { get; init => field = value ?? new(); } = new();

    public PodTemplate Template { get; init => field = value ?? new(); } = new();

    public IReadOnlyList<PersistentVolumeClaim> VolumeClaimTemplates { get; init => field = value ?? []; } = [];

    public string? ServiceName { get; init; }

    public string? PodManagementPolicy { get; init; }

    public StatefulSetUpdateStrategy? UpdateStrategy { get; init; }

    public int? RevisionHistoryLimit { get; init; }

    public int? MinReadySeconds { get; init; }

    public StatefulSetPersistentVolumeClaimRetentionPolicy? PersistentVolumeClaimRetentionPolicy { get; init; }

    public StatefulSetOrdinals? Ordinals { get; init; }
}

/// <summary>What a stateful set has.</summary>
public sealed record StatefulSetStatus
{
    public long ObservedGeneration { get; init; }

    public int Replicas { get; init; }

    public int ReadyReplicas { get; init; }

    public int CurrentReplicas { get; init; }

    public int UpdatedReplicas { get; init; }

    public string? CurrentRevision { get; init; }

    public string? UpdateRevision { get; init; }

    public int? CollisionCount { get; init; }

    public IReadOnlyList<WorkloadCondition> Conditions { get; init => field = value ?? []; } = [];

    public int AvailableReplicas { get; init; }
}

/// <summary>Keeps pods with names and storage of their own, in order.</summary>
public sealed record StatefulSet() : Resource(Type), IResource<StatefulSet>
{
    public static ResourceType Type { get; } = new("apps", "v1", "StatefulSet", "statefulsets", Namespaced: true);

    public StatefulSetSpec Spec { get; init => field = value ?? new(); } = new();

    public StatefulSetStatus Status { get; init => field = value ?? new(); } = new();
}
