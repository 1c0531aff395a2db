using Godwit.Linux.ControlGroups;

namespace Godwit.Containers;

/// <summary>What several containers have in common.</summary>
public sealed record SandboxSpec
{
    /// <summary>1 to 40 letters, digits and <c>-</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The host's name inside, at most 63 letters.</summary>
    public required string HostName { get; init; }

    /// <summary>The host's own network, and its name unless <see cref="HostName"/> is another.</summary>
    public bool HostNetwork { get; init; }

    /// <summary>The host's own namespace of communication.</summary>
    public bool HostCommunication { get; init; }

    /// <summary>All of <c>/etc/hosts</c>.</summary>
    public required string Hosts { get; init; }

    /// <summary>All of <c>/etc/resolv.conf</c>.</summary>
    public required string Resolver { get; init; }

    public long SharedMemoryBytes { get; init; } = 64L << 20;

    /// <summary>The cgroup that the containers' own are made in, with its parents: <c>godwit/pods/burstable/1</c>.</summary>
    public required string ControlGroup { get; init; }

    /// <summary>What all containers together may use.</summary>
    public ControlGroupLimits Limits { get; init; } = new();
}
