using System.Globalization;
using System.Net;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.App.Clusters;
using Godwit.Cli;
using Godwit.Client;
using Godwit.Networks.Addressing;

namespace Godwit.App.Roles;

/// <summary>
/// The guests' network as the cluster knows it: ConfigMap <c>kube-system/godwit-network</c>, made at the server's first start
/// and read by controllers and agents. The addresses are decided once; only the server's own membership and the pool for load balancers may change later.
/// </summary>
internal sealed record ClusterNetworkSettings(Ipv4Network Network, int NetworkId, IPAddress? Member)
{
    public const string ServiceNetworkDefault = "10.96.0.0/16";

    /// <summary>Virtual addresses of services.</summary>
    public Ipv4Network ServiceNetwork { get; init; } = Ipv4Network.Parse(ServiceNetworkDefault);

    /// <summary>Addresses for services of type LoadBalancer; null has none.</summary>
    public Ipv4Network? LoadBalancerPool { get; init; }

    public const string CidrDefault = "10.77.0.0/16";
    public const int PrefixLengthMin = 8;
    public const int PrefixLengthMax = 28;

    /// <summary>The smallest range of addresses of services that is of use.</summary>
    public const int RangePrefixLengthMax = 30;

    public const int NetworkIdDefault = 77;

    /// <summary>Rounds of the first write, when servers start at the same time.</summary>
    private const int AttemptsMax = 5;

    /// <summary>VXLAN adds 50 bytes to what the hosts' links carry (1500).</summary>
    private const int MtuBytes = 1450;

    /// <exception cref="CliException">Not a private IPv4 network with room for guests.</exception>
    public static ClusterNetworkSettings For(string? cidr, int networkId, IPAddress? member)
    {
        var text = cidr ?? CidrDefault;
        if (!Ipv4Network.TryParse(text, out var network) || network.PrefixLength is < PrefixLengthMin or > PrefixLengthMax)
        {
            throw new CliException($"--guest-network takes an IPv4 network of /{PrefixLengthMin} to /{PrefixLengthMax} such as {CidrDefault}, not '{text}'.", ExitCodes.Usage);
        }

        if (networkId is < 1 or > 0xff_ffff)
        {
            throw new CliException($"--guest-network-id takes 1 to {0xff_ffff}, not {networkId}.", ExitCodes.Usage);
        }

        return new ClusterNetworkSettings(network, networkId, member);
    }

    /// <exception cref="CliException">Not an IPv4 network, or one that overlaps with the guests'.</exception>
    public ClusterNetworkSettings WithServices(string? serviceNetwork, string? loadBalancerPool) => this with
    {
        ServiceNetwork = RangeOf("--service-network", serviceNetwork ?? ServiceNetworkDefault),
        LoadBalancerPool = loadBalancerPool is null ? null : RangeOf("--load-balancer-pool", loadBalancerPool),
    };

    private Ipv4Network RangeOf(string option, string text)
    {
        if (!Ipv4Network.TryParse(text, out var range) || range.PrefixLength is < PrefixLengthMin or > RangePrefixLengthMax)
        {
            throw new CliException($"{option} takes an IPv4 network of /{PrefixLengthMin} to /{RangePrefixLengthMax} such as {ServiceNetworkDefault}, not '{text}'.", ExitCodes.Usage);
        }

        return !range.Contains(Network.Address) && !Network.Contains(range.Address)
            ? range
            : throw new CliException($"{option} {text} overlaps with the guests' network {Network}; choose another.", ExitCodes.Usage);
    }

    /// <summary>Writes down what the cluster's network is, at its first start; later starts only change what may change.</summary>
    /// <param name="cluster">The API.</param>
    /// <param name="hasOtherServers">Other servers serve this cluster too: one of them may be the network's member, and is left so.</param>
    /// <param name="stopping">Ends the wait.</param>
    /// <exception cref="ClusterException">Another server is the network's member.</exception>
    public async Task EnsureAsync(ClusterClient cluster, bool hasOtherServers, CancellationToken stopping)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await TryEnsureAsync(cluster.For<ConfigMap>(), hasOtherServers, stopping);
                return;
            }
            catch (ApiException error) when ((error.IsConflict || error.IsAlreadyExists || error.IsNotFound) && attempt < AttemptsMax)
            {
                // Another server starts at the same time.
            }
        }
    }

    private async Task TryEnsureAsync(ResourceClient<ConfigMap> maps, bool hasOtherServers, CancellationToken stopping)
    {
        var key = new ResourceKey("kube-system", "godwit-network");
        var fresh = Fresh();
        if (await maps.FindAsync(key, stopping) is not { } existing)
        {
            await maps.CreateAsync(new ConfigMap { Metadata = new ObjectMeta { Namespace = key.Namespace, Name = key.Name }, Data = fresh }, stopping);
            return;
        }

        var data = new Dictionary<string, string>(existing.Data, StringComparer.Ordinal) { ["members"] = Members(existing.Data.GetValueOrDefault("members", ""), hasOtherServers) };
        if (LoadBalancerPool is { } pool)
        {
            data["loadBalancerCidr"] = pool.ToString();
        }

        if (data.Any(entry => existing.Data.GetValueOrDefault(entry.Key, "") != entry.Value))
        {
            await maps.UpdateAsync(existing with { Data = data }, stopping);
        }
    }

    /// <summary>The observer's address in the guests' network is one, so one server may be the member that has it.</summary>
    internal string Members(string existing, bool hasOtherServers)
    {
        var own = Member?.ToString() ?? "";
        return !hasOtherServers || existing.Length == 0 || existing == own ? own
            : own.Length == 0 ? existing
            : throw new ClusterException($"A server with --underlay-address {existing} joins the guests' network already, and only one may. Leave the flag out here; or, if that server is gone for good, empty 'members' in the ConfigMap kube-system/godwit-network first");
    }

    /// <summary>What a new cluster's ConfigMap says. The first usable address is the gateway's, the last the observer's; guests get what lies between.</summary>
    internal Dictionary<string, string> Fresh() => new(StringComparer.Ordinal)
    {
        ["cidr"] = Network.ToString(),
        ["gateway"] = Network.FirstUsable.ToString(),
        ["observer"] = Network.LastUsable.ToString(),
        ["vni"] = NetworkId.ToString(CultureInfo.InvariantCulture),
        ["mtu"] = MtuBytes.ToString(CultureInfo.InvariantCulture),
        ["domain"] = "vm.cluster.local",
        ["serviceCidr"] = ServiceNetwork.ToString(),
        ["loadBalancerCidr"] = LoadBalancerPool?.ToString() ?? "",
        ["members"] = Member?.ToString() ?? "",
    };
}
