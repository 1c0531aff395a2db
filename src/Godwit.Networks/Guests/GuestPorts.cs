using System.Net;
using Godwit.Linux;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Overlays;

namespace Godwit.Networks.Guests;

/// <summary>A guest's place on the network.</summary>
/// <param name="TapName">From <see cref="OverlayNames.Tap"/>.</param>
/// <param name="Mac">The only MAC address that it may use.</param>
/// <param name="Address">The only IP address that it may use; null: none but DHCP's beginning.</param>
/// <param name="OwnerUserId">The user whose QEMU opens the tap.</param>
public sealed record GuestPort(string TapName, MacAddress Mac, IPAddress? Address, uint OwnerUserId);

/// <summary>
/// The guests' ports on this host's bridge. A port is silent from its making until it is admitted:
/// <code>
///   Create ─▶ silent ⇄ admitted ─▶ Remove
///             (in no bridge, and what comes out of it is dropped)
/// </code>
/// The order "run" of a migration admits on the target; a source silences before it lets go of its guest. Admitting is a few
/// kernel calls, because the guest stands still meanwhile. For the same reason a silent tap is up: the kernel takes up to a second
/// to believe that a device which has just come up works, and a bridge forwards nothing for it until then. Taps outlive us
/// and are found again by name.
/// </summary>
public sealed class GuestPorts(NetworkNamespace place, OverlayNames names, TimeProvider time)
{
    /// <summary>Makes the port, silent; one that exists keeps its state and gets this owner and these addresses. Idempotent.</summary>
    /// <exception cref="LinuxException">The kernel refused, or the overlay's bridge is missing.</exception>
    public async Task CreateAsync(GuestPort port, CancellationToken stopping)
    {
        CheckName(port.TapName);
        if (!port.Mac.IsUnicast)
        {
            throw new ArgumentException($"{port.Mac} is no MAC address of one station", nameof(port));
        }

        await Nftables.ApplyAsync(OverlayRules.AddPort(names, port.TapName, port.Mac, port.Address), place, time, stopping);
        using var routes = RouteSocket.Open(place);
        if (routes.FindLink(port.TapName) is null)
        {
            Tap.Create(port.TapName, port.OwnerUserId, place);
            KernelSetting.TrySet(place, $"ipv6/conf/{port.TapName}/disable_ipv6", "1");
        }

        var tap = routes.GetLink(port.TapName);
        routes.ChangeLink(tap.Index, new LinkChange { MtuBytes = GetBridge(routes).MtuBytes, IsUp = true });
    }

    /// <summary>Lets the guest's frames in and out, and sends this host's frames for it here at once. Idempotent.</summary>
    public void Admit(string tapName, MacAddress mac)
    {
        using var routes = RouteSocket.Open(place);
        var tap = routes.GetLink(tapName);
        routes.ChangeLink(tap.Index, new LinkChange { MasterIndex = GetBridge(routes).Index, IsUp = true });
        // Until the guest's first frame the bridge would believe that it is where it was.
        routes.TrySetPort(tap.Index, mac);
    }

    /// <summary>Lets no frame in or out any more. Idempotent; a port that is gone is silent.</summary>
    public void Silence(string tapName)
    {
        using var routes = RouteSocket.Open(place);
        if (routes.FindLink(tapName) is { } tap)
        {
            routes.ChangeLink(tap.Index, new LinkChange { MasterIndex = 0 });
        }
    }

    /// <summary>Gives the guest frames that <see cref="FrameKeeper"/> kept on the host that it came from, past the bridge, as if they had just come.</summary>
    /// <returns>How many it was given; the rest is lost, as a network may lose any frame.</returns>
    /// <exception cref="LinuxException">The port is not there.</exception>
    public int Deliver(string tapName, IReadOnlyList<byte[]> frames)
    {
        CheckName(tapName);
        using var socket = PacketSocket.OpenPassing(tapName, place, overhears: false);
        return frames.Count(frame => frame is { Length: > PacketSocket.OffloadHeaderLength } && socket.TrySend(frame));
    }

    /// <summary>Whether the port exists and lets frames through.</summary>
    public bool IsAdmitted(string tapName)
    {
        using var routes = RouteSocket.Open(place);
        return routes.FindLink(tapName) is { IsUp: true, MasterIndex: > 0 };
    }

    /// <summary>The taps of this overlay on this host, whoever made them.</summary>
    public IReadOnlyList<string> List()
    {
        using var routes = RouteSocket.Open(place);
        return [.. routes.ListLinks().Where(link => link.Kind == "tun" && link.Name.StartsWith(names.TapPrefix, StringComparison.Ordinal)).Select(link => link.Name)];
    }

    /// <summary>What the guest has sent (as received here) and received since its tap was made; null when there is no such port.</summary>
    public LinkStatistics? ReadStatistics(string tapName)
    {
        using var routes = RouteSocket.Open(place);
        return routes.FindLink(tapName)?.Statistics;
    }

    /// <summary>Removes the port and its rules. Idempotent.</summary>
    public async Task RemoveAsync(string tapName, CancellationToken stopping)
    {
        CheckName(tapName);
        using (var routes = RouteSocket.Open(place))
        {
            routes.DeleteLink(tapName);
        }

        await Nftables.ApplyAsync(OverlayRules.RemovePort(names, tapName), place, time, stopping);
    }

    private Link GetBridge(RouteSocket routes) => routes.FindLink(names.Bridge)
        ?? throw new LinuxException($"find bridge {names.Bridge} for a guest", Errno.ENODEV, "the overlay of this host is not set up yet");

    private void CheckName(string tapName)
    {
        if (!tapName.StartsWith(names.TapPrefix, StringComparison.Ordinal) || tapName.Length > RouteSocket.LinkNameLengthMax || !tapName.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '-'))
        {
            throw new ArgumentException($"'{tapName}' is no tap of this overlay: it must start with {names.TapPrefix}", nameof(tapName));
        }
    }
}
