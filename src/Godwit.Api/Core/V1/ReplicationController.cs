using Godwit.Api.Apps.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Core.V1;

/// <summary>How many pods, and of what.</summary>
public sealed record ReplicationControllerSpec
{
    public int? Replicas { get; init; }

    public int? MinReadySeconds { get; init; }

    public IReadOnlyDictionary<string, string> Selector { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;

    public PodTemplate? Template { get; init; }
}

/// <summary>What a replication controller has.</summary>
public sealed record ReplicationControllerStatus
{
    public int Replicas { get; init; }

    public int FullyLabeledReplicas { get; init; }

    public int ReadyReplicas { get; init; }

    public int AvailableReplicas { get; init; }

    public long ObservedGeneration { get; init; }

    public IReadOnlyList<WorkloadCondition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>Keeps a number of pods alike running; ReplicaSet is its successor.</summary>
public sealed record ReplicationController() : Resource(Type), IResource<ReplicationController>
{
    public static ResourceType Type { get; } = new("", "v1", "ReplicationController", "replicationcontrollers", Namespaced: true);

    public ReplicationControllerSpec Spec { get; init => field = value ?? new(); } = new();

    public ReplicationControllerStatus Status { get; init => field = value ?? new(); } = new();
}
