using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Apps.V1;

/// <summary>How many pods, and of what.</summary>
public sealed record ReplicaSetSpec
{
    public int? Replicas { get; init; }

    public int? MinReadySeconds { get; init; }

    public LabelSelectorSpec Selector { get; init => field = value ?? new(); } = new();

    public PodTemplate? Template { get; init; }
}

/// <summary>What a replica set has.</summary>
public sealed record ReplicaSetStatus
{
    public int Replicas { get; init; }

    public int FullyLabeledReplicas { get; init; }

    public int ReadyReplicas { get; init; }

    public int AvailableReplicas { get; init; }

    public int? TerminatingReplicas { get; init; }

    public long ObservedGeneration { get; init; }

    public IReadOnlyList<WorkloadCondition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>Keeps a number of pods alike running.</summary>
public sealed record ReplicaSet() : Resource(Type), IResource<ReplicaSet>
{
    public static ResourceType Type { get; } = new("apps", "v1", "ReplicaSet", "replicasets", Namespaced: true);

    public ReplicaSetSpec Spec { get; init => field = value ?? new(); } = new();

    public ReplicaSetStatus Status { get; init => field = value ?? new(); } = new();
}
