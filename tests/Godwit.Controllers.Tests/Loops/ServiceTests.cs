using Godwit.Api.Discovery.V1;
using Godwit.Controllers.Services;

namespace Godwit.Controllers.Tests.Loops;

public sealed class ServiceTests
{
    private static readonly Dictionary<string, string> Web = new() { ["app"] = "web" };

    private static CancellationToken Stopping => TestCluster.Stopping;

    [Fact]
    public async Task A_service_gets_an_address_and_a_port_and_only_ready_pods_are_behind_it()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        cluster.Pods.BecomesReady = pod => pod.Metadata.Name != "slow";
        await CreateAsync(cluster, "NodePort");
        await cluster.CreatePodAsync("quick", labels: Web);
        await cluster.CreatePodAsync("slow", labels: Web);
        await cluster.CreatePodAsync("other");

        var service = await cluster.UntilAsync<Service>("web", service => service.Spec.ClusterIP is { Length: > 0 });
        Assert.StartsWith("10.96.", service.Spec.ClusterIP, StringComparison.Ordinal);
        Assert.InRange(service.Spec.Ports[0].NodePort!.Value, ServiceAllocationPlanner.NodePortMin, ServiceAllocationPlanner.NodePortMax);
        var slice = await cluster.UntilAsync<EndpointSlice>("web-0", slice => ReadyOf(slice).SequenceEqual(["quick"]) && slice.Endpoints.Count == 2);
        Assert.Equal(8080, slice.Ports.Single().Port);
        var endpoints = await cluster.UntilAsync<Endpoints>("web", endpoints => endpoints.Subsets is [{ Addresses.Count: 1, NotReadyAddresses.Count: 1 }]);
        Assert.Equal("quick", endpoints.Subsets[0].Addresses[0].TargetRef!.Name);

        cluster.Pods.BecomesReady = _ => true;
        cluster.Pods.LookAgain();
        await cluster.UntilAsync<EndpointSlice>("web-0", slice => ReadyOf(slice).SequenceEqual(["quick", "slow"]));

        // A pod that is being deleted gets nothing new while its node still ends it.
        cluster.Pods.Silent = new HashSet<string> { "node-1" };
        await cluster.Client.For<Pod>().DeleteAsync(new ResourceKey("default", "quick"), new DeleteOptions(), Stopping);
        var ending = await cluster.UntilAsync<EndpointSlice>("web-0", slice => ReadyOf(slice).SequenceEqual(["slow"]));
        Assert.Contains(ending.Endpoints, endpoint => endpoint.Conditions is { Terminating: true, Serving: true });

        await cluster.Client.For<Service>().DeleteAsync(new ResourceKey("default", "web"), new DeleteOptions(), Stopping);
        await cluster.UntilGoneAsync<EndpointSlice>("web-0");
        await cluster.UntilGoneAsync<Endpoints>("web");
    }

    [Fact]
    public async Task A_node_gets_an_address_of_its_own_beside_guests_and_pods()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await cluster.AddNodeAsync("node-2");

        var first = await cluster.UntilAsync<Node>("node-1", node => node.Metadata.Annotations.ContainsKey(AnnotationNames.StationAddress));
        var second = await cluster.UntilAsync<Node>("node-2", node => node.Metadata.Annotations.ContainsKey(AnnotationNames.StationAddress));
        Assert.NotEqual(first.Metadata.Annotations[AnnotationNames.StationAddress], second.Metadata.Annotations[AnnotationNames.StationAddress]);
    }

    [Fact]
    public async Task A_service_may_select_virtual_machines_beside_pods()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.AddNodeAsync("node-1");
        await CreateAsync(cluster);
        await cluster.CreateVmAsync("web"); // Its template bears the label app=web.
        await cluster.CreatePodAsync("pod", labels: Web);

        var slice = await cluster.UntilAsync<EndpointSlice>("web-0", slice => ReadyOf(slice).Order(StringComparer.Ordinal).SequenceEqual(["pod", "web"]));
        var guest = await cluster.Client.For<VirtualMachineInstance>().GetAsync(new ResourceKey("default", "web"), Stopping);
        Assert.Equal([guest.Status.Interfaces[0].IpAddress!], slice.Endpoints.Single(endpoint => endpoint.TargetRef!.Kind == "VirtualMachineInstance").Addresses);
    }

    private static IEnumerable<string> ReadyOf(EndpointSlice slice) =>
        slice.Endpoints.Where(endpoint => endpoint.Conditions?.Ready == true).Select(endpoint => endpoint.TargetRef!.Name!).Order(StringComparer.Ordinal);

    private static Task<Service> CreateAsync(TestCluster cluster, string? kind = null) => cluster.Client.For<Service>().CreateAsync(
        new Service
        {
            Metadata = new ObjectMeta { Namespace = "default", Name = "web" },
            Spec = new ServiceSpec { Type = kind, Selector = Web, Ports = [new ServicePort { Port = 80, TargetPort = new IntOrText(8080, null) }] },
        },
        Stopping);
}
