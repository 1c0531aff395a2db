using Godwit.Linux.Processes;

namespace Godwit.Networks.Containers;

/// <summary>What a host's container networks are called, and where they are kept.</summary>
public sealed record NetworkEngineOptions
{
    /// <summary>Networks, one file each.</summary>
    public required string Folder { get; init; }

    /// <summary>Name servers' files, while they run.</summary>
    public required string RunFolder { get; init; }

    /// <summary>Beginning of the devices' names: at most 8 letters.</summary>
    public required string DevicePrefix { get; init; }

    /// <summary>The packet filter's table.</summary>
    public required string FilterTable { get; init; }

    /// <summary>Ranges that networks are cut from, each as <c>range,prefix length</c>.</summary>
    public required IReadOnlyList<string> AddressPools { get; init; }

    public string DefaultNetwork { get; init; } = "bridge";

    /// <summary>Whether the default network is made.</summary>
    public bool HasDefaultNetwork { get; init; } = true;
}

/// <summary>A container, as networks see it.</summary>
public sealed record NetworkMember
{
    /// <summary>64 hexadecimal digits.</summary>
    public required string Id { get; init; }

    /// <summary>Its name and short id: names that it has in each network.</summary>
    public required IReadOnlyList<string> Names { get; init; }

    /// <summary>By the network's name; in the order in which they become interfaces.</summary>
    public required IReadOnlyList<NetworkEndpoint> Endpoints { get; init; }

    /// <summary>Wanted, and once joined, had.</summary>
    public IReadOnlyList<PortBinding> Ports { get; init; } = [];

    /// <summary>Name servers to forward to in place of the host's.</summary>
    public IReadOnlyList<string> NameServers { get; init; } = [];

    /// <summary>The ids of the user namespace that its network shall belong to; null is the host's own.</summary>
    public IdMap? Ids { get; init; }
}
