using Godwit.Networks.Containers;

namespace Godwit.Containers;

/// <summary>Everything about a container at one moment, as one value.</summary>
public sealed record ContainerSnapshot
{
    public required ContainerId Id { get; init; }

    public required string Name { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required ContainerSpec Spec { get; init; }

    public required ContainerState State { get; init; }

    /// <summary>Times that the restart policy started it anew.</summary>
    public int RestartCount { get; init; }

    /// <summary>Null without a health check, or while it does not run.</summary>
    public ContainerHealth? Health { get; init; }

    /// <summary>Its place in each network that it belongs to, by the network's name. Addresses are there while it runs.</summary>
    public IReadOnlyDictionary<string, NetworkEndpoint> Endpoints { get; init; } = new Dictionary<string, NetworkEndpoint>(StringComparer.Ordinal);

    /// <summary>The host's ports that lead to it now.</summary>
    public IReadOnlyList<PortBinding> Ports { get; init; } = [];

    /// <summary>Where its mounts come from, as they are.</summary>
    public IReadOnlyList<MountPoint> Mounts { get; init; } = [];

    /// <summary>Executions of more programs in it that are known.</summary>
    public IReadOnlyList<string> Executions { get; init; } = [];

    /// <summary>The engine's files about it: <c>hosts</c>, <c>hostname</c>, <c>resolv.conf</c>, <c>log</c>.</summary>
    public required string Folder { get; init; }
}

/// <summary>A mount with its source found.</summary>
/// <param name="Kind"><c>bind</c>, <c>volume</c> or <c>tmpfs</c>.</param>
/// <param name="Name">The volume's name, else empty.</param>
/// <param name="Source">The path on the host, empty for memory.</param>
public sealed record MountPoint(string Kind, string Name, string Source, string Target, bool ReadOnly, string Propagation);
