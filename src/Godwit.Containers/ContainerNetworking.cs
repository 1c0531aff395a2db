using System.Globalization;
using System.Net;
using System.Text;
using Godwit.Linux.Processes;
using Godwit.Networks.Containers;

namespace Godwit.Containers;

/// <summary>A container that has joined its networks.</summary>
/// <param name="NamespacePath">Null: the host's.</param>
/// <param name="NamesFolder">Where its <c>hosts</c>, <c>hostname</c> and <c>resolv.conf</c> are: its own, or those of the container whose network it shares.</param>
internal sealed record JoinedNetwork(string? NamespacePath, string NamesFolder, IReadOnlyDictionary<string, NetworkEndpoint> Endpoints, IReadOnlyList<PortBinding> Ports);

/// <summary>Between containers and networks: who joins what, and the three files of names that a container sees.</summary>
internal static class ContainerNetworking
{
    private const string NameServer = "127.0.0.11";

    /// <summary>Where a host keeps its real name servers, when the usual file names only a forwarder on its loopback.</summary>
    private static readonly string[] ResolverFiles = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

    private static readonly IReadOnlyDictionary<string, NetworkEndpoint> Nowhere = new Dictionary<string, NetworkEndpoint>(StringComparer.Ordinal);

    internal static async Task<JoinedNetwork> JoinAsync(ContainerRecord record, ContainerFolder folder, EngineParts parts, CancellationToken stopping)
    {
        switch (record.Spec.Network.Mode)
        {
            case NetworkMode.Host:
                WriteFiles(record, folder, File.ReadAllText("/etc/hosts"), File.Exists(ResolverFiles[0]) ? await File.ReadAllTextAsync(ResolverFiles[0], stopping) : "");
                return new JoinedNetwork(null, folder.Data, Nowhere, []);
            case NetworkMode.None:
                WriteFiles(record, folder, BuildHosts(record, [], hostGateway: null), "");
                return new JoinedNetwork(parts.Networks.MakeLonely(record.Id.Value, Ids(record, parts)), folder.Data, Nowhere, []);
            case NetworkMode.Container:
                var other = parts.Find(record.Spec.Network.Container);
                var process = other.RequireAlive("share its network").ProcessId;
                return new JoinedNetwork(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/ns/net"), other.Folder.Data, Nowhere, []);
            case NetworkMode.Sandbox:
                var sandbox = parts.FindSandbox(record.Spec.Network.Sandbox);
                return new JoinedNetwork(sandbox.NetworkFile, sandbox.Folder, Nowhere, []);
            default:
                return await JoinNetworksAsync(record, folder, parts, stopping);
        }
    }

    internal static async Task LeaveAsync(ContainerRecord record, EngineParts parts, CancellationToken stopping)
    {
        if (record.Spec.Network.Mode is NetworkMode.Networks or NetworkMode.None)
        {
            await parts.Networks.LeaveAsync(record.Id.Value, stopping);
        }
    }

    /// <summary>The container's place in its networks, as its maker asked; checked against the networks that there are.</summary>
    /// <exception cref="NotThereException">There is no such network.</exception>
    internal static IReadOnlyDictionary<string, NetworkEndpoint> Plan(ContainerSpec spec, NetworkEngine networks)
    {
        if (spec.Network.Mode is not NetworkMode.Networks)
        {
            return Nowhere;
        }

        var wanted = spec.Network.Endpoints.Count > 0 ? spec.Network.Endpoints : [new EndpointSpec("bridge")];
        return wanted.Select(endpoint => Plan(endpoint, networks)).ToDictionary(endpoint => endpoint.NetworkName, StringComparer.Ordinal);
    }

    internal static NetworkEndpoint Plan(EndpointSpec wanted, NetworkEngine networks)
    {
        var network = Translate(() => networks.Get(wanted.Network is "default" ? "bridge" : wanted.Network));
        return new NetworkEndpoint
        {
            NetworkId = network.Id,
            NetworkName = network.Name,
            Aliases = wanted.Aliases,
            WantedAddress = wanted.Address,
            WantedAddressV6 = wanted.AddressV6,
            WantedMac = wanted.Mac,
        };
    }

    internal static NetworkMember Member(ContainerRecord record) => new()
    {
        Id = record.Id.Value,
        Names = [record.Name, record.Id.Short],
        Endpoints = [.. record.Endpoints.Values],
        Ports = record.Ports,
        NameServers = record.Spec.Network.NameServers,
    };

    internal static IReadOnlyDictionary<string, NetworkEndpoint> WithoutAddresses(IReadOnlyDictionary<string, NetworkEndpoint> endpoints) =>
        endpoints.ToDictionary(pair => pair.Key, pair => pair.Value with { Addresses = null }, StringComparer.Ordinal);

    /// <summary>Its files of names again, after it has joined or left a network.</summary>
    internal static void Rewrite(ContainerRecord record, ContainerFolder folder, EngineParts parts)
    {
        var endpoints = record.Endpoints.Values.ToList();
        WriteFiles(record, folder, BuildHosts(record, endpoints, Gateway(endpoints)), BuildResolver(record, endpoints, parts));
    }

    internal static T Translate<T>(Func<T> ask)
    {
        try
        {
            return ask();
        }
        catch (NetworkException refusal)
        {
            throw Translate(refusal);
        }
    }

    internal static ContainerException Translate(NetworkException refusal) =>
        refusal.IsMissing ? new NotThereException(refusal.Message, refusal) : refusal.IsInvalid ? new InvalidRequestException(refusal.Message, refusal) : new ConflictException(refusal.Message, refusal);

    private static async Task<JoinedNetwork> JoinNetworksAsync(ContainerRecord record, ContainerFolder folder, EngineParts parts, CancellationToken stopping)
    {
        try
        {
            var wanted = Member(record) with { Endpoints = [.. WithoutAddresses(record.Endpoints).Values], Ports = [], Ids = Ids(record, parts) };
            var (member, path) = await parts.Networks.JoinAsync(wanted, Ports(record.Spec.Network), stopping);
            var endpoints = member.Endpoints.ToDictionary(endpoint => endpoint.NetworkName, StringComparer.Ordinal);
            Rewrite(record with { Endpoints = endpoints }, folder, parts);
            return new JoinedNetwork(path, folder.Data, endpoints, member.Ports);
        }
        catch (NetworkException refusal)
        {
            throw Translate(refusal);
        }
    }

    private static IdMap? Ids(ContainerRecord record, EngineParts parts) => record.Spec.Isolation.HasUserNamespace ? parts.Options.UserIds : null;

    private static List<PortRequest> Ports(NetworkSpec network)
    {
        var wanted = network.Ports.Select(port => new PortRequest(port.ContainerPort, port.Protocol, port.HostAddress, port.HostPort, port.HostPortLast)).ToList();
        if (network.PublishesAll)
        {
            wanted.AddRange(from text in network.ExposedPorts
                            let fields = text.Split('/')
                            where ushort.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out _)
                            let port = ushort.Parse(fields[0], CultureInfo.InvariantCulture)
                            let protocol = fields.Length > 1 ? fields[1] : "tcp"
                            where wanted.All(one => one.ContainerPort != port || one.Protocol != protocol)
                            select new PortRequest(port, protocol, "", 0));
        }

        return wanted.FirstOrDefault(port => port.Protocol is not ("tcp" or "udp" or "sctp")) is { } strange
            ? throw new InvalidRequestException($"cannot publish {strange.ContainerPort}/{strange.Protocol}: the protocols are tcp, udp and sctp")
            : wanted;
    }

    private static string BuildHosts(ContainerRecord record, IReadOnlyList<NetworkEndpoint> endpoints, string? hostGateway)
    {
        var text = new StringBuilder("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n");
        foreach (var line in record.Spec.Network.ExtraHosts)
        {
            if (line.IndexOf(':', StringComparison.Ordinal) is > 0 and var split)
            {
                var address = line[(split + 1)..].Trim('[', ']');
                text.Append(CultureInfo.InvariantCulture, $"{(address == "host-gateway" ? hostGateway ?? "127.0.0.1" : address)}\t{line[..split]}\n");
            }
        }

        var host = record.Spec.HostName ?? record.Id.Short;
        var name = record.Spec.DomainName.Length > 0 ? $"{host}.{record.Spec.DomainName} {host}" : host;
        foreach (var addresses in endpoints.Select(endpoint => endpoint.Addresses).OfType<EndpointAddresses>())
        {
            text.Append(CultureInfo.InvariantCulture, $"{addresses.Address}\t{name}\n");
            if (addresses.AddressV6 is { } six)
            {
                text.Append(CultureInfo.InvariantCulture, $"{six}\t{name}\n");
            }
        }

        return text.ToString();
    }

    private static string? Gateway(IReadOnlyList<NetworkEndpoint> endpoints) => endpoints.Select(endpoint => endpoint.Addresses?.Gateway).FirstOrDefault(gateway => gateway is { Length: > 0 });

    private static string BuildResolver(ContainerRecord record, IReadOnlyList<NetworkEndpoint> endpoints, EngineParts parts)
    {
        var network = record.Spec.Network;
        var host = ResolverFiles.Where(File.Exists).Select(File.ReadAllLines).ToList();
        var hasNames = endpoints.Any(endpoint => Translate(() => parts.Networks.Get(endpoint.NetworkId)) is { IsDefault: false });
        var servers = hasNames ? [NameServer]
            : network.NameServers.Count > 0 ? network.NameServers
            // The host's loopback is not the container's: a forwarder there cannot be asked from inside.
            : host.Select(lines => (IReadOnlyList<string>)[.. Values(lines, "nameserver").Where(server => IPAddress.TryParse(server, out var address) && !IPAddress.IsLoopback(address))])
                .FirstOrDefault(found => found.Count > 0) ?? [];
        var search = network.SearchDomains.Count > 0 ? [string.Join(' ', network.SearchDomains.Where(domain => domain != "."))] : host.Take(1).SelectMany(lines => Values(lines, "search"));
        var text = new StringBuilder();
        text.AppendJoin("", servers.Select(server => $"nameserver {server}\n"));
        text.AppendJoin("", search.Where(domain => domain.Length > 0).Select(domain => $"search {domain}\n"));
        var options = network.ResolverOptions.Count > 0 ? network.ResolverOptions : hasNames ? ["ndots:0"] : [];
        return options.Count > 0 ? text.Append(CultureInfo.InvariantCulture, $"options {string.Join(' ', options)}\n").ToString() : text.ToString();
    }

    private static IEnumerable<string> Values(IReadOnlyList<string> lines, string key) =>
        lines.Where(line => line.StartsWith(key + " ", StringComparison.Ordinal)).Select(line => line[(key.Length + 1)..].Trim());

    /// <summary>Written over, never replaced: a container that runs has the very file mounted.</summary>
    private static void WriteFiles(ContainerRecord record, ContainerFolder folder, string hosts, string resolver)
    {
        File.WriteAllText(folder.Hosts, hosts);
        File.WriteAllText(folder.HostName, (record.Spec.HostName ?? record.Id.Short) + "\n");
        File.WriteAllText(folder.Resolver, resolver);
    }
}
