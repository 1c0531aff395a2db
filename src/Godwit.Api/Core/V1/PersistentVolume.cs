using Godwit.Base;

namespace Godwit.Api.Core.V1;

/// <summary>A folder of a node that is there already.</summary>
public sealed record LocalVolumeSource
{
    public string Path { get; init => field = value ?? ""; } = "";
}

/// <summary>From which nodes a volume can be reached.</summary>
public sealed record VolumeNodeAffinity
{
    public NodeSelector? Required { get; init; }
}

/// <summary>What a volume is, how large, and whose.</summary>
public sealed record PersistentVolumeSpec
{
    public IReadOnlyDictionary<string, Quantity> Capacity { get; init => field = value ?? Quantities.None; } = Quantities.None;

    public HostPathVolumeSource? HostPath { get; init; }

    public LocalVolumeSource? Local { get; init; }

    public IReadOnlyList<string> AccessModes { get; init => field = value ?? []; } = [];

    /// <summary>The claim that it is given to; with a uid it is that claim and no other of its name.</summary>
    public ObjectReference? ClaimRef { get; init; }

    public string? PersistentVolumeReclaimPolicy { get; init; }

    public string? StorageClassName { get; init; }

    public string? VolumeMode { get; init; }

    public VolumeNodeAffinity? NodeAffinity { get; init; }
}

/// <summary>Where a volume stands.</summary>
public sealed record PersistentVolumeStatus
{
    /// <summary>One of <see cref="VolumePhases"/>.</summary>
    public string? Phase { get; init; }

    public string? Message { get; init; }

    public string? Reason { get; init; }

    public DateTimeOffset? LastPhaseTransitionTime { get; init; }
}

/// <summary>Storage that there is, for claims to be given.</summary>
public sealed record PersistentVolume() : Resource(Type), IResource<PersistentVolume>
{
    public static ResourceType Type { get; } = new("", "v1", "PersistentVolume", "persistentvolumes", Namespaced: false);

    public PersistentVolumeSpec Spec { get; init => field = value ?? new(); } = new();

    public PersistentVolumeStatus Status { get; init => field = value ?? new(); } = new();
}

/// <summary>Words of <c>status.phase</c> of a volume.</summary>
public static class VolumePhases
{
    public const string Pending = "Pending";
    public const string Available = "Available";
    public const string Bound = "Bound";

    /// <summary>Its claim is gone.</summary>
    public const string Released = "Released";

    /// <summary>Its claim is gone, and it cannot be taken away as it should.</summary>
    public const string Failed = "Failed";
}

/// <summary>Words of <c>status.phase</c> of a claim.</summary>
public static class ClaimPhases
{
    public const string Pending = "Pending";
    public const string Bound = "Bound";

    /// <summary>Its volume is gone, or is another's.</summary>
    public const string Lost = "Lost";
}

/// <summary>How a volume may be mounted.</summary>
public static class VolumeAccessModes
{
    public const string ReadWriteOnce = "ReadWriteOnce";
    public const string ReadOnlyMany = "ReadOnlyMany";
    public const string ReadWriteMany = "ReadWriteMany";

    /// <summary>By one pod at a time.</summary>
    public const string ReadWriteOncePod = "ReadWriteOncePod";
}

/// <summary>What becomes of a volume when its claim is gone.</summary>
public static class ReclaimPolicies
{
    public const string Retain = "Retain";
    public const string Delete = "Delete";
}
