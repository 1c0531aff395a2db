using System.Net;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Overlays;

namespace Godwit.Networks.Guests;

/// <summary>
/// Tells all other hosts that a guest is here now: gratuitous ARP in the guest's name, straight into the tunnel. Each tunnel end
/// that hears it sends the guest's frames here from then on, and each bridge behind one forgets the port where the guest was.
/// Nothing on this host needs to hear it (<see cref="GuestPorts.Admit"/> told the bridge).
/// </summary>
public sealed class Announcer(NetworkNamespace place, OverlayNames names, TimeProvider time)
{
    /// <summary>Says it for the first time before it returns; the task ends about a second later, when it was said for the last time.</summary>
    /// <exception cref="Godwit.Linux.LinuxException">The overlay is not set up on this host.</exception>
    public Task AnnounceAsync(MacAddress mac, IPAddress address, CancellationToken stopping)
    {
        var saying = GratuitousArp.SayAsync(names.Tunnel, place, [(mac, address)], time, stopping);
        ForgetRemote(mac);
        return saying;
    }

    private void ForgetRemote(MacAddress mac)
    {
        using var routes = RouteSocket.Open(place);
        routes.DeleteRemote(routes.GetLink(names.Tunnel).Index, mac);
    }
}
