using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Node.Pods;

namespace Godwit.Node.Tests.Pods;

public sealed class ServiceVariablesTests
{
    private static readonly Service Server = Make("default", "kubernetes", "10.96.0.1", new ServicePort { Name = "https", Port = 443, Protocol = "TCP" });

    [Fact]
    public void A_pod_is_told_of_the_server_and_of_its_namespaces_services_by_the_names_of_Kubernetes()
    {
        var told = ServiceVariables.For(
            PodIn("shop"),
            [Server, Make("shop", "redis-main", "10.96.0.9", new ServicePort { Name = "wire", Port = 6379 }, new ServicePort { Name = "statistics-in", Port = 8125, Protocol = "UDP" }), Make("other", "elsewhere", "10.96.0.10", new ServicePort { Port = 1 })]);

        Assert.Equal(
            [
                "KUBERNETES_PORT=tcp://10.96.0.1:443", "KUBERNETES_PORT_443_TCP=tcp://10.96.0.1:443", "KUBERNETES_PORT_443_TCP_ADDR=10.96.0.1", "KUBERNETES_PORT_443_TCP_PORT=443",
                "KUBERNETES_PORT_443_TCP_PROTO=tcp", "KUBERNETES_SERVICE_HOST=10.96.0.1", "KUBERNETES_SERVICE_PORT=443", "KUBERNETES_SERVICE_PORT_HTTPS=443",
                "REDIS_MAIN_PORT=tcp://10.96.0.9:6379", "REDIS_MAIN_PORT_6379_TCP=tcp://10.96.0.9:6379", "REDIS_MAIN_PORT_6379_TCP_ADDR=10.96.0.9", "REDIS_MAIN_PORT_6379_TCP_PORT=6379",
                "REDIS_MAIN_PORT_6379_TCP_PROTO=tcp", "REDIS_MAIN_PORT_8125_UDP=udp://10.96.0.9:8125", "REDIS_MAIN_PORT_8125_UDP_ADDR=10.96.0.9", "REDIS_MAIN_PORT_8125_UDP_PORT=8125",
                "REDIS_MAIN_PORT_8125_UDP_PROTO=udp", "REDIS_MAIN_SERVICE_HOST=10.96.0.9", "REDIS_MAIN_SERVICE_PORT=6379", "REDIS_MAIN_SERVICE_PORT_STATISTICS_IN=8125", "REDIS_MAIN_SERVICE_PORT_WIRE=6379",
            ],
            told.Select(pair => $"{pair.Key}={pair.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_pod_that_wants_no_links_is_told_of_the_server_alone_and_a_namespaces_own_service_of_that_name_stands_before_it()
    {
        var own = Make("shop", "kubernetes", "10.96.0.77", new ServicePort { Port = 80 });
        var without = PodIn("shop") with { Spec = new PodSpec { EnableServiceLinks = false } };

        Assert.Equal("10.96.0.1", ServiceVariables.For(without, [Server, own])["KUBERNETES_SERVICE_HOST"]);
        Assert.Equal("10.96.0.77", ServiceVariables.For(PodIn("shop"), [Server, own])["KUBERNETES_SERVICE_HOST"]);
        Assert.Equal("10.96.0.77", ServiceVariables.For(PodIn("shop"), [own, Server])["KUBERNETES_SERVICE_HOST"]);
    }

    [Fact]
    public void Services_without_a_virtual_address_are_not_told_of() =>
        Assert.Empty(ServiceVariables.For(PodIn("shop"), [Make("shop", "headless", "None", new ServicePort { Port = 80 }), Make("shop", "fresh", null, new ServicePort { Port = 80 })]));

    private static Pod PodIn(string space) => new() { Metadata = new ObjectMeta { Namespace = space, Name = "pod" } };

    private static Service Make(string space, string name, string? address, params IReadOnlyList<ServicePort> ports) =>
        new() { Metadata = new ObjectMeta { Namespace = space, Name = name }, Spec = new ServiceSpec { ClusterIP = address, Ports = ports } };
}
