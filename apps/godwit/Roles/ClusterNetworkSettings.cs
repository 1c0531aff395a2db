using System.Globalization;
using System.Net;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.App.Clusters;
using Godwit.Client;
using Godwit.Cli;

namespace Godwit.App.Roles;

/// <summary>
/// The guests' network as the cluster knows it: ConfigMap <c>kube-system/godwit-network</c>, made at the server's first start
/// and read by controllers and agents. The addresses are decided once; only the server's own membership may change later.
/// </summary>
internal sealed record ClusterNetworkSettings(IPNetwork Cidr, int NetworkId, IPAddress? Member)
{
    public const string CidrDefault = "10.77.0.0/16";
    public const int PrefixLengthMax = 28;
    public const int NetworkIdDefault = 77;

    /// <summary>VXLAN adds 50 bytes to what the hosts' links carry (1500).</summary>
    private const int MtuBytes = 1450;

    /// <exception cref="CliException">Not a private IPv4 network with room for guests.</exception>
    public static ClusterNetworkSettings For(string? cidr, int networkId, IPAddress? member)
    {
        var text = cidr ?? CidrDefault;
        if (!IPNetwork.TryParse(text, out var network) || network.BaseAddress.AddressFamily != System.Net.Sockets.AddressFamily.InterNetwork || network.PrefixLength is < 8 or > PrefixLengthMax)
        {
            throw new CliException($"--guest-network takes an IPv4 network of /8 to /{PrefixLengthMax} such as {CidrDefault}, not '{text}'.", ExitCodes.Usage);
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
        var members = Member?.ToString() ?? "";
        if (await maps.FindAsync(key, stopping) is not { } existing)
        {
            await maps.CreateAsync(new ConfigMap { Metadata = new ObjectMeta { Namespace = key.Namespace, Name = key.Name }, Data = Fresh(members) }, stopping);
        }
        else if (existing.Data.GetValueOrDefault("members", "") != members)
        {
            await maps.UpdateAsync(existing with { Data = new Dictionary<string, string>(existing.Data, StringComparer.Ordinal) { ["members"] = members } }, stopping);
        }
    }

    private Dictionary<string, string> Fresh(string members)
    {
        var bytes = Cidr.BaseAddress.GetAddressBytes();
        bytes[3] |= 1;
        return new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["cidr"] = Cidr.ToString(),
            ["gateway"] = new IPAddress(bytes).ToString(),
            ["vni"] = NetworkId.ToString(CultureInfo.InvariantCulture),
            ["mtu"] = MtuBytes.ToString(CultureInfo.InvariantCulture),
            ["domain"] = "vm.cluster.local",
            ["members"] = members,
        };
    }
}
