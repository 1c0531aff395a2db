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
    /// <summary>When to say it, counted from the first time: a frame may be lost, and the moment of a move is the worst for frames.</summary>
    private static readonly TimeSpan[] Schedule = [.. new[] { 0, 20, 60, 150, 300, 600, 1000 }.Select(at => TimeSpan.FromMilliseconds(at))];

    /// <summary>Says it for the first time before it returns; the task ends about a second later, when it was said for the last time.</summary>
    /// <exception cref="Godwit.Linux.LinuxException">The overlay is not set up on this host.</exception>
    public Task AnnounceAsync(MacAddress mac, IPAddress address, CancellationToken stopping)
    {
        var socket = PacketSocket.Open(names.Tunnel, place, receives: false);
        byte[][] frames;
        try
        {
            frames = [Frames.GratuitousRequest(mac, address), Frames.GratuitousReply(mac, address)];
            Say(socket, frames);
            ForgetRemote(mac);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        return RepeatAsync(socket, frames, stopping);
    }

    private static void Say(PacketSocket socket, byte[][] frames)
    {
        foreach (var frame in frames)
        {
            socket.TrySend(frame);
        }
    }

    private async Task RepeatAsync(PacketSocket socket, byte[][] frames, CancellationToken stopping)
    {
        using var own = socket;
        for (var i = 1; i < Schedule.Length; i++)
        {
            await Task.Delay(Schedule[i] - Schedule[i - 1], time, stopping);
            Say(own, frames);
        }
    }

    private void ForgetRemote(MacAddress mac)
    {
        using var routes = RouteSocket.Open(place);
        routes.DeleteRemote(routes.GetLink(names.Tunnel).Index, mac);
    }
}
