using System.Net;
using Godwit.Linux.Networking;
using Godwit.Networks.Addressing;

namespace Godwit.Networks.Overlays;

/// <summary>One host's part of the guests' network, as it is to be.</summary>
public sealed record OverlayState
{
    /// <summary>What VXLAN and the outer headers (IPv4, UDP, inner Ethernet) take from the underlay's MTU.</summary>
    public const int TunnelOverheadBytes = 50;

    /// <summary>The gateway's MAC address, the same on every host, so that a guest's gateway is always the host that it is on.</summary>
    public static MacAddress GatewayMac { get; } = MacAddress.Parse("02:67:77:00:00:01");

    public OverlayNames Names { get; init; } = new();

    /// <summary>The VXLAN network identifier, 1 to 16777215.</summary>
    public required int NetworkId { get; init; }

    /// <summary>UDP port of the tunnel, the same on every host.</summary>
    public int Port { get; init; } = 4789;

    /// <summary>This host's address between the hosts.</summary>
    public required IPAddress UnderlayAddress { get; init; }

    /// <summary>The guests' network.</summary>
    public required Ipv4Network Network { get; init; }

    /// <summary>The guests' gateway.</summary>
    public required IPAddress Gateway { get; init; }

    /// <summary>Whether this host is a gateway for guests on it: a node. A member that only observes has no guests and is none.</summary>
    public required bool IsGateway { get; init; }

    /// <summary>The address of this host's own station, unlike that of any guest or other member; null has none.</summary>
    public IPAddress? ObserverAddress { get; init; }

    /// <summary>
    /// The gateway's own address on the network, unlike that of any other node: what this host itself, or a client that it stands in
    /// for, says to stations on other hosts comes from there, so that answers find back. Null: this host reaches its own guests alone.
    /// </summary>
    public IPAddress? StationAddress { get; init; }

    /// <summary>The largest packet of a guest: the underlay's MTU less <see cref="TunnelOverheadBytes"/>.</summary>
    public int MtuBytes { get; init; } = 1450;

    /// <summary>Whether guests reach what is beyond the overlay, under the host's own address.</summary>
    public bool Masquerades { get; init; }

    /// <summary>Underlay addresses of all members; this host's own may be among them.</summary>
    public IReadOnlyList<IPAddress> Members { get; init; } = [];

    /// <summary>Where the guests are, by their MAC address: the underlay address of their host. A hint; what is heard later wins.</summary>
    public IReadOnlyDictionary<MacAddress, IPAddress> Guests { get; init; } = new Dictionary<MacAddress, IPAddress>();

    /// <summary>The MAC address of the member's own station: local, and as unique as its address.</summary>
    public static MacAddress ObserverMac(IPAddress address) => MacAddress.FromBytes([0x02, 0x68, .. address.GetAddressBytes()]);

    /// <summary>The MAC address under which the other hosts know a host itself: local, and as unique as its underlay address.</summary>
    public static MacAddress HostMac(IPAddress underlayAddress) => MacAddress.FromBytes([0x02, 0x69, .. underlayAddress.GetAddressBytes()]);

    /// <exception cref="ArgumentException">It contradicts itself; the message says where.</exception>
    public void Check()
    {
        Require(NetworkId is > 0 and < 1 << 24, $"the VNI {NetworkId} is not from 1 to 16777215");
        Require(Port is > 0 and < 1 << 16, $"the port {Port} is not from 1 to 65535");
        Require(MtuBytes is >= 576 and <= 65000, $"the MTU {MtuBytes} is not from 576 to 65000");
        Require(Network.IsUsable(Gateway), $"the gateway {Gateway} is no station's address in {Network}");
        Require(!Network.Contains(UnderlayAddress), $"the underlay address {UnderlayAddress} lies in the guests' network {Network}");
        Require(ObserverAddress is null || (Network.IsUsable(ObserverAddress) && !ObserverAddress.Equals(Gateway)), $"the observer's address {ObserverAddress} is no station's address in {Network}");
        Require(StationAddress is null || (IsGateway && Network.IsUsable(StationAddress) && !StationAddress.Equals(Gateway)), $"the station's address {StationAddress} is no gateway's own address in {Network}");
        Require(Members.Count <= MembersMax, $"{Members.Count} members are more than {MembersMax}");
    }

    /// <summary>Every unknown frame is sent once per member: beyond this many the overlay needs another kind of flooding.</summary>
    public const int MembersMax = 256;

    private static void Require(bool condition, string problem)
    {
        if (!condition)
        {
            throw new ArgumentException($"the overlay cannot be set up: {problem}");
        }
    }
}
