using System.Globalization;
using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Mapping;

/// <summary>How a container reaches others, and they it.</summary>
internal static class NetworkReader
{
    private const string ContainerPrefix = "container:";

    public static NetworkSpec Read(CreateContainerBody config, HostConfig host)
    {
        var mode = config.NetworkDisabled is true ? "none" : host.NetworkMode ?? "";
        var settings = config.NetworkingConfig?.EndpointsConfig ?? new Dictionary<string, EndpointSettings?>(StringComparer.Ordinal);
        var spec = new NetworkSpec
        {
            Ports = [.. (host.PortBindings ?? new Dictionary<string, IReadOnlyList<PortBindingBody>?>(StringComparer.Ordinal)).SelectMany(pair => ReadBindings(pair.Key, pair.Value ?? [new PortBindingBody(null, null)]))],
            PublishesAll = host.PublishAllPorts,
            ExposedPorts = [.. (config.ExposedPorts?.Keys ?? []).Concat(host.PortBindings?.Keys ?? []).Select(NormalisePort).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)],
            NameServers = host.Dns ?? [],
            SearchDomains = host.DnsSearch ?? [],
            ResolverOptions = host.DnsOptions ?? [],
            ExtraHosts = [.. (host.ExtraHosts ?? []).Select(ReadHost)],
        };
        return mode switch
        {
            "host" => spec with { Mode = NetworkMode.Host },
            "none" => spec with { Mode = NetworkMode.None },
            _ when mode.StartsWith(ContainerPrefix, StringComparison.Ordinal) => spec with { Mode = NetworkMode.Container, Container = mode[ContainerPrefix.Length..] },
            _ => spec with { Endpoints = ReadEndpoints(mode is "" or "default" ? "bridge" : mode, settings, config.MacAddress) },
        };
    }

    public static EndpointSpec ReadEndpoint(string network, EndpointSettings? settings) => new(network)
    {
        Aliases = settings?.Aliases ?? [],
        Address = Text(settings?.IPAMConfig?.IPv4Address),
        AddressV6 = Text(settings?.IPAMConfig?.IPv6Address),
        Mac = Text(settings?.MacAddress),
    };

    /// <summary><c>80</c>, <c>80/tcp</c>, <c>53/udp</c>.</summary>
    /// <exception cref="DockerException">It is no port.</exception>
    public static (ushort Port, string Protocol) ReadPort(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var protocol = slash < 0 ? "tcp" : text[(slash + 1)..].ToLowerInvariant();
        if (protocol is not ("tcp" or "udp"))
        {
            throw DockerException.Invalid($"invalid port specification: \"{text}\": godwit publishes tcp and udp");
        }

        return ushort.TryParse(slash < 0 ? text : text[..slash], NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0
            ? (port, protocol)
            : throw DockerException.Invalid($"invalid port specification: \"{text}\"");
    }

    private static string NormalisePort(string text)
    {
        var (port, protocol) = ReadPort(text);
        return string.Create(CultureInfo.InvariantCulture, $"{port}/{protocol}");
    }

    /// <summary>The network of the mode comes first: it is the container's first interface.</summary>
    private static List<EndpointSpec> ReadEndpoints(string first, IReadOnlyDictionary<string, EndpointSettings?> settings, string? mac)
    {
        // Clients name the default network in the mode and in the settings as they like.
        var named = settings.ToDictionary(pair => pair.Key is "default" ? "bridge" : pair.Key, pair => pair.Value, StringComparer.Ordinal);
        var order = named.Keys.Where(name => name != first).Order(StringComparer.Ordinal).Prepend(first);
        return [.. order.Select(name => ReadEndpoint(name, named.GetValueOrDefault(name))).Select((endpoint, place) => place == 0 && endpoint.Mac is null ? endpoint with { Mac = Text(mac) } : endpoint)];
    }

    private static IEnumerable<PublishedPort> ReadBindings(string containerPort, IReadOnlyList<PortBindingBody> bindings)
    {
        var (port, protocol) = ReadPort(containerPort);
        foreach (var binding in bindings.DefaultIfEmpty(new PortBindingBody(null, null)))
        {
            var (first, last) = ReadRange(binding.HostPort ?? "");
            if (!string.IsNullOrEmpty(binding.HostIp) && !System.Net.IPAddress.TryParse(binding.HostIp, out _))
            {
                throw DockerException.Invalid($"invalid IP address: {binding.HostIp}");
            }

            yield return new PublishedPort(port, protocol, binding.HostIp ?? "", first, last);
        }
    }

    private static (ushort First, ushort Last) ReadRange(string text)
    {
        if (text.Length == 0)
        {
            return (0, 0);
        }

        var parts = text.Split('-');
        return parts.Length <= 2
            && ushort.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            && ushort.TryParse(parts[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            && last >= first
            ? (first, parts.Length == 1 ? (ushort)0 : last)
            : throw DockerException.Invalid($"invalid port specification: \"{text}\"");
    }

    private static string ReadHost(string line) => line.IndexOf(':', StringComparison.Ordinal) > 0 ? line : throw DockerException.Invalid($"bad format for add-host: \"{line}\"");

    private static string? Text(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
