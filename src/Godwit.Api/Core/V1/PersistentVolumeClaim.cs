using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Api.Core.V1;

/// <summary>The storage that is asked for.</summary>
public sealed record PersistentVolumeClaimSpec
{
    public IReadOnlyList<string> AccessModes { get; init => field = value ?? []; } = [];

    public LabelSelectorSpec? Selector { get; init; }

    public ContainerResources? Resources { get; init; }

    public string? VolumeName { get; init; }

    public string? StorageClassName { get; init; }

    public string? VolumeMode { get; init; }
}

/// <summary>One observed fact about a claim.</summary>
public sealed record PersistentVolumeClaimCondition
{
    public string Type { get; init => field = value ?? ""; } = "";

    public string Status { get; init => field = value ?? ""; } = "";

    public DateTimeOffset? LastProbeTime { get; init; }

    public DateTimeOffset? LastTransitionTime { get; init; }

    public string? Reason { get; init; }

    public string? Message { get; init; }
}

/// <summary>What was given.</summary>
public sealed record PersistentVolumeClaimStatus
{
    public string? Phase { get; init; }

    public IReadOnlyList<string> AccessModes { get; init => field = value ?? []; } = [];

    public IReadOnlyDictionary<string, Quantity> Capacity { get; init => field = value ?? Quantities.None; } = Quantities.None;

    public IReadOnlyList<PersistentVolumeClaimCondition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>Storage that a pod asks for and keeps beyond its life.</summary>
public sealed record PersistentVolumeClaim() : Resource(Type), IResource<PersistentVolumeClaim>
{
    public static ResourceType Type { get; } = new("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", Namespaced: true);

    public PersistentVolumeClaimSpec Spec { get; init => field = value ?? new(); } = new();

    public PersistentVolumeClaimStatus Status { get; init => field = value ?? new(); } = new();
}
