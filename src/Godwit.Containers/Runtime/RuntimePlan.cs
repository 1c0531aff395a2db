using Godwit.Linux.Processes;
using Godwit.Oci.Runtime;

namespace Godwit.Containers.Runtime;

/// <summary>What this host can do for its containers; read once.</summary>
internal sealed record HostAbilities
{
    public required ProcessRights Rights { get; init; }

    /// <summary>1 or 2.</summary>
    public required int ControlGroupVersion { get; init; }

    /// <summary>Whether the kernel counts swap; without, a bound on it is left out.</summary>
    public required bool CountsSwap { get; init; }

    /// <summary>A small init for <see cref="IsolationSpec.InitProcess"/>; null when none is installed.</summary>
    public string? InitPath { get; init; }
}

/// <summary>A user of the container, found in the container's own files.</summary>
internal sealed record ContainerUser(uint UserId, uint GroupId, IReadOnlyList<uint> SupplementaryGroupIds, string HomeFolder);

/// <summary>A device of the host, looked up.</summary>
internal sealed record HostDevice(DeviceSpec Spec, string Type, long Major, long Minor, uint Mode, uint UserId, uint GroupId);

/// <summary>
/// Everything that a container's runtime specification is made of, looked up and decided: from here on
/// <see cref="RuntimeSpecBuilder"/> is a function of values.
/// </summary>
internal sealed record RuntimePlan
{
    public required ContainerId Id { get; init; }

    public required ContainerSpec Spec { get; init; }

    public required HostAbilities Host { get; init; }

    /// <summary>Top of its files on the host.</summary>
    public required string RootPath { get; init; }

    /// <summary>The engine's own files for it: <c>hosts</c>, <c>hostname</c>, <c>resolv.conf</c>.</summary>
    public required string Folder { get; init; }

    public required ContainerUser User { get; init; }

    public required string ControlGroupPath { get; init; }

    /// <summary>With their paths: none for those of the host, no path for new ones.</summary>
    public required IReadOnlyList<RuntimeNamespace> Namespaces { get; init; }

    /// <summary>What <c>/dev/shm</c> is, for a container in a sandbox with a namespace of communication; else null.</summary>
    public string? SharedMemoryFolder { get; init; }

    /// <summary>Who stands behind its users on the host; null: they are the host's own.</summary>
    public IdMap? Ids { get; init; }

    /// <summary>The user's mounts, with their sources found.</summary>
    public IReadOnlyList<RuntimeMount> Mounts { get; init; } = [];

    public IReadOnlyList<HostDevice> Devices { get; init; } = [];

    /// <summary>By the device's path on the host.</summary>
    public IReadOnlyDictionary<string, (long Major, long Minor)> Throttled { get; init; } = new Dictionary<string, (long, long)>(StringComparer.Ordinal);
}
