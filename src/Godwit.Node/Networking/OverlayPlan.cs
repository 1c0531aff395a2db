using System.Net;
using System.Net.Sockets;
using Godwit.Api;
using Godwit.Api.KubeVirt.V1;
using Godwit.Linux.Networking;
using Godwit.Networks.Names;
using Godwit.Networks.Overlays;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Networking;

/// <summary>Which member of the overlay this host is.</summary>
/// <param name="UnderlayAddress">Where its tunnel ends.</param>
/// <param name="Node">Its name, when it is a node and has guests; null for an observer.</param>
internal sealed record OverlayMember(OverlayNames Names, IPAddress UnderlayAddress, NodeName? Node);

/// <summary>What the cluster knows that the overlay is made from.</summary>
internal sealed record OverlayFacts(ClusterNetwork Network, IReadOnlyCollection<KubeNode> Nodes, IReadOnlyCollection<VirtualMachineInstance> Guests);

/// <summary>
/// What this host's part of the guests' network should be, from the objects of the API. Pure. What cannot be used (an
/// address that is none) is left out: one wrong object must not cost the others their network.
/// </summary>
internal static class OverlayPlan
{
    private const int LabelLengthMax = 63;

    public static OverlayState StateOf(OverlayMember self, OverlayFacts facts)
    {
        var byNode = new Dictionary<string, IPAddress>(StringComparer.Ordinal);
        foreach (var node in facts.Nodes)
        {
            if (AddressOf(node.Metadata.Annotations.GetValueOrDefault(AnnotationNames.UnderlayAddress)) is { } address)
            {
                byNode[node.Metadata.Name] = address;
            }
        }

        var guests = new Dictionary<MacAddress, IPAddress>();
        foreach (var (guest, mac, _) in facts.Guests.SelectMany(Stations))
        {
            if (guest.Status.Phase == VirtualMachineInstancePhases.Running && byNode.TryGetValue(guest.Status.NodeName ?? "", out var host))
            {
                guests[mac] = host;
            }
        }

        return new OverlayState
        {
            Names = self.Names,
            NetworkId = facts.Network.NetworkId,
            UnderlayAddress = self.UnderlayAddress,
            Network = facts.Network.Network,
            Gateway = facts.Network.Gateway,
            IsGateway = self.Node is not null,
            ObserverAddress = self.Node is null ? facts.Network.ObserverAddress : null,
            MtuBytes = facts.Network.MtuBytes,
            Masquerades = self.Node is not null,
            StationAddress = StationOf(self.Node, facts),
            Members = [.. byNode.Values.Concat(facts.Network.Members).Distinct().Order(ByAddress).Take(OverlayState.MembersMax)],
            Guests = guests,
        };
    }

    /// <summary>This node's own address on the network; null as long as it was given none.</summary>
    public static IPAddress? StationOf(NodeName? self, OverlayFacts facts) =>
        facts.Nodes.FirstOrDefault(node => node.Metadata.Name == self?.Value) is { } node
        && AddressOf(node.Metadata.Annotations.GetValueOrDefault(AnnotationNames.StationAddress)) is { } address
        && facts.Network.Network.IsUsable(address) && !address.Equals(facts.Network.Gateway)
            ? address
            : null;

    /// <summary>Names of all guests; addresses for those that this host gives them to.</summary>
    /// <param name="node">This node.</param>
    /// <param name="facts">What the cluster knows.</param>
    /// <param name="plugged">MAC addresses of ports on this host that the API does not place here (yet): guests that arrive.</param>
    public static NameTable NamesOf(NodeName node, OverlayFacts facts, IReadOnlySet<MacAddress> plugged)
    {
        var leases = new Dictionary<MacAddress, GuestLease>();
        var names = new Dictionary<string, GuestName>(StringComparer.Ordinal);
        foreach (var (guest, mac, address) in facts.Guests.SelectMany(Stations))
        {
            if (!facts.Network.Network.IsUsable(address))
            {
                continue;
            }

            if (guest.Status.NodeName == node.Value || plugged.Contains(mac))
            {
                leases[mac] = new GuestLease(mac, address, LabelOf(guest.Metadata.Name));
            }

            names.TryAdd($"{guest.Metadata.Name}.{guest.Metadata.Namespace}", new GuestName($"{guest.Metadata.Name}.{guest.Metadata.Namespace}", address));
        }

        return new NameTable([.. leases.Values], [.. names.Values]);
    }

    private static Comparer<IPAddress> ByAddress { get; } =
        Comparer<IPAddress>.Create((left, right) => left.GetAddressBytes().AsSpan().SequenceCompareTo(right.GetAddressBytes()));

    /// <summary>The interfaces of a guest that has not ended, with a MAC and an address.</summary>
    private static IEnumerable<(VirtualMachineInstance Guest, MacAddress Mac, IPAddress Address)> Stations(VirtualMachineInstance guest)
    {
        if (VirtualMachineInstancePhases.IsFinal(guest.Status.Phase))
        {
            yield break;
        }

        foreach (var nic in guest.Status.Interfaces)
        {
            if (MacAddress.TryParse(nic.Mac, out var mac) && mac.IsUnicast && AddressOf(nic.IpAddress) is { } address)
            {
                yield return (guest, mac, address);
            }
        }
    }

    private static IPAddress? AddressOf(string? text) =>
        IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetwork ? address : null;

    /// <summary>A guest's own host name is one label; an object's name may have dots.</summary>
    private static string LabelOf(string name)
    {
        var label = name.Replace('.', '-');
        return (label.Length <= LabelLengthMax ? label : label[..LabelLengthMax]).Trim('-');
    }
}
