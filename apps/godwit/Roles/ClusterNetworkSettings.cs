using System.Globalization;
using System.Net;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Cli;
using Godwit.Client;
using Godwit.Networks.Addressing;

namespace Godwit.App.Roles;

/// <summary>
/// The guests' network as the cluster knows it: ConfigMap <c>kube-system/godwit-network</c>, made at the server's first start
/// and read by controllers and agents. The addresses are decided once; only the server's own membership may change later.
/// </summary>
internal sealed record ClusterNetworkSettings(Ipv4Network Network, int NetworkId, IPAddress? Member)
{
    public const string CidrDefault = "10.77.0.0/16";
    public const int PrefixLengthMin = 8;
    public const int PrefixLengthMax = 28;
    public const int NetworkIdDefault = 77;

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

    public async Task EnsureAsync(ClusterClient cluster, CancellationToken stopping)
    {
        var maps = cluster.For<ConfigMap>();
        var key = new ResourceKey("kube-system", "godwit-network");
        var fresh = Fresh();
        if (await maps.FindAsync(key, stopping) is not { } existing)
        {
            await maps.CreateAsync(new ConfigMap { Metadata = new ObjectMeta { Namespace = key.Namespace, Name = key.Name }, Data = fresh }, stopping);
        }
        else if (existing.Data.GetValueOrDefault("members", "") != fresh["members"])
        {
            await maps.UpdateAsync(existing with { Data = new Dictionary<string, string>(existing.Data, StringComparer.Ordinal) { ["members"] = fresh["members"] } }, stopping);
        }
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
        ["members"] = Member?.ToString() ?? "",
    };
}
