using System.Globalization;
using System.Net;
using System.Security.Cryptography;

namespace Godwit.Networks.Containers;

/// <summary>What a new network will be: a function of the request and of what there is.</summary>
internal static class NetworkPlanner
{
    private const int NameLengthMax = 128;
    private const int SplitMax = 4096;
    private const int BridgeDigits = 6;
    private const int MtuMin = 68;
    private const int MtuMax = 65535;

    /// <summary>Options of Docker's bridge driver that mean something here; all others are refused by name.</summary>
    private const string MtuOption = "com.docker.network.driver.mtu";
    private const string BridgeOption = "com.docker.network.bridge.name";
    private const string SixOption = "com.docker.network.enable_ipv6";
    private static readonly string[] SwitchOptions = [ContainerNetwork.ReachOption, ContainerNetwork.MasqueradeOption, SixOption];
    private static readonly string[] KnownOptions = [MtuOption, BridgeOption, ContainerNetwork.HostAddressOption, .. SwitchOptions];

    /// <param name="request">What is asked for.</param>
    /// <param name="options">Names and pools.</param>
    /// <param name="others">The networks that there are.</param>
    /// <param name="routed">Ranges that the host reaches otherwise: no network may hide them.</param>
    /// <param name="now">Its time of birth.</param>
    /// <exception cref="NetworkException">It cannot be.</exception>
    internal static ContainerNetwork Plan(
        ContainerNetworkRequest request, NetworkEngineOptions options, IReadOnlyList<ContainerNetwork> others, IReadOnlyList<IpRange> routed, DateTimeOffset now)
    {
        CheckName(request.Name);
        if (request.Options.Keys.FirstOrDefault(name => !KnownOptions.Contains(name)) is { } unknown)
        {
            throw new NetworkException($"the option '{unknown}' of network {request.Name} is not supported");
        }

        foreach (var name in SwitchOptions.Where(name => request.Options.TryGetValue(name, out var text) && !bool.TryParse(text, out _)))
        {
            throw new NetworkException($"the option '{name}' of network {request.Name} takes true or false, not '{request.Options[name]}'");
        }

        if (request.Options.TryGetValue(ContainerNetwork.HostAddressOption, out var host) && !IPAddress.TryParse(host, out _))
        {
            throw new NetworkException($"the option '{ContainerNetwork.HostAddressOption}' of network {request.Name} takes an address of this host, not '{host}'");
        }

        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var bridge = request.Options.TryGetValue(BridgeOption, out var given) && given.Length > 0 ? CheckDevice(given) : $"{options.DevicePrefix}-{id[..BridgeDigits]}";
        var taken = others.SelectMany(network => new[] { network.Range, network.RangeV6 }).OfType<AddressRange>().Select(range => IpRange.Parse(range.Subnet)).ToList();
        return new ContainerNetwork
        {
            Id = id,
            Name = request.Name,
            CreatedAt = now,
            Bridge = bridge,
            Range = request.Subnet is null ? FreeRange(options.AddressPools, [.. taken, .. routed]) : GivenRange(request.Subnet, request.Gateway, request.Pool, taken),
            RangeV6 = !request.EnableIpv6 && !(request.Options.TryGetValue(SixOption, out var six) && bool.Parse(six)) ? null
                : request.SubnetV6 is null ? LocalRange(id)
                : GivenRange(request.SubnetV6, request.GatewayV6, pool: null, taken),
            Internal = request.Internal,
            Attachable = request.Attachable,
            Labels = request.Labels,
            Options = request.Options,
            MtuBytes = request.Options.TryGetValue(MtuOption, out var mtu) ? ReadMtu(mtu) : 1500,
        };
    }

    private static void CheckName(string name)
    {
        if (name.Length is 0 or > NameLengthMax || !char.IsAsciiLetterOrDigit(name[0]) || !name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '.' or '-'))
        {
            throw new NetworkException($"'{name}' is no name for a network: letters, digits, '_', '.' and '-', the first a letter or digit") { IsInvalid = true };
        }
    }

    private static string CheckDevice(string name) => name.Length <= 15 && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.') && name is not "." and not ".."
        ? name
        : throw new NetworkException($"'{name}' is no name for a bridge: up to 15 letters, digits, '-', '_' and '.'");

    private static int ReadMtu(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var mtu) && mtu is >= MtuMin and <= MtuMax
        ? mtu
        : throw new NetworkException($"'{text}' is no MTU: {MtuMin} to {MtuMax} bytes");

    private static AddressRange FreeRange(IReadOnlyList<string> pools, IReadOnlyList<IpRange> taken)
    {
        foreach (var pool in pools)
        {
            var parts = pool.Split(',');
            var length = int.Parse(parts[1], CultureInfo.InvariantCulture);
            foreach (var candidate in IpRange.Parse(parts[0]).Split(length, SplitMax))
            {
                if (!taken.Any(candidate.Overlaps))
                {
                    return new AddressRange(candidate.ToString(), candidate.At(1).ToString());
                }
            }
        }

        throw new NetworkException("all address pools have been used: remove networks, or name a subnet");
    }

    private static AddressRange GivenRange(string subnet, string? gateway, string? pool, IReadOnlyList<IpRange> taken)
    {
        if (!IpRange.TryParse(subnet, out var range) || range.Count < 4)
        {
            throw new NetworkException($"'{subnet}' is no subnet for containers: the form is 172.20.0.0/16, with room for a gateway and a container");
        }

        if (taken.FirstOrDefault(range.Overlaps) is { PrefixLength: > 0 } other)
        {
            throw new NetworkException($"the subnet {range} overlaps with {other} of another network");
        }

        if (gateway is not null && !(IPAddress.TryParse(gateway, out var address) && range.Contains(address)))
        {
            throw new NetworkException($"the gateway {gateway} is none of {range}");
        }

        if (pool is not null && !(IpRange.TryParse(pool, out var part) && range.Contains(part.At(0)) && range.Contains(part.At(part.Count - 1))))
        {
            throw new NetworkException($"the address range {pool} is no part of {range}");
        }

        return new AddressRange(range.ToString(), gateway ?? range.At(1).ToString(), pool);
    }

    /// <summary>A unique local range (RFC 4193) out of the network's own random id.</summary>
    private static AddressRange LocalRange(string id)
    {
        var range = IpRange.Parse($"fd{id[..2]}:{id[2..6]}:{id[6..10]}:{id[10..14]}::/64");
        return new AddressRange(range.ToString(), range.At(1).ToString());
    }
}
