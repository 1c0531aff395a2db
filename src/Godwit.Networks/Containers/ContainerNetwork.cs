
namespace Godwit.Networks.Containers;

/// <summary>A network that containers of this host join: a bridge, one or two ranges of addresses, and names.</summary>
public sealed record ContainerNetwork
{
    internal const string ReachOption = "com.docker.network.bridge.enable_icc";
    internal const string MasqueradeOption = "com.docker.network.bridge.enable_ip_masquerade";
    internal const string HostAddressOption = "com.docker.network.bridge.host_binding_ipv4";

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The bridge's name on the host.</summary>
    public required string Bridge { get; init; }

    public required AddressRange Range { get; init; }

    /// <summary>Null: IPv4 only.</summary>
    public AddressRange? RangeV6 { get; init; }

    /// <summary>Its containers reach each other and nobody else.</summary>
    public bool Internal { get; init; }

    /// <summary>Containers may join while they run, by <c>attachable</c> in clients' words; kept for them.</summary>
    public bool Attachable { get; init; }

    /// <summary>The one that containers join who name none: it has no names, only addresses.</summary>
    public bool IsDefault { get; init; }

    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The driver's options as the client gave them; those with a meaning were understood.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public int MtuBytes { get; init; } = 1500;

    /// <summary>Whether its containers reach each other by address; if not, only their published ports.</summary>
    internal bool LetsMembersMeet => !IsOff(ReachOption);

    /// <summary>Whether its containers go out under the host's address; if not, under their own, and whoever answers must know the way.</summary>
    internal bool Masquerades => !IsOff(MasqueradeOption);

    /// <summary>The host's address for ports that are published without one; null is all.</summary>
    internal string? PublishesOn => Options.TryGetValue(HostAddressOption, out var address) && address != "0.0.0.0" ? address : null;

    private bool IsOff(string option) => Options.TryGetValue(option, out var text) && bool.TryParse(text, out var on) && !on;
}

/// <summary>Addresses of a network.</summary>
/// <param name="Subnet">In the form <c>172.20.0.0/16</c>.</param>
/// <param name="Gateway">The host's own address in it.</param>
/// <param name="Pool">The part that addresses are given out from; null is all of it.</param>
public sealed record AddressRange(string Subnet, string Gateway, string? Pool = null);

/// <summary>What a network is asked to be.</summary>
public sealed record ContainerNetworkRequest
{
    public required string Name { get; init; }

    /// <summary>Null: the engine takes a free range.</summary>
    public string? Subnet { get; init; }

    public string? Gateway { get; init; }

    public string? Pool { get; init; }

    public bool EnableIpv6 { get; init; }

    public string? SubnetV6 { get; init; }

    public string? GatewayV6 { get; init; }

    public bool Internal { get; init; }

    public bool Attachable { get; init; }

    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

/// <summary>A container's place in a network.</summary>
public sealed record NetworkEndpoint
{
    public required string NetworkId { get; init; }

    public required string NetworkName { get; init; }

    /// <summary>Names that the container has in this network, beside its own name and short id.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Wanted by its maker; kept for each start.</summary>
    public string? WantedAddress { get; init; }

    public string? WantedAddressV6 { get; init; }

    public string? WantedMac { get; init; }

    /// <summary>Null while the container does not run.</summary>
    public EndpointAddresses? Addresses { get; init; }
}

/// <summary>What an endpoint has while its container runs.</summary>
/// <param name="Interface">The interface's name in the container.</param>
public sealed record EndpointAddresses(string EndpointId, string Interface, string HostInterface, string Address, int PrefixLength, string Gateway, string Mac)
{
    public string? AddressV6 { get; init; }

    public int PrefixLengthV6 { get; init; }

    public string? GatewayV6 { get; init; }
}

/// <summary>A port of the host that leads to a container.</summary>
/// <param name="HostAddress">An address of the host, <c>0.0.0.0</c> or <c>::</c>.</param>
public sealed record PortBinding(ushort ContainerPort, string Protocol, string HostAddress, ushort HostPort);
