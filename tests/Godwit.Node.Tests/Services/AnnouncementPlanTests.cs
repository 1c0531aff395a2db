using System.Globalization;
using Godwit.Api.Core.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Api.Meta.V1;
using Godwit.Networks.Addressing;
using Godwit.Node.Services;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Tests.Services;

public sealed class AnnouncementPlanTests
{
    private const int Many = 240;
    private static readonly Ipv4Network Pool = Ipv4Network.Parse("192.0.2.0/24");
    private static readonly List<Service> Services = [.. Enumerable.Range(1, Many).Select(number => ServiceOf(number))];

    [Fact]
    public void Each_address_has_one_announcer_they_spread_and_only_those_of_a_node_that_went_move()
    {
        var before = AnnouncersOf(Services, NodeOf("a"), NodeOf("b"), NodeOf("c"));
        Assert.All(Services, service => Assert.Single(before[AddressOf(service)]));
        Assert.All(["a", "b", "c"], node => Assert.InRange(before.Count(each => each.Single() == node), Many / 5, Many / 2));

        var after = AnnouncersOf(Services, NodeOf("a"), NodeOf("c"));
        Assert.All(Services, service => Assert.Single(after[AddressOf(service)]));
        Assert.All(Services.Where(service => before[AddressOf(service)].Single() != "b"), service => Assert.Equal(before[AddressOf(service)], after[AddressOf(service)]));
        Assert.Equal(before.Select(each => (each.Key, each.Single())), AnnouncersOf(Services, NodeOf("c"), NodeOf("b"), NodeOf("a")).Select(each => (each.Key, each.Single())));
    }

    [Fact]
    public void A_node_that_is_silent_deleted_or_kept_out_announces_nothing_and_a_cordoned_one_only_if_there_is_no_other()
    {
        KubeNode[] unable =
        [
            NodeOf("b") with { Status = new NodeStatus { Conditions = [new NodeCondition { Type = "Ready", Status = "Unknown" }] } },
            NodeOf("b") with { Status = new NodeStatus() },
            NodeOf("b", label: AnnouncementPlan.ExcludingLabel),
            NodeOf("b") is var node ? node with { Metadata = node.Metadata with { DeletionTimestamp = DateTimeOffset.UnixEpoch } } : node,
        ];
        foreach (var other in unable)
        {
            Assert.All(AnnouncersOf(Services, NodeOf("a"), other), each => Assert.Equal(["a"], each));
            Assert.Empty(AnnouncersOf(Services, other));
        }

        var cordoned = NodeOf("b") with { Spec = new NodeSpec { Unschedulable = true } };
        Assert.All(AnnouncersOf(Services, NodeOf("a"), cordoned), each => Assert.Equal(["a"], each));
        Assert.Equal(Many, AnnouncersOf(Services, cordoned, NodeOf("c") with { Status = new NodeStatus() }).Count(each => each.Single() == "b"));
    }

    [Fact]
    public void A_service_that_keeps_its_clients_is_announced_where_it_has_places_and_nowhere_if_it_has_none()
    {
        var ready = new EndpointConditions { Ready = true, Serving = true };
        var ending = new EndpointConditions { Ready = false, Serving = true, Terminating = true };
        var starting = new EndpointConditions { Ready = false };
        KubeNode[] nodes = [NodeOf("a"), NodeOf("b"), NodeOf("c")];

        Assert.Equal(["b"], LocalOn(nodes, ("b", ready), ("a", starting), ("c", ending)));
        Assert.Equal(["c"], LocalOn(nodes, ("a", starting), ("c", ending)));
        Assert.Equal(["c"], LocalOn([NodeOf("a"), NodeOf("b") with { Status = new NodeStatus() }, NodeOf("c")], ("b", ready), ("c", ready)));
        Assert.Empty(LocalOn(nodes, ("a", starting)));
        Assert.Empty(LocalOn(nodes));
    }

    [Fact]
    public void Only_addresses_that_our_controller_gives_out_are_announced_and_none_that_a_host_has()
    {
        var one = Services[0];
        Service[] others =
        [
            one with { Spec = one.Spec with { Type = "ClusterIP" } },
            one with { Spec = one.Spec with { LoadBalancerClass = "example.com/other" } },
            one with { Status = StatusOf("198.51.100.1") },
            one with { Status = StatusOf("192.0.2.255") },
            one with { Status = StatusOf("nowhere") },
            one with { Status = StatusOf("192.0.2.9", "Proxy") },
            one with { Status = new ServiceStatus() },
            one with { Spec = one.Spec with { ExternalIPs = ["192.0.2.9"] }, Status = new ServiceStatus() },
        ];
        Assert.All(others, other => Assert.Empty(AnnouncersOf([other], NodeOf("a"))));
        Assert.Empty(AnnouncersOf([one], NodeOf("a"), NodeOf("b", address: AddressOf(one))));
        Assert.Empty(AnnouncementPlan.For(NodeName.Parse("a"), new AnnouncementFacts(null, [one], [], [NodeOf("a")])));
        Assert.Equal(AddressOf(one), Assert.Single(AnnouncementPlan.For(NodeName.Parse("a"), new AnnouncementFacts(Pool, [one], [], [NodeOf("a")]))).Address.ToString());
    }

    private static IEnumerable<string> LocalOn(KubeNode[] nodes, params (string Node, EndpointConditions Conditions)[] places)
    {
        var service = Services[0] with { Spec = Services[0].Spec with { ExternalTrafficPolicy = "Local" } };
        var slice = new EndpointSlice
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = "some", Labels = new Dictionary<string, string> { [ServicePlan.ServiceLabel] = service.Metadata.Name } },
            AddressType = "IPv4",
            Endpoints = [.. places.Select(place => new Endpoint { Addresses = ["10.77.0.2"], NodeName = place.Node, Conditions = place.Conditions })],
        };
        return nodes.Select(node => node.Metadata.Name).Where(name => AnnouncementPlan.For(NodeName.Parse(name), new AnnouncementFacts(Pool, [service], [slice], nodes)).Count > 0);
    }

    /// <summary>By address, the nodes that announce it, as each node decides for itself.</summary>
    private static ILookup<string, string> AnnouncersOf(IReadOnlyCollection<Service> services, params KubeNode[] nodes) => nodes
        .Select(node => node.Metadata.Name)
        .SelectMany(name => AnnouncementPlan.For(NodeName.Parse(name), new AnnouncementFacts(Pool, services, [], nodes)), (name, each) => (name, Address: each.Address.ToString()))
        .OrderBy(pair => pair.Address, StringComparer.Ordinal)
        .ToLookup(pair => pair.Address, pair => pair.name, StringComparer.Ordinal);

    private static string AddressOf(Service service) => service.Status.LoadBalancer!.Ingress[0].Ip!;

    private static ServiceStatus StatusOf(string address, string mode = "VIP") => new() { LoadBalancer = new LoadBalancerStatus { Ingress = [new LoadBalancerIngress { Ip = address, IpMode = mode }] } };

    private static Service ServiceOf(int number) => new()
    {
        Metadata = new ObjectMeta { Namespace = "default", Name = $"web-{number}", Uid = new Guid(number, 0, 0, new byte[8]).ToString() },
        Spec = new ServiceSpec { Type = "LoadBalancer", ClusterIP = "10.96.0.10", Ports = [new ServicePort { Port = 80 }] },
        Status = StatusOf(string.Create(CultureInfo.InvariantCulture, $"192.0.2.{number}")),
    };

    private static KubeNode NodeOf(string name, string? label = null, string address = "203.0.113.1") => new()
    {
        Metadata = new ObjectMeta { Name = name, Labels = label is null ? new Dictionary<string, string>() : new Dictionary<string, string> { [label] = "" } },
        Status = new NodeStatus
        {
            Conditions = [new NodeCondition { Type = "Ready", Status = "True" }],
            Addresses = [new NodeAddress { Type = "InternalIP", Address = address }],
        },
    };
}
