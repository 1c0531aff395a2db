using CsCheck;
using Godwit.Controllers.Services;

namespace Godwit.Controllers.Tests.Plans;

public sealed class ServicePlannerTests
{
    [Fact]
    public void However_many_services_there_are_no_address_and_no_port_is_given_twice() => Gen.Int[1, 60].Sample(count =>
    {
        var services = new List<Service>();
        for (var i = 0; i < count; i++)
        {
            var made = ServiceOf($"web-{i}", "NodePort");
            var given = Assert.IsType<ServiceAllocation.Write>(ServiceAllocationPlanner.For(made, services, Settings("10.96.0.0/26")));
            services.Add(made with { Spec = given.Spec });
        }

        Assert.Equal(count, services.Select(service => service.Spec.ClusterIP).Distinct().Count());
        Assert.Equal(count, services.Select(service => service.Spec.Ports[0].NodePort).Distinct().Count());
    });

    [Fact]
    public void Load_balancers_get_addresses_of_the_pool_each_its_own_and_wait_where_there_is_none()
    {
        var settings = new ConfigMap { Data = new Dictionary<string, string> { [LoadBalancerPlanner.PoolKey] = "192.0.2.0/29" } };
        var services = new List<Service>();
        for (var i = 0; i < 5; i++)
        {
            var made = ServiceOf($"web-{i}", "LoadBalancer");
            services.Add(made with { Status = Assert.IsType<LoadBalancerPlan.Write>(LoadBalancerPlanner.For(made, services, settings)).Status });
            Assert.IsType<LoadBalancerPlan.Nothing>(LoadBalancerPlanner.For(services[i], [.. services.Take(i)], settings));
        }

        Assert.Equal(5, services.SelectMany(LoadBalancerPlanner.AddressesOf).Distinct().Count());
        Assert.Equal("LoadBalancerPoolExhausted", Assert.IsType<LoadBalancerPlan.Wait>(LoadBalancerPlanner.For(ServiceOf("more", "LoadBalancer"), services, settings)).Reason);
        Assert.Equal("LoadBalancerPoolMissing", Assert.IsType<LoadBalancerPlan.Wait>(LoadBalancerPlanner.For(ServiceOf("more", "LoadBalancer"), [], null)).Reason);
        var asked = ServiceOf("asked", "LoadBalancer") is var each ? each with { Spec = each.Spec with { LoadBalancerIP = "192.0.2.9" } } : each;
        Assert.Equal("LoadBalancerAddressUnavailable", Assert.IsType<LoadBalancerPlan.Wait>(LoadBalancerPlanner.For(asked, [], settings)).Reason);
        Assert.Null(Assert.IsType<LoadBalancerPlan.Write>(LoadBalancerPlanner.For(services[0] with { Spec = services[0].Spec with { Type = "ClusterIP" } }, [], settings)).Status.LoadBalancer);
    }

    [Fact]
    public void A_range_that_is_used_up_is_told()
    {
        var taken = Enumerable.Range(2, 5).Select(i => ServiceOf($"web-{i}") is var each ? each with { Spec = each.Spec with { ClusterIP = $"10.96.0.{i}" } } : each).ToList();

        var wait = Assert.IsType<ServiceAllocation.Wait>(ServiceAllocationPlanner.For(ServiceOf("web"), taken, Settings("10.96.0.0/29")));
        Assert.Equal("AddressRangeExhausted", wait.Reason);
    }

    [Fact]
    public void Headless_and_external_services_get_no_address()
    {
        var headless = ServiceOf("web");
        headless = headless with { Spec = headless.Spec with { ClusterIP = ServiceAllocationPlanner.Headless } };

        Assert.IsType<ServiceAllocation.Nothing>(ServiceAllocationPlanner.For(headless, [], null));
        Assert.IsType<ServiceAllocation.Nothing>(ServiceAllocationPlanner.For(ServiceOf("web", "ExternalName"), [], null));
    }

    [Fact]
    public void A_port_by_name_is_found_in_each_pod_and_pods_with_other_ports_are_told_apart()
    {
        var service = ServiceOf("web");
        service = service with { Spec = service.Spec with { Ports = [new ServicePort { Port = 80, TargetPort = new IntOrText(0, "http") }] } };

        var plan = EndpointPlanner.For(service, [PodOf("old", 8080, "http"), PodOf("new", 9090, "http"), PodOf("none", 80, "other")], []);

        Assert.Equal([8080, 9090], plan.Slices.Select(slice => slice.Ports.Single().Port!.Value).Order());
        Assert.Equal(2, plan.Endpoints.Subsets.Count);
    }

    [Fact]
    public void Many_places_are_told_in_several_slices()
    {
        var plan = EndpointPlanner.For(ServiceOf("web"), Enumerable.Range(0, 250).Select(i => PodOf($"pod-{i}", 80, null)), []);

        Assert.Equal(["web-0", "web-1", "web-2"], plan.Slices.Select(slice => slice.Metadata.Name));
        Assert.Equal([100, 100, 50], plan.Slices.Select(slice => slice.Endpoints.Count));
    }

    private static ConfigMap Settings(string range) => new() { Data = new Dictionary<string, string> { ["serviceCidr"] = range } };

    private static Service ServiceOf(string name, string kind = "ClusterIP") => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name, Uid = "uid-" + name },
        Spec = new ServiceSpec { Type = kind, Selector = new Dictionary<string, string> { ["app"] = "web" }, Ports = [new ServicePort { Port = 80 }] },
    };

    private static Pod PodOf(string name, int port, string? portName) => new()
    {
        Metadata = new ObjectMeta { Namespace = "ns", Name = name, Labels = new Dictionary<string, string> { ["app"] = "web" } },
        Spec = new PodSpec { NodeName = "node", Containers = [new Container { Name = "main", Ports = [new ContainerPort { Name = portName, Number = port }] }] },
        Status = new PodStatus { PodIP = "10.77.0.9" },
    };
}
