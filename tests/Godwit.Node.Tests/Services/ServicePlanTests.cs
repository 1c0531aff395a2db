using Godwit.Api.Core.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Api.Meta.V1;
using Godwit.Networks.Services;
using Godwit.Node.Services;

namespace Godwit.Node.Tests.Services;

public sealed class ServicePlanTests
{
    private static readonly NodeName Me = NodeName.Parse("node-1");

    [Fact]
    public void Ready_places_count_and_where_none_is_those_that_still_serve()
    {
        var ready = new EndpointConditions { Ready = true, Serving = true };
        var ending = new EndpointConditions { Ready = false, Serving = true, Terminating = true };
        var starting = new EndpointConditions { Ready = false, Serving = false };

        Assert.Equal(["10.77.0.2"], AddressesOf(Only(ServiceOf(), SliceOf(("10.77.0.2", "node-1", ready), ("10.77.0.3", "node-1", ending), ("10.77.0.4", "node-2", starting))).Backends));
        Assert.Equal(["10.77.0.3"], AddressesOf(Only(ServiceOf(), SliceOf(("10.77.0.3", "node-1", ending), ("10.77.0.4", "node-2", starting))).Backends));
        Assert.Empty(Only(ServiceOf(), SliceOf(("10.77.0.4", "node-2", starting))).Backends);
    }

    [Fact]
    public void Policies_that_say_local_leave_the_places_of_this_node()
    {
        var slice = SliceOf(("10.77.0.2", "node-1", null), ("10.77.0.3", "node-2", null));
        Assert.Equal(["10.77.0.2"], AddressesOf(Only(ServiceOf(spec => spec with { InternalTrafficPolicy = "Local" }), slice).Backends));

        var open = ServiceOf(spec => spec with { Type = "LoadBalancer", ExternalTrafficPolicy = "Local", Ports = [spec.Ports[0] with { NodePort = 30080 }] }) is var service
            ? service with { Status = new ServiceStatus { LoadBalancer = new LoadBalancerStatus { Ingress = [new LoadBalancerIngress { Ip = "192.0.2.9" }] } } }
            : service;
        var places = ServicePlan.PlacesOf(Me, [open], [slice]);

        Assert.Equal([("10.96.0.10", 80), ("192.0.2.9", 80), (null, 30080)], places.Select(place => (place.Address?.ToString(), place.Port)));
        Assert.Equal([false, true, true], places.Select(place => place.KeepsClients));
        Assert.Equal(2, places[0].Backends.Count);
        Assert.All(places.Skip(1), place => Assert.Equal((1, 2), (place.Backends.Count, place.InsideBackends!.Count)));
    }

    [Fact]
    public void What_has_no_virtual_address_or_cannot_be_used_is_left_out()
    {
        var services = new[]
        {
            ServiceOf(spec => spec with { ClusterIP = "None" }),
            ServiceOf(spec => spec with { ClusterIP = "" }),
            ServiceOf(spec => spec with { Type = "ExternalName" }),
            ServiceOf(spec => spec with { Ports = [new ServicePort { Port = 80, Protocol = "QUIC" }] }),
        };

        Assert.Empty(ServicePlan.PlacesOf(Me, services, []));
        Assert.Empty(Only(ServiceOf(), SliceOf(("nowhere", "node-1", null), ("fd00::1", "node-1", null))).Backends);
        Assert.Equal(10_800, Only(ServiceOf(spec => spec with { SessionAffinity = "ClientIP" }), SliceOf()).HoldSeconds);
        Assert.Equal(7, Only(ServiceOf(spec => spec with { SessionAffinity = "ClientIP", SessionAffinityConfig = new SessionAffinityConfig { ClientIP = new ClientIPConfig { TimeoutSeconds = 7 } } }), SliceOf()).HoldSeconds);
        Assert.Null(Only(ServiceOf(), SliceOf()).HoldSeconds);
        Assert.Equal((ServiceProtocol.Udp, 53), Only(ServiceOf(spec => spec with { Ports = [new ServicePort { Port = 53, Protocol = "UDP" }] }), SliceOf()) is var place ? (place.Protocol, place.Port) : default);
    }

    private static ServicePlace Only(Service service, EndpointSlice slice) => Assert.Single(ServicePlan.PlacesOf(Me, [service], [slice]));

    private static IEnumerable<string> AddressesOf(IEnumerable<ServiceBackend> backends) => backends.Select(backend => backend.Address.ToString());

    private static Service ServiceOf(Func<ServiceSpec, ServiceSpec>? change = null)
    {
        var spec = new ServiceSpec { ClusterIP = "10.96.0.10", Type = "ClusterIP", Ports = [new ServicePort { Name = "http", Port = 80 }] };
        return new Service { Metadata = new ObjectMeta { Namespace = "default", Name = "web" }, Spec = change?.Invoke(spec) ?? spec };
    }

    private static EndpointSlice SliceOf(params (string Address, string Node, EndpointConditions? Conditions)[] places) => new()
    {
        Metadata = new ObjectMeta { Namespace = "default", Name = "web-0", Labels = new Dictionary<string, string> { [ServicePlan.ServiceLabel] = "web" } },
        AddressType = "IPv4",
        Ports = [new SlicePort { Name = "http", Port = 8080, Protocol = "TCP" }],
        Endpoints = [.. places.Select(place => new Endpoint { Addresses = [place.Address], NodeName = place.Node, Conditions = place.Conditions })],
    };
}
