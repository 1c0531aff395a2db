using System.Net;

namespace Godwit.Node;

/// <summary>What an agent needs to know to run. Reads no environment and no file by itself: whoever starts it fills this in.</summary>
public sealed record AgentOptions
{
    public const int AgentPortDefault = 10250;
    public const int PeerPortDefault = 10260;

    /// <summary>The node's name in the cluster. It stays with the data folder: another name there is refused.</summary>
    public required NodeName Node { get; init; }

    /// <summary>Addresses of the API server; the next is tried when one cannot be reached.</summary>
    public required IReadOnlyList<Uri> Servers { get; init; }

    /// <summary>The certificate of the cluster's authority, PEM.</summary>
    public required string AuthorityPath { get; init; }

    /// <summary>The file with the token to join with; needed until the node has its own certificate.</summary>
    public string? BootstrapTokenPath { get; init; }

    public string DataFolder { get; init; } = "/var/lib/godwit/agent";

    public string ImagesFolder { get; init; } = "/var/lib/godwit/images";

    /// <summary>This node's address towards the other nodes: the overlay's tunnels end there.</summary>
    public required IPAddress UnderlayAddress { get; init; }

    /// <summary>Where the server reaches this agent (console, log, metrics); port 0 takes a free one. Default: the underlay address, port 10250.</summary>
    public IPEndPoint? AgentListen { get; init; }

    /// <summary>Where other agents reach this one; port 0 takes a free one. Default: the underlay address, port 10260.</summary>
    public IPEndPoint? PeerListen { get; init; }

    /// <summary>Addresses of this host on other links, by which other agents reach this one when they cannot by the first. It has to listen there, too.</summary>
    public IReadOnlyList<IPAddress> OtherPeerAddresses { get; init; } = [];

    /// <summary>Folders of storage that guests may name disks in and that other nodes may share.</summary>
    public IReadOnlyList<string> SharedStorageFolders { get; init; } = [];

    /// <summary>Labels beside those that the agent sets itself.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Memory of the host that is not offered to guests.</summary>
    public long ReservedMemoryBytes { get; init; } = 512L << 20;

    /// <summary>The memory that the node says it has, where several nodes share one host; the host's own when null.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>The cgroup that holds those of the machines; several agents on one host need one each.</summary>
    public string ControlGroupParent { get; init; } = "godwit";

    /// <summary>What names of links and rules on this host begin with; only agents that share a network namespace need different ones.</summary>
    public string LinkPrefix { get; init; } = "gw";

    /// <summary>Decides the accelerator without a probe: null probes.</summary>
    public Godwit.Machines.Accelerator? Accelerator { get; init; }

    internal IPEndPoint AgentAddress => AgentListen ?? new IPEndPoint(UnderlayAddress, AgentPortDefault);

    internal IPEndPoint PeerAddress => PeerListen ?? new IPEndPoint(UnderlayAddress, PeerPortDefault);
}
