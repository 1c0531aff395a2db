using System.Net;
using Godwit.Linux;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Addressing;
using Godwit.Networks.Overlays;

namespace Godwit.Networks.Guests;

/// <summary>A sandbox's place on the guests' network.</summary>
/// <param name="Id">Unique among sandboxes.</param>
/// <param name="Place">The sandbox's network.</param>
/// <param name="Address">The only address that it may use.</param>
public sealed record SandboxPort(string Id, NetworkNamespace Place, IPAddress Address);

/// <summary>
/// Cables from sandboxes into this host's bridge, beside the guests' taps and under the same rules: a sandbox sends from its own MAC and IP address and from no other. Its MAC
/// address follows from its IP address. Cables go with the sandbox's network, and are found again by name.
/// </summary>
public sealed class SandboxPorts(NetworkNamespace place, OverlayNames names, TimeProvider time)
{
    private const string Inside = "eth0";

    /// <summary>Guests' NICs are counted from zero; nobody has as many.</summary>
    private const int PortNumber = 9;

    /// <summary>Makes the cable with its rules, the address and the way out over the gateway. Idempotent.</summary>
    /// <exception cref="LinuxException">The kernel refused, or the overlay's bridge is missing.</exception>
    public async Task PlugAsync(SandboxPort port, Ipv4Network network, IPAddress gateway, CancellationToken stopping)
    {
        var (name, mac) = (NameOf(port.Id), MacFor(port.Address));
        await Nftables.ApplyAsync(OverlayRules.AddPort(names, name, mac, port.Address), place, time, stopping);
        using var routes = RouteSocket.Open(place);
        var bridge = routes.FindLink(names.Bridge) ?? throw new LinuxException($"find bridge {names.Bridge} for a pod", Errno.ENODEV, "the overlay of this host is not set up yet");
        routes.AddVethPair(name, Inside, port.Place);
        KernelSetting.TrySet(place, $"ipv6/conf/{name}/disable_ipv6", "1");
        KernelSetting.TrySet(port.Place, "ipv6/conf/all/disable_ipv6", "1");
        var link = routes.GetLink(name);
        routes.ChangeLink(link.Index, new LinkChange { MtuBytes = bridge.MtuBytes, MasterIndex = bridge.Index, IsUp = true });
        // Where bridged frames meet the IP filter, what it leads from a sandbox to a virtual address and back to itself never leaves the bridge.
        routes.ChangeLink(link.Index, new LinkChange { SendsBack = true });
        using var inside = RouteSocket.Open(port.Place);
        var end = inside.GetLink(Inside);
        inside.ChangeLink(end.Index, new LinkChange { Mac = mac, MtuBytes = bridge.MtuBytes, IsUp = true });
        inside.AddAddress(new LinkAddress(end.Index, port.Address, network.PrefixLength));
        inside.ReplaceRoute(new Route(IPAddress.Any, 0, gateway, end.Index));
        routes.TrySetPort(link.Index, mac);
    }

    /// <summary>Takes the cable and its rules away. Idempotent.</summary>
    public async Task UnplugAsync(string id, CancellationToken stopping)
    {
        using (var routes = RouteSocket.Open(place))
        {
            routes.DeleteLink(NameOf(id));
        }

        await Nftables.ApplyAsync(OverlayRules.RemovePort(names, NameOf(id)), place, time, stopping);
    }

    /// <summary>The MAC address of the sandbox with this address.</summary>
    public static MacAddress MacFor(IPAddress address) => MacAddress.FromBytes([0x0a, 0x58, .. address.GetAddressBytes()]);

    private string NameOf(string id) => names.Tap(id, PortNumber);
}
