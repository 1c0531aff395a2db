using System.Text.Json.Serialization;

namespace Godwit.Containers;

/// <summary>How a container reaches others, and they it.</summary>
public sealed record NetworkSpec
{
    public NetworkMode Mode { get; init; } = NetworkMode.Networks;

    /// <summary>The container whose network this one shares, in mode <see cref="NetworkMode.Container"/>.</summary>
    public string Container { get; init; } = "";

    /// <summary>The sandbox whose network and names this one has, in mode <see cref="NetworkMode.Sandbox"/>.</summary>
    public string Sandbox { get; init; } = "";

    /// <summary>The networks to join at the start, in mode <see cref="NetworkMode.Networks"/>; empty is the default one.</summary>
    public IReadOnlyList<EndpointSpec> Endpoints { get; init; } = [];

    public IReadOnlyList<PublishedPort> Ports { get; init; } = [];

    /// <summary>Every exposed port gets a free port of the host.</summary>
    public bool PublishesAll { get; init; }

    /// <summary>Ports that the image says it serves, such as <c>80/tcp</c>: for people, and for <see cref="PublishesAll"/>.</summary>
    public IReadOnlyList<string> ExposedPorts { get; init; } = [];

    /// <summary>Name servers in place of the host's.</summary>
    public IReadOnlyList<string> NameServers { get; init; } = [];

    public IReadOnlyList<string> SearchDomains { get; init; } = [];

    /// <summary>Options of resolv.conf(5).</summary>
    public IReadOnlyList<string> ResolverOptions { get; init; } = [];

    /// <summary>Lines for <c>/etc/hosts</c> as <c>name:address</c>; the address <c>host-gateway</c> is the host's own on the container's network.</summary>
    public IReadOnlyList<string> ExtraHosts { get; init; } = [];
}

[JsonConverter(typeof(JsonStringEnumConverter<NetworkMode>))]
public enum NetworkMode
{
    /// <summary>A namespace of its own, joined to networks.</summary>
    Networks,

    /// <summary>A namespace of its own with a loopback and nothing else.</summary>
    None,

    /// <summary>The host's.</summary>
    Host,

    /// <summary>That of another container.</summary>
    Container,

    /// <summary>That of a sandbox, with its files of names.</summary>
    Sandbox,
}

/// <summary>A container's place in one network.</summary>
/// <param name="Network">Name or id.</param>
public sealed record EndpointSpec(string Network)
{
    /// <summary>More names, in this network only.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>A wanted address of the network's own; null is the next free one.</summary>
    public string? Address { get; init; }

    public string? AddressV6 { get; init; }

    public string? Mac { get; init; }
}

/// <summary>A port of the container that the host answers on.</summary>
/// <param name="ContainerPort">1 to 65535.</param>
/// <param name="Protocol"><c>tcp</c> or <c>udp</c>.</param>
/// <param name="HostAddress">An address of the host; empty is all, of both families.</param>
/// <param name="HostPort">0: the engine chooses a free one at each start.</param>
/// <param name="HostPortLast">The last that the engine may choose from, when a range was given; 0 without a range.</param>
public sealed record PublishedPort(ushort ContainerPort, string Protocol, string HostAddress, ushort HostPort, ushort HostPortLast = 0);
