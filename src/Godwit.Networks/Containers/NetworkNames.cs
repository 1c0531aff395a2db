using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Godwit.Linux.Networking;
using Microsoft.Extensions.Logging;

namespace Godwit.Networks.Containers;

/// <summary>
/// Names in container networks. A container asks 127.0.0.11, as it does with Docker; its own namespace leads the question to a dnsmasq on the host, which outlives the engine. There
/// is one for each set of networks (and name servers to forward to) that some container has: it knows the names in these networks and no others, so nobody learns a name that is
/// not theirs. One network, by far the most common set, needs one process however many containers it has.
/// </summary>
internal sealed class NetworkNames(NetworkEngineOptions options, TimeProvider time, ILogger log) : IDisposable
{
    internal const string Address = "127.0.0.11";

    private const int PortFirst = 20_000;
    private const int PortCount = 10_000;

    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly Dictionary<string, NameServer> servers = new(StringComparer.Ordinal);

    /// <summary>Makes the name servers that are needed run with what is known now, and ends the others.</summary>
    internal async Task ApplyAsync(IReadOnlyList<ContainerNetwork> networks, IReadOnlyList<NetworkMember> members, CancellationToken stopping)
    {
        await gate.WaitAsync(stopping);
        try
        {
            var wanted = members.Select(member => Plan(member, networks)).OfType<NameServerPlan>().DistinctBy(plan => plan.Key).ToList();
            foreach (var plan in wanted)
            {
                if (!servers.TryGetValue(plan.Key, out var server))
                {
                    servers.Add(plan.Key, server = new NameServer(Path.Combine(options.RunFolder, plan.Key), time, log));
                }

                await server.ApplyAsync(plan.BuildConfiguration(), BuildHosts(plan, members), stopping);
            }

            foreach (var key in servers.Keys.Except(wanted.Select(plan => plan.Key), StringComparer.Ordinal).Concat(Leftovers(wanted)).Distinct(StringComparer.Ordinal).ToList())
            {
                var gone = servers.TryGetValue(key, out var known) ? known : new NameServer(Path.Combine(options.RunFolder, key), time, log);
                await gone.RemoveAsync(stopping);
                servers.Remove(key);
            }
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Leads the container's questions to the name server of its networks.</summary>
    internal async Task LeadAsync(NetworkMember member, IReadOnlyList<ContainerNetwork> networks, NetworkNamespace place, CancellationToken stopping)
    {
        if (Plan(member, networks) is not { } plan)
        {
            return;
        }

        foreach (var endpoint in member.Endpoints)
        {
            // The answer comes back to an address of the loopback, over a cable.
            KernelSetting.TrySet(place, $"ipv4/conf/{endpoint.Addresses!.Interface}/route_localnet", "1");
        }

        await Nftables.ApplyAsync(BuildLead(plan), place, time, stopping);
    }

    internal async Task StopAllAsync(CancellationToken stopping) => await ApplyAsync([], [], stopping);

    public void Dispose()
    {
        foreach (var server in servers.Values)
        {
            server.Dispose();
        }

        gate.Dispose();
    }

    internal static string BuildLead(NameServerPlan plan) => $$"""
        add table ip names
        delete table ip names
        table ip names {
          chain output {
            type nat hook output priority -100; policy accept;
            ip daddr {{Address}} udp dport 53 dnat to {{plan.Listen}}:{{plan.Port}}
            ip daddr {{Address}} tcp dport 53 dnat to {{plan.Listen}}:{{plan.Port}}
          }
          chain postrouting {
            type nat hook postrouting priority srcnat; policy accept;
            ip saddr 127.0.0.0/8 ip daddr {{plan.Listen}} masquerade
          }
        }

        """;

    /// <summary>Null for a container that is in the default network alone.</summary>
    internal static NameServerPlan? Plan(NetworkMember member, IReadOnlyList<ContainerNetwork> networks)
    {
        var own = member.Endpoints.Select(endpoint => networks.FirstOrDefault(network => network.Id == endpoint.NetworkId && endpoint.Addresses is not null))
            .OfType<ContainerNetwork>().OrderBy(network => network.Id, StringComparer.Ordinal).ToList();
        if (own.Count == 0 || own.All(network => network.IsDefault))
        {
            return null;
        }

        var key = string.Join(',', own.Select(network => network.Id).Concat(member.NameServers));
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(key));
        var isPlain = own.Count == 1 && member.NameServers.Count == 0;
        return new NameServerPlan(
            Convert.ToHexStringLower(hash)[..16],
            own,
            isPlain ? 53 : PortFirst + (((hash[0] << 8) | hash[1]) % PortCount),
            member.NameServers);
    }

    private IEnumerable<string> Leftovers(IReadOnlyList<NameServerPlan> wanted) => Directory.Exists(options.RunFolder)
        ? Directory.EnumerateDirectories(options.RunFolder).Select(folder => Path.GetFileName(folder)!).Except(wanted.Select(plan => plan.Key), StringComparer.Ordinal)
        : [];

    /// <summary>hosts(5): an address and its names. Names that would not be one word are left out.</summary>
    private static string BuildHosts(NameServerPlan plan, IReadOnlyList<NetworkMember> members)
    {
        var text = new StringBuilder();
        var own = plan.Networks.Where(network => !network.IsDefault).Select(network => network.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var member in members.OrderBy(member => member.Id, StringComparer.Ordinal))
        {
            foreach (var endpoint in member.Endpoints.Where(endpoint => own.Contains(endpoint.NetworkId) && endpoint.Addresses is not null))
            {
                var names = string.Join(' ', member.Names.Concat(endpoint.Aliases).Where(IsName).Distinct(StringComparer.OrdinalIgnoreCase));
                foreach (var address in new[] { endpoint.Addresses!.Address, endpoint.Addresses.AddressV6 }.OfType<string>())
                {
                    text.Append(CultureInfo.InvariantCulture, $"{address} {names}\n");
                }
            }
        }

        return text.ToString();
    }

    private static bool IsName(string name) => name.Length is > 0 and <= 253 && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.');
}

/// <summary>One name server: whose names it knows, and where it listens.</summary>
internal sealed record NameServerPlan(string Key, IReadOnlyList<ContainerNetwork> Networks, int Port, IReadOnlyList<string> Forwards)
{
    /// <summary>The bridge's address in the first of its networks; every container that asks is in all of them.</summary>
    internal string Listen => Networks[0].Range.Gateway;

    /// <summary>dnsmasq(8): DNS alone, on one address. Where all its networks are internal, nothing is asked outside.</summary>
    internal string BuildConfiguration()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"port={Port}\nlisten-address={Listen}\nbind-dynamic\nexcept-interface=lo\nno-hosts\nno-negcache\ncache-size=1000\ndns-forward-max=150\nlocal-ttl=0\n");
        if (Networks.All(network => network.Internal))
        {
            text.Append("no-resolv\n");
        }
        else if (Forwards.Count > 0)
        {
            text.Append("no-resolv\n");
            foreach (var server in Forwards.Where(server => IPAddress.TryParse(server, out _)))
            {
                text.Append(CultureInfo.InvariantCulture, $"server={server}\n");
            }
        }

        return text.ToString();
    }
}
