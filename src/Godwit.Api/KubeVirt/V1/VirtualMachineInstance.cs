using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Api.KubeVirt.V1;

/// <summary>One incarnation of a running guest: from one boot to its end. It moves between nodes; it never boots twice.</summary>
public sealed record VirtualMachineInstance() : Resource(Type), IResource<VirtualMachineInstance>
{
    public static ResourceType Type { get; } = new(GroupName.KubeVirt, "v1", "VirtualMachineInstance", "virtualmachineinstances", Namespaced: true);

    public VirtualMachineInstanceSpec Spec { get; init => field = value ?? new(); } = new();

    public VirtualMachineInstanceStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record VirtualMachineInstanceSpec
{
    public DomainSpec Domain { get; init => field = value ?? new(); } = new();

    /// <summary>Labels that a node must have.</summary>
    public IReadOnlyDictionary<string, string> NodeSelector { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;

    public IReadOnlyList<Toleration> Tolerations { get; init => field = value ?? []; } = [];

    /// <summary>What to do with the guest when its node is emptied: one of <see cref="EvictionStrategies"/>.</summary>
    public string? EvictionStrategy { get; init; }

    /// <summary><c>Paused</c>: the guest is created but waits for unpause.</summary>
    public string? StartStrategy { get; init; }

    /// <summary>How long the guest may take to shut down by itself before it is stopped by force.</summary>
    public long? TerminationGracePeriodSeconds { get; init; }

    public IReadOnlyList<Network> Networks { get; init => field = value ?? []; } = [];

    public IReadOnlyList<Volume> Volumes { get; init => field = value ?? []; } = [];
}

public static class EvictionStrategies
{
    public const string None = "None";
    public const string LiveMigrate = "LiveMigrate";
    public const string LiveMigrateIfPossible = "LiveMigrateIfPossible";
    public const string External = "External";
}

/// <summary>Where an interface is plugged in. Exactly one source is set.</summary>
public sealed record Network
{
    /// <summary>Joins the interface of the same name.</summary>
    public string Name { get; init => field = value ?? ""; } = "";

    /// <summary>The cluster's own network.</summary>
    public PodNetwork? Pod { get; init; }
}

public sealed record PodNetwork;

/// <summary>What stands behind a disk. Exactly one source is set.</summary>
public sealed record Volume
{
    /// <summary>Joins the disk of the same name.</summary>
    public string Name { get; init => field = value ?? ""; } = "";

    public ContainerDiskSource? ContainerDisk { get; init; }

    public HostDiskSource? HostDisk { get; init; }

    public CloudInitNoCloudSource? CloudInitNoCloud { get; init; }

    public EmptyDiskSource? EmptyDisk { get; init; }
}

/// <summary>A disk image shared by all its users, each with a private layer that lives as long as the incarnation.</summary>
public sealed record ContainerDiskSource
{
    public string Image { get; init => field = value ?? ""; } = "";

    /// <summary>The disk's file in the image; null: the only one in <c>/disk</c>, or of an image that is a folder, its disk.</summary>
    public string? Path { get; init; }

    /// <summary><c>Always</c>, <c>IfNotPresent</c> or <c>Never</c>.</summary>
    public string? ImagePullPolicy { get; init; }

    /// <summary>A Secret of the guest's namespace, <c>kubernetes.io/dockerconfigjson</c>.</summary>
    public string? ImagePullSecret { get; init; }
}

/// <summary>Where the image of a guest comes from, by its name alone.</summary>
public static class GuestImageNames
{
    /// <summary>
    /// Whether it is pulled as a container's image is. A name without a registry's or a repository's slash and without a digest is one of the node's
    /// images folder, and never asked for elsewhere: what is in no folder is missing, not somebody else's image of that name.
    /// </summary>
    public static bool IsPulled(string image) => image.AsSpan().ContainsAny('/', '@');
}

/// <summary>A file on the node, or on storage that several nodes share.</summary>
public sealed record HostDiskSource
{
    public string Path { get; init => field = value ?? ""; } = "";

    /// <summary><c>Disk</c>: must exist; <c>DiskOrCreate</c>: made with <see cref="Capacity"/> if it does not.</summary>
    public string Type { get; init => field = value ?? ""; } = "";

    public Quantity? Capacity { get; init; }
}

/// <summary>A seed for cloud-init's NoCloud data source. Text or base64 of each, not both.</summary>
public sealed record CloudInitNoCloudSource
{
    public string? UserData { get; init; }

    public string? UserDataBase64 { get; init; }

    public string? NetworkData { get; init; }

    public string? NetworkDataBase64 { get; init; }

    /// <summary>The Secret that holds the user data under <c>userdata</c>.</summary>
    public LocalObjectReference? SecretRef { get; init; }

    /// <summary>The Secret that holds the network data under <c>networkdata</c>.</summary>
    public LocalObjectReference? NetworkDataSecretRef { get; init; }
}

/// <summary>An empty disk that lives as long as the incarnation.</summary>
public sealed record EmptyDiskSource
{
    public Quantity Capacity { get; init; }
}
