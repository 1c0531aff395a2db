using Godwit.Api.Core.V1;
using Godwit.Client;
using Godwit.Containers;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Pods;

/// <summary>What pods are kept with.</summary>
internal sealed record PodSyncParts
{
    public required NodeName Node { get; init; }

    /// <summary>The node's address, as pods in the host's network have it.</summary>
    public required string HostAddress { get; init; }

    public required ClusterClient Client { get; init; }

    public required ResourceCache<Pod> Cache { get; init; }

    public required EventRecorder Events { get; init; }

    public required ContainerEngine Engine { get; init; }

    public required PodImages Images { get; init; }

    public required PodVolumes Volumes { get; init; }

    public required IPodNetwork Network { get; init; }

    /// <summary>All services, once they are known.</summary>
    public required Func<CancellationToken, Task<IEnumerable<Service>>> Services { get; init; }

    /// <summary>The cgroup that pods' cgroups are made in.</summary>
    public required string ControlGroup { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }
}
