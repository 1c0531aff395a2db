using System.Net;
using Godwit.Networks.Addressing;

namespace Godwit.Networks.Services;

/// <summary>Where a connection to a virtual address goes.</summary>
public sealed record ServiceBackend(IPAddress Address, int Port);

/// <summary>One port of one virtual address, or of every address of this node.</summary>
public sealed record ServicePlace
{
    /// <summary>For people who read the rules: <c>namespace/name:port</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The virtual address; null: each of this node's own.</summary>
    public required IPAddress? Address { get; init; }

    public required ServiceProtocol Protocol { get; init; }

    public required int Port { get; init; }

    /// <summary>For how many seconds after its last new connection a client's connections go to the backend of that one, as long as it is there; null: for none.</summary>
    public int? HoldSeconds { get; init; }

    /// <summary>True when backends see the addresses of clients from outside. Only for backends on this node: answers have to come back by it.</summary>
    public bool KeepsClients { get; init; }

    /// <summary>Those that may have new connections; when there is none, connections are refused.</summary>
    public IReadOnlyList<ServiceBackend> Backends { get; init; } = [];

    /// <summary>The same for clients in the cluster, where it differs; null when it does not.</summary>
    public IReadOnlyList<ServiceBackend>? InsideBackends { get; init; }
}

public enum ServiceProtocol
{
    Tcp,
    Udp,
    Sctp,
}

/// <summary>All virtual addresses as a node is to know them.</summary>
public sealed record ServiceState
{
    /// <summary>More are left out, those last by name: rules without bound would take the node's memory.</summary>
    public const int PlacesMax = 10_000;

    /// <summary>More backends of one place get no connections from here.</summary>
    public const int BackendsMax = 1_000;

    /// <summary>The guests' network.</summary>
    public required Ipv4Network Network { get; init; }

    /// <summary>This node's own address on it; null: as yet it reaches backends on itself alone.</summary>
    public required IPAddress? StationAddress { get; init; }

    /// <summary>Where virtual addresses lie. What is at none of them is refused.</summary>
    public required IReadOnlyList<Ipv4Network> Ranges { get; init; }

    /// <summary>Their order has no meaning.</summary>
    public required IReadOnlyList<ServicePlace> Places { get; init; }
}
