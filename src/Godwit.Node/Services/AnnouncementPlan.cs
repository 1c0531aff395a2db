using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;
using Godwit.Networks.Addressing;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Services;

/// <summary>What there is to decide about who announces the addresses of load balancers.</summary>
/// <param name="Pool">Where these addresses lie; null when there are none.</param>
internal sealed record AnnouncementFacts(Ipv4Network? Pool, IReadOnlyCollection<Service> Services, IReadOnlyCollection<EndpointSlice> Slices, IReadOnlyCollection<KubeNode> Nodes);

/// <summary>An address that is announced, and whose it is.</summary>
internal readonly record struct Announcement(IPAddress Address, ResourceKey Service);

/// <summary>
/// Which node announces the address of a load balancer on the links of the hosts. Pure: each agent decides it for itself, and all that know the same decide the same.
/// <para>
/// <b>Who may.</b> A node that is ready and not kept out by its label; for a service that keeps its clients to nodes with places of its own (<c>externalTrafficPolicy: Local</c>) one that has such a
/// place. Of these one that is not cordoned, if there is one: a cordoned node is about to go.
/// </para>
/// <para>
/// <b>Who of them does.</b> The one with the highest hash of its name and the service's UID (rendezvous hashing: D. Thaler, C. Ravishankar, IEEE/ACM Transactions on Networking 6(1), 1998). So services
/// spread over the nodes; when a node goes its own addresses move and no others; and nobody needs to remember who it was. It costs one more move when that node comes back.
/// The name and not the UID of a node, for a node that was made anew is the same host. Names and UIDs have no slash.
/// </para>
/// <b>What is announced.</b> Addresses of the pool alone, which our own controller gives out: whoever may write a service's status could else have the nodes claim the address of another host.
/// </summary>
internal static class AnnouncementPlan
{
    public const string ExcludingLabel = "node.kubernetes.io/exclude-from-external-load-balancers";

    /// <summary>More are left out, those last by name, as <see cref="Godwit.Networks.Services.ServiceState.PlacesMax"/> leaves out what would not be served.</summary>
    public const int AddressesMax = 10_000;

    /// <summary>What this node announces.</summary>
    public static IReadOnlyList<Announcement> For(NodeName self, AnnouncementFacts facts)
    {
        if (facts.Pool is not { } pool)
        {
            return [];
        }

        var able = facts.Nodes.Where(IsAble).ToList();
        var hosts = facts.Nodes.SelectMany(node => node.Status.Addresses).Select(address => address.Address).ToHashSet(StringComparer.Ordinal);
        var slices = facts.Slices.ToLookup(slice => (slice.Metadata.Namespace, slice.Metadata.Labels.GetValueOrDefault(ServicePlan.ServiceLabel)));
        return
        [
            .. facts.Services
                .Where(service => service.Spec.Type == "LoadBalancer" && string.IsNullOrEmpty(service.Spec.LoadBalancerClass) && ServicePlan.HasAddress(service))
                .OrderBy(service => service.Metadata.Namespace, StringComparer.Ordinal)
                .ThenBy(service => service.Metadata.Name, StringComparer.Ordinal)
                .Where(service => AnnouncerOf(service, slices[(service.Metadata.Namespace, service.Metadata.Name)], able) == self.Value)
                .SelectMany(service => AddressesOf(service, pool, hosts), (service, address) => new Announcement(address, ResourceKey.Of(service)))
                .DistinctBy(announcement => announcement.Address)
                .Take(AddressesMax),
        ];
    }

    private static bool IsAble(KubeNode node) =>
        node.Metadata.DeletionTimestamp is null
        && !node.Metadata.Labels.ContainsKey(ExcludingLabel)
        && node.Status.Conditions.Any(condition => condition.Type == NodeConditionTypes.Ready && condition.Status == ConditionStatuses.True);

    private static string? AnnouncerOf(Service service, IEnumerable<EndpointSlice> slices, IReadOnlyCollection<KubeNode> able)
    {
        var candidates = able;
        if (service.Spec.ExternalTrafficPolicy == "Local")
        {
            var near = NodesWithPlaces(slices);
            candidates = [.. able.Where(node => near.Contains(node.Metadata.Name))];
        }

        return candidates
            .OrderBy(node => node.Spec.Unschedulable == true)
            .ThenByDescending(node => Rank(node.Metadata.Name, service.Metadata.Uid))
            .ThenBy(node => node.Metadata.Name, StringComparer.Ordinal)
            .FirstOrDefault()?.Metadata.Name;
    }

    /// <summary>As <see cref="ServicePlan"/> has it: those with ready places; where none is ready, those with places that still serve while they end.</summary>
    private static HashSet<string> NodesWithPlaces(IEnumerable<EndpointSlice> slices)
    {
        var endpoints = slices.Where(slice => slice.AddressType == "IPv4").SelectMany(slice => slice.Endpoints).ToList();
        var ready = NodesOf(endpoints.Where(endpoint => endpoint.Conditions?.Ready != false));
        return ready.Count > 0 ? ready : NodesOf(endpoints.Where(endpoint => endpoint.Conditions is { Serving: true, Terminating: true }));
    }

    private static HashSet<string> NodesOf(IEnumerable<Endpoint> endpoints) => endpoints.Select(endpoint => endpoint.NodeName).OfType<string>().ToHashSet(StringComparer.Ordinal);

    /// <summary>Of a pool that holds hosts' addresses, against all advice, those are left to the hosts.</summary>
    private static IEnumerable<IPAddress> AddressesOf(Service service, Ipv4Network pool, HashSet<string> hosts) =>
        (service.Status.LoadBalancer?.Ingress ?? [])
            .Where(each => each.IpMode != "Proxy")
            .Select(each => ServicePlan.ParseAddress(each.Ip))
            .OfType<IPAddress>()
            .Where(address => pool.IsUsable(address) && !hosts.Contains(address.ToString()));

    private static ulong Rank(string node, string service) => BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{node}/{service}")));
}
