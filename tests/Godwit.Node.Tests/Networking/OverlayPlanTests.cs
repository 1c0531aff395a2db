using System.Net;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Client;
using Godwit.Linux.Networking;
using Godwit.Networks.Overlays;
using Godwit.Node.Networking;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node.Tests.Networking;

public sealed class OverlayPlanTests
{
    private static readonly OverlayMember Me = new(new OverlayNames(), IPAddress.Parse("10.66.0.11"), NodeName.Parse("node-1"));

    [Fact]
    public void Members_are_all_nodes_and_the_networks_own_each_once()
    {
        var state = OverlayPlan.StateOf(Me, Facts(guests: []));

        Assert.Equal(["10.66.0.1", "10.66.0.11", "10.66.0.12"], state.Members.Select(member => member.ToString()));
        Assert.True(state.IsGateway);
        Assert.Null(state.ObserverAddress);
        Assert.Equal(IPAddress.Parse("10.77.0.1"), state.Gateway);
        state.Check();
    }

    [Fact]
    public void A_nodes_own_address_is_what_it_was_given_and_none_that_is_not_of_the_network()
    {
        OverlayFacts With(string address) => Facts([]) with
        {
            Nodes = [Node("node-1", "10.66.0.11") is var node ? node with { Metadata = node.Metadata with { Annotations = new Dictionary<string, string>(node.Metadata.Annotations) { [AnnotationNames.StationAddress] = address } } } : node],
        };

        Assert.Equal(IPAddress.Parse("10.77.3.4"), OverlayPlan.StateOf(Me, With("10.77.3.4")).StationAddress);
        Assert.All(["10.78.3.4", "10.77.0.1", "here", ""], address => Assert.Null(OverlayPlan.StateOf(Me, With(address)).StationAddress));
    }

    [Fact]
    public void An_observer_is_no_gateway_and_has_the_address_kept_for_it()
    {
        var state = OverlayPlan.StateOf(Me with { Node = null }, Facts(guests: []));

        Assert.False(state.IsGateway);
        Assert.Equal(IPAddress.Parse("10.77.255.254"), state.ObserverAddress);
        state.Check();
    }

    [Fact]
    public void A_running_guest_is_where_the_API_says_and_an_ended_one_is_nowhere()
    {
        var state = OverlayPlan.StateOf(Me, Facts([
            Guest("a", 1, "node-2", "Running"),
            Guest("b", 2, "node-2", "Succeeded"),
            Guest("c", 3, "node-9", "Running"),
            Guest("d", 4, "node-1", "Scheduled"),
        ]));

        Assert.Equal([(MacAddress.Parse("02:00:00:00:00:01"), IPAddress.Parse("10.66.0.12"))], state.Guests.Select(entry => (entry.Key, entry.Value)));
    }

    [Fact]
    public void Only_guests_of_this_node_and_arriving_ones_get_addresses_here_but_all_have_names()
    {
        var facts = Facts([Guest("a", 1, "node-1", "Running"), Guest("b", 2, "node-2", "Running"), Guest("c", 3, "node-2", "Running"), Guest("d.e", 4, "node-1", "Scheduled")]);

        var names = OverlayPlan.NamesOf(Me.Node!.Value, facts, new HashSet<MacAddress> { MacAddress.Parse("02:00:00:00:00:03") });

        Assert.Equal(["10.77.0.1", "10.77.0.3", "10.77.0.4"], names.Leases.Select(lease => lease.Address.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal(["a.default", "b.default", "c.default", "d.e.default"], names.Names.Select(name => name.Name).Order(StringComparer.Ordinal));
        Assert.Contains(names.Leases, lease => lease.HostName == "d-e");
    }

    [Fact]
    public void A_wrong_object_costs_the_others_nothing()
    {
        var guest = Guest("a", 1, "node-1", "Running");
        var odd = guest with { Status = guest.Status with { Interfaces = [new InterfaceStatus { Name = "default", Mac = "nonsense", IpAddress = "10.77.0.9" }, new InterfaceStatus { Name = "x", Mac = "02:00:00:00:00:05", IpAddress = "192.0.2.1" }] } };
        var facts = Facts([odd, Guest("b", 2, "node-1", "Running")]) with
        {
            Nodes = [Node("node-1", "10.66.0.11"), Node("node-2", "not an address"), new KubeNode { Metadata = new ObjectMeta { Name = "node-3" } }],
        };

        Assert.Equal(["10.66.0.1", "10.66.0.11"], OverlayPlan.StateOf(Me, facts).Members.Select(member => member.ToString()));
        Assert.Equal("b", Assert.Single(OverlayPlan.NamesOf(Me.Node!.Value, facts, new HashSet<MacAddress>()).Leases).HostName);
    }

    [Theory]
    [InlineData("cidr", "10.77.0.0")]
    [InlineData("gateway", "gw")]
    [InlineData("vni", "0")]
    [InlineData("mtu", "-1")]
    [InlineData("members", "10.66.0.1,host")]
    [InlineData("serviceCidr", "services")]
    [InlineData("loadBalancerCidr", "192.0.2.1/33")]
    public void A_wrong_setting_is_refused_by_its_key(string key, string value)
    {
        var error = Assert.Throws<FormatException>(() => ClusterNetwork.Parse(Settings((key, value))));

        Assert.Contains(key, error.Message, StringComparison.Ordinal);
        Assert.Contains(value, error.Message, StringComparison.Ordinal);
    }

    private static OverlayFacts Facts(IReadOnlyCollection<VirtualMachineInstance> guests) =>
        new(ClusterNetwork.Parse(Settings()), [Node("node-1", "10.66.0.11"), Node("node-2", "10.66.0.12")], guests);

    private static ConfigMap Settings(params IEnumerable<(string Key, string Value)> changes)
    {
        var data = new Dictionary<string, string> { ["cidr"] = "10.77.0.0/16", ["gateway"] = "10.77.0.1", ["vni"] = "77", ["mtu"] = "1450", ["members"] = "10.66.0.1" };
        foreach (var (key, value) in changes)
        {
            data[key] = value;
        }

        return new ConfigMap { Metadata = new ObjectMeta { Namespace = "kube-system", Name = "godwit-network" }, Data = data };
    }

    private static KubeNode Node(string name, string underlay) =>
        new() { Metadata = new ObjectMeta { Name = name, Annotations = new Dictionary<string, string> { [AnnotationNames.UnderlayAddress] = underlay } } };

    private static VirtualMachineInstance Guest(string name, int number, string node, string phase) => new()
    {
        Metadata = new ObjectMeta { Namespace = "default", Name = name, Uid = Guid.NewGuid().ToString() },
        Status = new VirtualMachineInstanceStatus
        {
            NodeName = node,
            Phase = phase,
            Interfaces = [new InterfaceStatus { Name = "default", Mac = $"02:00:00:00:00:{number:x2}", IpAddress = $"10.77.0.{number}" }],
        },
    };
}
