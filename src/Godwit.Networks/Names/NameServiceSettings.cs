using System.Net;
using Godwit.Linux.Networking;
using Godwit.Networks.Addressing;

namespace Godwit.Networks.Names;

/// <summary>How one host gives addresses and names to the guests on it.</summary>
public sealed record NameServiceSettings
{
    /// <summary>Where configuration, tables and the process's identity are kept; readable by the service's own user.</summary>
    public required string Folder { get; init; }

    public required string BridgeName { get; init; }

    public NetworkNamespace Place { get; init; } = NetworkNamespace.Own;

    public required Ipv4Network Network { get; init; }

    public required IPAddress Gateway { get; init; }

    public required int MtuBytes { get; init; }

    /// <summary>The guests' domain: <c>vm.cluster.local</c>.</summary>
    public string Domain { get; init; } = "vm.cluster.local";

    /// <summary>Of services and pods; nothing below it is ever asked of another resolver.</summary>
    public string ClusterDomain { get; init; } = "cluster.local";

    /// <summary>Resolvers of other names; null takes those of the host, empty forwards nothing.</summary>
    public IReadOnlyList<IPAddress>? Resolvers { get; init; }
}

/// <summary>What the guests are called, and who gets an address from this host.</summary>
/// <param name="Leases">Guests of this host only.</param>
/// <param name="Names">Guests of all hosts.</param>
public sealed record NameTable(IReadOnlyList<GuestLease> Leases, IReadOnlyList<GuestName> Names)
{
    /// <summary>What services are called; null while that is not known: what was applied last stays.</summary>
    public ServiceNames? Services { get; init; }

    /// <summary>The loopback's port where a <see cref="NameResponder"/> answers for names that stand in no table; 0: nobody does.</summary>
    public int ResponderPort { get; init; }
}

/// <summary>An address for a MAC address.</summary>
/// <param name="Mac">Who asks.</param>
/// <param name="Address">What it gets.</param>
/// <param name="HostName">The name that it is told is its own: one label.</param>
public sealed record GuestLease(MacAddress Mac, IPAddress Address, string HostName);

/// <summary>An address for a name.</summary>
/// <param name="Name">Below the domain: <c>vm.namespace</c>.</param>
/// <param name="Address">Where it is.</param>
public sealed record GuestName(string Name, IPAddress Address);
