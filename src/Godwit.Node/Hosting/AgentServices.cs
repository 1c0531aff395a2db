using Godwit.Api.KubeVirt.V1;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Node.Guests;
using Godwit.Node.Peers;
using Microsoft.Extensions.Logging;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Hosting;

/// <summary>What the agent's parts share, put together once. The mover of guests is made from this.</summary>
internal sealed record AgentServices
{
    public required AgentOptions Options { get; init; }

    public required ClusterClient Client { get; init; }

    public required ResourceCache<VirtualMachineInstance> Instances { get; init; }

    public required ResourceCache<KubeNode> Nodes { get; init; }

    public required EventRecorder Events { get; init; }

    public required IMachineHost MachineHost { get; init; }

    public required LocalMachines Machines { get; init; }

    public required IncarnationJournal Incarnations { get; init; }

    public required GuestBuilder Builder { get; init; }

    public required IGuestNetwork Network { get; init; }

    /// <summary>To answer other agents: map methods before the agent listens.</summary>
    public required PeerMethods PeerMethods { get; init; }

    public required PeerDialer PeerDialer { get; init; }

    public required PeerLinks PeerLinks { get; init; }

    public required LinkRates LinkRates { get; init; }

    public required IncomingStreams IncomingStreams { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILoggerFactory Loggers { get; init; }
}

/// <summary>Where the peer of a node listens, from its Node object.</summary>
internal static class PeerAddresses
{
    /// <exception cref="PeerException">There is no such node, or it does not say.</exception>
    public static PeerEndpoint Find(ResourceCache<KubeNode> nodes, NodeName node)
    {
        var found = nodes.Current.Find("", node.Value) ?? throw new PeerException($"There is no node {node}.");
        return PeerEndpoint.TryParse(node, found.Metadata.Annotations.GetValueOrDefault(Api.AnnotationNames.PeerEndpoint), out var endpoint)
            ? endpoint
            : throw new PeerException($"Node {node} does not say where its agent listens (annotation {Api.AnnotationNames.PeerEndpoint}).");
    }
}
