using System.Net;
using System.Text;
using Godwit.Api.Core.V1;
using Godwit.Containers;
using Godwit.Linux.Networking;
using Godwit.Networks.Guests;
using Godwit.Networks.Overlays;
using Godwit.Node.Networking;

namespace Godwit.Node.Pods;

/// <summary>The network that pods on this node are in.</summary>
internal interface IPodNetwork
{
    /// <summary>What the network is like; null before that is known.</summary>
    ClusterNetwork? Current { get; }

    Task PlugAsync(string uid, Sandbox sandbox, IPAddress address, CancellationToken stopping);

    Task UnplugAsync(string uid, CancellationToken stopping);
}

/// <summary>Pods on this host's bridge, as neighbours of the guests.</summary>
internal sealed class OverlayPodNetwork(OverlayNames names, OverlaySync overlay, TimeProvider time) : IPodNetwork
{
    private readonly SandboxPorts ports = new(NetworkNamespace.Own, names, time);

    public ClusterNetwork? Current => overlay.Network;

    public async Task PlugAsync(string uid, Sandbox sandbox, IPAddress address, CancellationToken stopping)
    {
        await overlay.Ready.WaitAsync(stopping);
        await ports.PlugAsync(new SandboxPort(uid, NetworkNamespace.Named(sandbox.NetworkName!), address), Current!.Network, Current.Gateway, stopping);
    }

    public Task UnplugAsync(string uid, CancellationToken stopping) => ports.UnplugAsync(uid, stopping);
}

/// <summary>The names that a pod sees: its own, those that its maker adds, and where it asks for all others. Pure.</summary>
internal static class PodNames
{
    private const int HostNameLengthMax = 63;

    /// <summary>More are not asked by any resolver (resolv.conf(5)), or may confuse it.</summary>
    private const int ServersMax = 3;

    private const int SearchesMax = 32;

    public static string HostName(Pod pod, string node)
    {
        var name = pod.Spec.HostNetwork == true ? node : string.IsNullOrEmpty(pod.Spec.Hostname) ? pod.Metadata.Name : pod.Spec.Hostname;
        return name.Length <= HostNameLengthMax ? name : name[..HostNameLengthMax].TrimEnd('-', '.');
    }

    public static string Hosts(Pod pod, string hostName, string clusterDomain)
    {
        var text = new StringBuilder("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        if (pod.Status.PodIP is { Length: > 0 } address)
        {
            var domain = string.IsNullOrEmpty(pod.Spec.Subdomain) ? "" : $"{hostName}.{pod.Spec.Subdomain}.{pod.Metadata.Namespace}.svc.{clusterDomain}\t";
            text.Append(address).Append('\t').Append(domain).Append(hostName).Append('\n');
        }

        foreach (var alias in pod.Spec.HostAliases)
        {
            text.Append(alias.Ip).Append('\t').AppendJoin('\t', alias.Hostnames).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>The pod's resolv.conf: what its policy says, then what its own configuration adds; of an option that both name, the latter's counts.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="network">Where the node's name service is, and the domains that are searched.</param>
    /// <param name="host">The node's own resolver file.</param>
    public static string Resolver(Pod pod, ClusterNetwork network, string host)
    {
        var own = pod.Spec.DnsConfig;
        var (servers, searches, options) = pod.Spec.DnsPolicy switch
        {
            "None" => new ResolverLines([], [], []),
            "Default" => OfHost(pod, network, host),
            "ClusterFirstWithHostNet" => OfCluster(pod, network, host),
            _ => pod.Spec.HostNetwork == true ? OfHost(pod, network, host) : OfCluster(pod, network, host),
        };
        var named = (own?.Options ?? []).Where(option => !string.IsNullOrEmpty(option.Name)).ToList();
        options.RemoveAll(option => named.Exists(each => each.Name == option.Split(':')[0]));
        options.AddRange(named.Select(option => string.IsNullOrEmpty(option.Value) ? option.Name! : $"{option.Name}:{option.Value}"));
        var text = new StringBuilder();
        foreach (var address in servers.Concat(own?.Nameservers ?? []).Distinct(StringComparer.Ordinal).Take(ServersMax))
        {
            text.Append("nameserver ").Append(address).Append('\n');
        }

        AppendLine(text, "search ", searches.Concat(own?.Searches ?? []).Distinct(StringComparer.Ordinal).Take(SearchesMax));
        AppendLine(text, "options ", options.Distinct(StringComparer.Ordinal));
        return text.ToString();
    }

    private static ResolverLines OfCluster(Pod pod, ClusterNetwork network, string host)
    {
        var (space, cluster, machines) = (pod.Metadata.Namespace, network.ClusterDomain, network.Domain);
        return new ResolverLines(
            [network.Gateway.ToString()],
            [$"{space}.svc.{cluster}", $"svc.{cluster}", cluster, $"{space}.{machines}", machines, .. Read(host).Searches],
            ["ndots:5"]);
    }

    /// <summary>A server on the host's own loopback is none for a pod with a network of its own; the node's name service asks it for the pod.</summary>
    private static ResolverLines OfHost(Pod pod, ClusterNetwork network, string host)
    {
        var read = Read(host);
        return pod.Spec.HostNetwork == true
            ? read
            : read with { Servers = [.. read.Servers.Select(server => IPAddress.TryParse(server, out var address) && IPAddress.IsLoopback(address) ? network.Gateway.ToString() : server)] };
    }

    private static ResolverLines Read(string file)
    {
        var lines = new ResolverLines([], [], []);
        foreach (var words in file.Split('\n').Select(line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)).Where(words => words.Length > 1))
        {
            (words[0] switch { "nameserver" => lines.Servers, "search" => lines.Searches, "options" => lines.Options, _ => [] }).AddRange(words.Skip(1));
        }

        return lines;
    }

    private static void AppendLine(StringBuilder text, string key, IEnumerable<string> words)
    {
        var line = string.Join(' ', words);
        if (line.Length > 0)
        {
            text.Append(key).Append(line).Append('\n');
        }
    }

    private sealed record ResolverLines(List<string> Servers, List<string> Searches, List<string> Options);
}
