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
    private const string ClusterDomain = "cluster.local";
    private const int HostNameLengthMax = 63;

    public static string HostName(Pod pod, string node)
    {
        var name = pod.Spec.HostNetwork == true ? node : string.IsNullOrEmpty(pod.Spec.Hostname) ? pod.Metadata.Name : pod.Spec.Hostname;
        return name.Length <= HostNameLengthMax ? name : name[..HostNameLengthMax].TrimEnd('-', '.');
    }

    public static string Hosts(Pod pod, string hostName)
    {
        var text = new StringBuilder("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        if (pod.Status.PodIP is { Length: > 0 } address)
        {
            var domain = string.IsNullOrEmpty(pod.Spec.Subdomain) ? "" : $"{hostName}.{pod.Spec.Subdomain}.{pod.Metadata.Namespace}.svc.{ClusterDomain}\t";
            text.Append(address).Append('\t').Append(domain).Append(hostName).Append('\n');
        }

        foreach (var alias in pod.Spec.HostAliases)
        {
            text.Append(alias.Ip).Append('\t').AppendJoin('\t', alias.Hostnames).Append('\n');
        }

        return text.ToString();
    }

    /// <param name="pod">The pod.</param>
    /// <param name="server">The node's name service.</param>
    /// <param name="machineDomain">The domain of virtual machines, searched too.</param>
    /// <param name="host">The node's own resolver file.</param>
    public static string Resolver(Pod pod, IPAddress server, string machineDomain, string host)
    {
        var policy = pod.Spec.DnsPolicy;
        var (servers, searches, options) = (new List<string>(), new List<string>(), new List<string>());
        if (policy == "Default" || (policy != "None" && policy != "ClusterFirstWithHostNet" && pod.Spec.HostNetwork == true))
        {
            foreach (var words in host.Split('\n').Select(line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)).Where(words => words.Length > 1))
            {
                (words[0] switch { "nameserver" => servers, "search" => searches, "options" => options, _ => [] }).AddRange(words.Skip(1));
            }
        }
        else if (policy != "None")
        {
            servers.Add(server.ToString());
            searches.AddRange([$"{pod.Metadata.Namespace}.svc.{ClusterDomain}", $"svc.{ClusterDomain}", ClusterDomain, $"{pod.Metadata.Namespace}.{machineDomain}", machineDomain]);
            options.Add("ndots:5");
        }

        servers.AddRange(pod.Spec.DnsConfig?.Nameservers ?? []);
        searches.AddRange(pod.Spec.DnsConfig?.Searches ?? []);
        options.AddRange((pod.Spec.DnsConfig?.Options ?? []).Select(option => string.IsNullOrEmpty(option.Value) ? option.Name ?? "" : $"{option.Name}:{option.Value}"));
        var text = new StringBuilder();
        foreach (var address in servers.Distinct(StringComparer.Ordinal))
        {
            text.Append("nameserver ").Append(address).Append('\n');
        }

        if (searches.Count > 0)
        {
            text.Append("search ").AppendJoin(' ', searches.Distinct(StringComparer.Ordinal)).Append('\n');
        }

        if (options.Count > 0)
        {
            text.Append("options ").AppendJoin(' ', options.Distinct(StringComparer.Ordinal)).Append('\n');
        }

        return text.ToString();
    }
}
