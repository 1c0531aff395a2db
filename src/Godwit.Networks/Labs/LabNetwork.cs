using System.Net;
using Godwit.Linux;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;

namespace Godwit.Networks.Labs;

/// <summary>
/// Several hosts on one machine: each node is a network namespace, joined to a bridge on this host by a link whose rate can be
/// set and which can be cut.
/// <code>
///   this host ── bridge INSTANCE-lab (10.66.K.1/24)
///                  │ INSTANCE-n1          │ INSTANCE-n2
///   ═══════════════╪══════════════════════╪═════════  namespaces INSTANCE-node-1, INSTANCE-node-2
///                uplink 10.66.K.11      uplink 10.66.K.12
/// </code>
/// Every step may be repeated; what is there already stays.
/// </summary>
public sealed class LabNetwork
{
    public const int NodesMax = 30;
    private const string Uplink = "uplink";
    private const int PrefixLength = 24;
    private const byte FirstNodeHost = 11;

    /// <summary>As in the published baselines: large enough for one segmentation-offload packet, small enough to shape within milliseconds.</summary>
    private const uint BurstBytes = 128 * 1024;
    private const double QueueSeconds = 0.02;

    private readonly string instance;
    private readonly byte subnet;

    /// <param name="instance">Prefix of all names, at most 8 characters.</param>
    /// <param name="subnet">K, the third byte of the addresses, as in <see cref="ClusterNumber"/>.</param>
    public LabNetwork(string instance, byte subnet)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(instance.Length, 8);
        this.instance = instance;
        this.subnet = subnet;
    }

    /// <summary>K: tells this lab's addresses from those of others on this host.</summary>
    public byte Subnet => subnet;

    public string BridgeName => $"{instance}-lab";

    /// <summary>This host's own address among the nodes.</summary>
    public IPAddress HostAddress => Address(1);

    /// <summary>The name of a node, counted from 1, the same in every lab.</summary>
    public static string NodeName(int number) => $"node-{number}";

    public string NamespaceName(int number) => $"{instance}-node-{number}";

    public IPAddress NodeAddress(int number) => Address((byte)(FirstNodeHost + number - 1));

    private string PortName(int number) => $"{instance}-n{number}";

    /// <summary>The instance's own subnet when its bridge is there already, else a free one (<see cref="ClusterNumber"/>).</summary>
    /// <exception cref="LinuxException">None is free, or the kernel refused to list addresses.</exception>
    public static byte ChooseSubnet(string instance)
    {
        using var host = RouteSocket.Open(NetworkNamespace.Own);
        if (host.FindLink($"{instance}-lab") is { } bridge && host.ListAddresses().FirstOrDefault(address => address.LinkIndex == bridge.Index) is { } own)
        {
            return own.Address.GetAddressBytes()[2];
        }

        return ClusterNumber.ChooseFree();
    }

    /// <summary>Makes bridge, namespaces and links as far as they are missing.</summary>
    public void Ensure(int nodes, LinkRate rate)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nodes, NodesMax);
        using var host = RouteSocket.Open(NetworkNamespace.Own);
        host.AddBridge(BridgeName, MacFor(1));
        var bridge = host.GetLink(BridgeName).Index;
        host.ChangeLink(bridge, new LinkChange { IsUp = true });
        AddAddress(host, bridge, HostAddress);
        for (var number = 1; number <= nodes; number++)
        {
            EnsureNode(host, bridge, number);
        }

        SetRate(nodes, rate);
    }

    private void EnsureNode(RouteSocket host, int bridge, int number)
    {
        var place = NetworkNamespace.Find(NamespaceName(number)) ?? NetworkNamespace.Create(NamespaceName(number));
        using var node = RouteSocket.Open(place);
        if (node.FindLink(Uplink) is null)
        {
            host.AddVethPair(PortName(number), Uplink, place);
        }

        node.ChangeLink(node.GetLink("lo").Index, new LinkChange { IsUp = true });
        var uplink = node.GetLink(Uplink).Index;
        node.ChangeLink(uplink, new LinkChange { IsUp = true });
        AddAddress(node, uplink, NodeAddress(number));
        host.ChangeLink(host.GetLink(PortName(number)).Index, new LinkChange { IsUp = true, MasterIndex = bridge });
        node.ReplaceRoute(new Route(IPAddress.Any, 0, HostAddress, uplink));
    }

    /// <summary>Shapes every node's link in both directions; takes effect at once, also under traffic.</summary>
    public void SetRate(int nodes, LinkRate rate)
    {
        for (var number = 1; number <= nodes; number++)
        {
            SetNodeRate(number, rate);
        }
    }

    public void SetNodeRate(int number, LinkRate rate)
    {
        using var host = RouteSocket.Open(NetworkNamespace.Own);
        Shape(host, PortName(number), rate);
        using var node = RouteSocket.Open(Place(number));
        Shape(node, Uplink, rate);
    }

    /// <summary>Cuts a node's link, or restores it. To the node it looks like a switch that went dark: its own end stays up.</summary>
    public void SetConnected(int number, bool isConnected)
    {
        using var host = RouteSocket.Open(NetworkNamespace.Own);
        host.ChangeLink(host.GetLink(PortName(number)).Index, new LinkChange { IsUp = isConnected });
    }

    /// <summary>Removes everything that <see cref="Ensure"/> made; what is gone already is no error.</summary>
    public void Remove()
    {
        using var host = RouteSocket.Open(NetworkNamespace.Own);
        for (var number = 1; number <= NodesMax; number++)
        {
            DeleteIfThere(host, PortName(number));
            if (NetworkNamespace.Find(NamespaceName(number)) is not null)
            {
                NetworkNamespace.Delete(NamespaceName(number));
            }
        }

        DeleteIfThere(host, BridgeName);
    }

    /// <summary>The namespace of a node.</summary>
    /// <exception cref="LinuxException">It is not there.</exception>
    public NetworkNamespace Place(int number) =>
        NetworkNamespace.Find(NamespaceName(number)) ?? throw new LinuxException($"find the namespace of node {number}, {NamespaceName(number)}", Errno.ENOENT);

    private static void DeleteIfThere(RouteSocket routes, string name)
    {
        if (routes.FindLink(name) is not null)
        {
            routes.DeleteLink(name);
        }
    }

    private static void Shape(RouteSocket routes, string name, LinkRate rate)
    {
        var index = routes.GetLink(name).Index;
        if (rate.IsUnlimited)
        {
            routes.DeleteQueue(index);
        }
        else
        {
            routes.ReplaceQueue(index, new TokenBucket((ulong)rate.BytesPerSecond, BurstBytes, (uint)(rate.BytesPerSecond * QueueSeconds) + BurstBytes));
        }
    }

    private static void AddAddress(RouteSocket routes, int linkIndex, IPAddress address)
    {
        var wanted = new LinkAddress(linkIndex, address, PrefixLength);
        if (!routes.ListAddresses().Contains(wanted))
        {
            routes.AddAddress(wanted);
        }
    }

    private IPAddress Address(byte host) => new([10, 66, subnet, host]);

    private MacAddress MacFor(byte host) => MacAddress.FromBytes([0x02, 0x67, 0x66, subnet, 0, host]);
}
