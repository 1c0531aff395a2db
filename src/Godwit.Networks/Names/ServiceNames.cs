using System.Net;

namespace Godwit.Networks.Names;

/// <summary>An address for a whole name.</summary>
/// <param name="Name">Lower-case, without a dot at its end: <c>web.default.svc.cluster.local</c>.</param>
public readonly record struct HostName(string Name, IPAddress Address);

/// <summary>The names of the cluster's services, as every node answers them.</summary>
public sealed record ServiceNames
{
    /// <summary>More are left out, those last by name: tables without bound would take the node's memory.</summary>
    public const int HostsMax = 100_000;

    /// <summary>Of the names that have one address, the first is the one that the address is called.</summary>
    public IReadOnlyList<HostName> Hosts { get; init; } = [];
}
