using System.Globalization;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Networks.Containers;

namespace Godwit.DockerApi.Mapping;

/// <summary>Networks between the engine's words and clients'. Pure.</summary>
internal static class NetworkWriter
{
    public static NetworkBody Write(ContainerNetwork network, IReadOnlyList<(string ContainerId, string Name, EndpointAddresses Addresses)> members) => new()
    {
        Name = network.Name,
        Id = network.Id,
        Created = Moments.Write(network.CreatedAt),
        Driver = "bridge",
        EnableIPv6 = network.RangeV6 is not null,
        IPAM = new IpamBody("default", null, [.. new[] { network.Range, network.RangeV6 }.OfType<AddressRange>().Select(range => new IpamRange { Subnet = range.Subnet, Gateway = range.Gateway, IPRange = range.Pool })]),
        Internal = network.Internal,
        Attachable = network.Attachable,
        Containers = members.ToDictionary(member => member.ContainerId, member => Write(member.Name, member.Addresses), StringComparer.Ordinal),
        Options = network.IsDefault ? Describe(network) : network.Options,
        Labels = network.Labels,
    };

    /// <summary>The default network's options, which nobody gave, as clients look them up.</summary>
    private static SortedDictionary<string, string> Describe(ContainerNetwork network) => new(StringComparer.Ordinal)
    {
        ["com.docker.network.bridge.default_bridge"] = "true",
        ["com.docker.network.bridge.enable_icc"] = "true",
        ["com.docker.network.bridge.enable_ip_masquerade"] = "true",
        ["com.docker.network.bridge.host_binding_ipv4"] = "0.0.0.0",
        ["com.docker.network.bridge.name"] = network.Bridge,
        ["com.docker.network.driver.mtu"] = network.MtuBytes.ToString(CultureInfo.InvariantCulture),
    };

    /// <exception cref="DockerException">It asks for what is not there.</exception>
    public static ContainerNetworkRequest Read(CreateNetworkBody body)
    {
        if (string.IsNullOrWhiteSpace(body.Name))
        {
            throw DockerException.Invalid("network name cannot be empty");
        }

        if (body.Driver is not (null or "" or "bridge" or "default"))
        {
            throw DockerException.NotThere($"could not resolve driver {body.Driver} in v2 plugin registry: godwit has the driver bridge");
        }

        if (body.ConfigOnly || body.Ingress || body.Scope is not (null or "" or "local"))
        {
            throw DockerException.Invalid("networks of a swarm are not supported by godwit");
        }

        if (body.IPAM?.Driver is not (null or "" or "default"))
        {
            throw DockerException.Invalid($"the IPAM driver {body.IPAM.Driver} is not supported by godwit");
        }

        var ranges = body.IPAM?.Config ?? [];
        var (four, six) = (Only(ranges, isSix: false), Only(ranges, isSix: true));
        return new ContainerNetworkRequest
        {
            Name = body.Name,
            Subnet = Text(four?.Subnet),
            Gateway = Text(four?.Gateway),
            Pool = Text(four?.IPRange),
            EnableIpv6 = body.EnableIPv6 ?? six is not null,
            SubnetV6 = Text(six?.Subnet),
            GatewayV6 = Text(six?.Gateway),
            Internal = body.Internal,
            Attachable = body.Attachable,
            Labels = body.Labels ?? new Dictionary<string, string>(StringComparer.Ordinal),
            Options = body.Options ?? new Dictionary<string, string>(StringComparer.Ordinal),
        };
    }

    private static IpamRange? Only(IReadOnlyList<IpamRange> ranges, bool isSix)
    {
        var fitting = ranges.Where(range => (range.Subnet ?? range.Gateway ?? "").Contains(':', StringComparison.Ordinal) == isSix && range is not { Subnet: null, Gateway: null, IPRange: null }).ToList();
        if (fitting is [_, _, ..])
        {
            throw DockerException.Invalid("several ranges of one family in one network are not supported by godwit");
        }

        return fitting is [var only] ? only.AuxiliaryAddresses is { Count: > 0 } ? throw DockerException.Invalid("--aux-address is not supported by godwit: give a --ip-range without these addresses") : only : null;
    }

    private static NetworkMemberBody Write(string name, EndpointAddresses addresses) => new(
        name,
        addresses.EndpointId,
        addresses.Mac,
        string.Create(CultureInfo.InvariantCulture, $"{addresses.Address}/{addresses.PrefixLength}"),
        addresses.AddressV6 is { } six ? string.Create(CultureInfo.InvariantCulture, $"{six}/{addresses.PrefixLengthV6}") : "");

    private static string? Text(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
