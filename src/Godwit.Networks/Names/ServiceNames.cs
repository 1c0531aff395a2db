using System.Net;

namespace Godwit.Networks.Names;

/// <summary>An address for a whole name.</summary>
/// <param name="Name">Lower-case, without a dot at its end: <c>web.default.svc.cluster.local</c>.</param>
public readonly record struct HostName(string Name, IPAddress Address);

/// <summary>Where a service's port is (an SRV record).</summary>
/// <param name="Host">A name that has addresses.</param>
public readonly record struct ServiceTarget(int Port, string Host);

/// <summary>The names of the cluster's services, as every node answers them. All names are whole, lower-case, without a dot at their end.</summary>
public sealed record ServiceNames
{
    /// <summary>More are left out, those last by name: tables without bound would take the node's memory.</summary>
    public const int HostsMax = 100_000;

    /// <summary>The same of names that have no address of their own.</summary>
    public const int OthersMax = 20_000;

    /// <summary>Of the names that have one address, the first is the one that the address is called.</summary>
    public IReadOnlyList<HostName> Hosts { get; init; } = [];

    /// <summary>Places of named ports: <c>_http._tcp.web.default.svc.cluster.local</c>.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<ServiceTarget>> Targets { get; init; } = new Dictionary<string, IReadOnlyList<ServiceTarget>>();

    /// <summary>Names that stand for another one.</summary>
    public IReadOnlyDictionary<string, string> Aliases { get; init; } = new Dictionary<string, string>();
}
