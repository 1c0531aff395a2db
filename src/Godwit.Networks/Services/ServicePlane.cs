using System.Net;
using Godwit.Linux;
using Godwit.Linux.Netlink;
using Godwit.Linux.Networking;
using Godwit.Networks.Overlays;

namespace Godwit.Networks.Services;

/// <summary>
/// Virtual addresses on one host: the rules of <see cref="ServiceRules"/>, and a way to the ranges that they lie in, so that there is something to
/// refuse also where the host has no way out. What is in the kernel is what was applied last, whoever applied it, and stays when we end.
/// </summary>
public sealed class ServicePlane(NetworkNamespace place, OverlayNames names, TimeProvider time)
{
    private string applied = "";
    private HashSet<UdpFlow>? led;

    /// <summary>The name of the rules' table.</summary>
    public string Table => ServiceRules.TableOf(names);

    /// <summary>Makes these and no others the virtual addresses here. Idempotent; open connections go on, flows of datagrams to backends that are gone do not.</summary>
    /// <param name="state">What is served.</param>
    /// <param name="isRepair">Applies also what was applied last, for somebody else may have changed the kernel's rules since.</param>
    /// <param name="stopping">Leaves the rules as they were, or as asked.</param>
    /// <exception cref="LinuxException">The kernel refused, or the overlay's bridge is missing.</exception>
    public async Task ApplyAsync(ServiceState state, bool isRepair, CancellationToken stopping)
    {
        using var routes = RouteSocket.Open(place);
        var bridge = routes.FindLink(names.Bridge)
            ?? throw new LinuxException($"find bridge {names.Bridge} for services", Errno.ENODEV, "the overlay of this host is not set up yet");
        var own = routes.ListAddresses().Where(address => address.LinkIndex != bridge.Index).Select(address => address.Address).ToList();
        foreach (var range in state.Ranges)
        {
            if (own.Find(range.Contains) is { } inside)
            {
                // A way into the bridge in the place of the one to the link: this host would find no other host any more.
                throw new LinuxException($"lead virtual addresses in {range}", Errno.EADDRINUSE, $"this host's own address {inside} lies there: give services and load balancers ranges in which no host has its address");
            }

            routes.ReplaceRoute(new Route(range.Address, range.PrefixLength, null, bridge.Index));
        }

        var rules = ServiceRules.Build(names, state);
        if (isRepair || rules != applied)
        {
            var holds = state.Places.Any(each => each.HoldSeconds is not null);
            var held = holds ? await HeldClients.FindAsync(Table, place, time, stopping) : HeldClients.None;
            await Nftables.ApplyAsync(held.Count > 0 ? ServiceRules.Build(names, state, held) : rules, place, time, stopping);
            applied = rules;
        }

        // Compared by value: a place's lists are new ones each time.
        var leads = state.Places.Where(each => each.Protocol == ServiceProtocol.Udp)
            .SelectMany(each => each.Backends.Concat(each.InsideBackends ?? []), (each, backend) => new UdpFlow(each.Address ?? IPAddress.Any, each.Port, backend))
            .ToHashSet();
        if (led is null || led.Any(lead => !leads.Contains(lead)))
        {
            led = null; // Asked again if it fails.
            await UdpFlows.ForgetGoneAsync(state, place, time, stopping);
        }

        led = leads;
    }

    /// <summary>Takes the rules away; the ways go with the bridge. Idempotent.</summary>
    public async Task RemoveAsync(CancellationToken stopping)
    {
        await Nftables.ApplyAsync(ServiceRules.Remove(names), place, time, stopping);
        applied = "";
    }
}
