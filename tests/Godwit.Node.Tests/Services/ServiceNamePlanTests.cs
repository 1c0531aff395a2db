using Godwit.Api.Core.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Api.Meta.V1;
using Godwit.Networks.Names;
using Godwit.Node.Services;

namespace Godwit.Node.Tests.Services;

public sealed class ServiceNamePlanTests
{
    private static readonly EndpointConditions Unready = new() { Ready = false };

    [Fact]
    public void A_service_is_called_by_its_virtual_addresses() => Assert.Equal(
        ["web.shop.svc.cluster.local 10.96.0.10", "web.shop.svc.cluster.local fd00::10"],
        HostsOf([ServiceOf(spec => spec with { ClusterIPs = ["10.96.0.10", "fd00::10"] })], SliceOf(("10.77.0.2", null, null))));

    [Fact]
    public void A_service_without_one_is_called_by_each_place_that_is_ready_and_these_have_names_of_their_own()
    {
        var slice = SliceOf(("10.77.0.3", "db-1", null), ("10.77.0.2", "db-0", null), ("10.77.0.4", "db-2", Unready), ("10.77.0.5", null, null));
        Assert.Equal(
            [
                "10-77-0-5.web.shop.svc.cluster.local 10.77.0.5", "db-0.web.shop.svc.cluster.local 10.77.0.2", "db-1.web.shop.svc.cluster.local 10.77.0.3",
                "web.shop.svc.cluster.local 10.77.0.5", "web.shop.svc.cluster.local 10.77.0.2", "web.shop.svc.cluster.local 10.77.0.3",
            ],
            HostsOf([ServiceOf(spec => spec with { ClusterIP = "None" })], slice));
        Assert.Contains("db-2.web.shop.svc.cluster.local 10.77.0.4", HostsOf([ServiceOf(spec => spec with { ClusterIP = "None", PublishNotReadyAddresses = true })], slice));
    }

    [Fact]
    public void A_place_with_a_host_name_has_it_behind_a_virtual_address_too() => Assert.Equal(
        ["db-0.web.shop.svc.cluster.local 10.77.0.2", "web.shop.svc.cluster.local 10.96.0.10"],
        HostsOf([ServiceOf()], SliceOf(("10.77.0.2", "db-0", null), ("10.77.0.3", null, null))));

    [Fact]
    public void Named_ports_have_places_and_a_name_elsewhere_is_an_alias()
    {
        var slice = SliceOf(("10.77.0.2", "db-0", null), ("10.77.0.3", null, null), ("10.77.0.4", "db-2", Unready));
        var outside = ServiceOf(spec => spec with { Type = "ExternalName", ExternalName = "DB.example.com." }) with { Metadata = new ObjectMeta { Namespace = "shop", Name = "outside" } };
        var names = ServiceNamePlan.NamesOf("cluster.local", [ServiceOf(spec => spec with { Ports = [.. spec.Ports, new ServicePort { Port = 81 }] }), outside], [slice]);
        Assert.Equal([new ServiceTarget(80, "web.shop.svc.cluster.local")], names.Targets["_http._tcp.web.shop.svc.cluster.local"]);
        Assert.Single(names.Targets);
        Assert.Equal("db.example.com", Assert.Single(names.Aliases).Value);
        Assert.Equal("outside.shop.svc.cluster.local", names.Aliases.Keys.Single());

        var headless = ServiceNamePlan.NamesOf("cluster.local", [ServiceOf(spec => spec with { ClusterIP = "None" })], [slice]);
        Assert.Equal(
            [new ServiceTarget(8080, "10-77-0-3.web.shop.svc.cluster.local"), new ServiceTarget(8080, "db-0.web.shop.svc.cluster.local")],
            Assert.Single(headless.Targets).Value);
    }

    [Fact]
    public void What_is_no_name_or_no_address_is_left_out()
    {
        var evil = ServiceOf() with { Metadata = new ObjectMeta { Namespace = "shop", Name = "web\n10.0.0.1 evil" } };
        Assert.Empty(HostsOf([evil, ServiceOf(spec => spec with { ClusterIP = "" }), ServiceOf(spec => spec with { Type = "ExternalName", ClusterIP = "10.96.0.1" })], SliceOf(("nowhere", "Under_score", null), ("::1", null, null))));
    }

    private static IEnumerable<string> HostsOf(IEnumerable<Service> services, params EndpointSlice[] slices) =>
        ServiceNamePlan.NamesOf("cluster.local", services, slices).Hosts.Select(host => $"{host.Name} {host.Address}");

    private static Service ServiceOf(Func<ServiceSpec, ServiceSpec>? change = null)
    {
        var spec = new ServiceSpec { ClusterIP = "10.96.0.10", Type = "ClusterIP", Ports = [new ServicePort { Name = "http", Port = 80 }] };
        return new Service { Metadata = new ObjectMeta { Namespace = "shop", Name = "web" }, Spec = change?.Invoke(spec) ?? spec };
    }

    private static EndpointSlice SliceOf(params (string Address, string? HostName, EndpointConditions? Conditions)[] places) => new()
    {
        Metadata = new ObjectMeta { Namespace = "shop", Name = "web-0", Labels = new Dictionary<string, string> { [ServicePlan.ServiceLabel] = "web" } },
        AddressType = "IPv4",
        Ports = [new SlicePort { Name = "http", Port = 8080, Protocol = "TCP" }],
        Endpoints = [.. places.Select(place => new Endpoint { Addresses = [place.Address], Hostname = place.HostName, Conditions = place.Conditions })],
    };
}
