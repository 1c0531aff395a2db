using System.Net;
using System.Text;
using CsCheck;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Node.Networking;
using Godwit.Node.Pods;

namespace Godwit.Node.Tests.Pods;

public sealed class PodValueTests
{
    [Theory]
    [InlineData("$(A)-$(B)", "1-$(B)")]
    [InlineData("$$(A)", "$(A)")]
    [InlineData("$(A", "$(A")]
    [InlineData("cost: 5$", "cost: 5$")]
    public void References_to_variables_are_replaced_where_there_is_a_value(string text, string expected) =>
        Assert.Equal(expected, PodFields.Expand(text, new Dictionary<string, string>(StringComparer.Ordinal) { ["A"] = "1" }));

    [Fact]
    public void Text_without_a_dollar_sign_stays_as_it_is() =>
        Gen.String.Where(text => !text.Contains('$', StringComparison.Ordinal)).Sample(text => PodFields.Expand(text, new Dictionary<string, string>(StringComparer.Ordinal)) == text);

    [Fact]
    public void The_class_of_service_follows_from_requests_and_limits()
    {
        Assert.Equal(PodResources.BestEffort, PodResources.QualityOf(PodWith(null)));
        Assert.Equal(PodResources.Burstable, PodResources.QualityOf(PodWith(new ContainerResources { Requests = Amounts("100m", "64Mi") })));
        Assert.Equal(PodResources.Guaranteed, PodResources.QualityOf(PodWith(new ContainerResources { Limits = Amounts("1", "64Mi") })));
        Assert.Equal(PodResources.Burstable, PodResources.QualityOf(PodWith(new ContainerResources { Requests = Amounts("500m", "64Mi"), Limits = Amounts("1", "64Mi") })));
    }

    [Fact]
    public void Requests_and_limits_become_bounds_of_the_container_and_of_the_pod()
    {
        var pod = PodWith(new ContainerResources { Requests = Amounts("500m", "64Mi"), Limits = Amounts("1500m", "128Mi") });
        var resources = PodResources.ForContainer(pod, pod.Spec.Containers[0], hostMemoryBytes: 1L << 30);
        Assert.Equal((128L << 20, 512L, 150_000L, 938), (resources.MemoryBytes, resources.CpuShares, resources.CpuQuotaMicroseconds, resources.OutOfMemoryScoreAdjustment));
        Assert.Equal((128L << 20, 1.5), (PodResources.ForPod(pod).MemoryBytes, PodResources.ForPod(pod).CpuCount));
        Assert.Null(PodResources.ForPod(PodWith(null)).MemoryBytes);
    }

    [Fact]
    public void A_pod_asks_the_cluster_for_names_and_one_in_the_hosts_network_the_hosts_servers()
    {
        const string OfCluster = "nameserver 10.77.0.1\nsearch shop.svc.cluster.local svc.cluster.local cluster.local shop.vm.cluster.local vm.cluster.local corp.example\noptions ndots:5\n";
        const string OfHost = "nameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch corp.example\noptions edns0\n";

        Assert.Equal(OfCluster, ResolverOf(OfHost, spec => spec));
        Assert.Equal(OfCluster, ResolverOf(OfHost, spec => spec with { DnsPolicy = "ClusterFirstWithHostNet", HostNetwork = true }));
        Assert.Equal(OfHost, ResolverOf(OfHost, spec => spec with { HostNetwork = true }));
        Assert.Equal(OfHost, ResolverOf(OfHost, spec => spec with { DnsPolicy = "Default", HostNetwork = true }));
        // The host's loopback is not the pod's.
        Assert.Equal(OfHost.Replace("127.0.0.53", "10.77.0.1", StringComparison.Ordinal), ResolverOf(OfHost, spec => spec with { DnsPolicy = "Default" }));
    }

    [Fact]
    public void What_a_pod_says_of_names_itself_is_added_and_its_options_count_more()
    {
        var own = new PodDNSConfig
        {
            Nameservers = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"],
            Searches = ["svc.cluster.local", "else.example"],
            Options = [new PodDNSConfigOption { Name = "ndots", Value = "2" }, new PodDNSConfigOption { Name = "edns0" }],
        };
        Assert.Equal(
            "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nsearch svc.cluster.local else.example\noptions ndots:2 edns0\n",
            ResolverOf("nameserver 192.0.2.53\n", spec => spec with { DnsPolicy = "None", DnsConfig = own }));
        Assert.Equal(
            "nameserver 10.77.0.1\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"
            + "search shop.svc.cluster.local svc.cluster.local cluster.local shop.vm.cluster.local vm.cluster.local else.example\noptions ndots:2 edns0\n",
            ResolverOf("nameserver 192.0.2.53\n", spec => spec with { DnsConfig = own }));
    }

    [Fact]
    public void What_a_node_does_not_have_is_refused_by_its_name()
    {
        var pod = PodWith(null);
        var container = pod.Spec.Containers[0] with { Ports = [new() { Number = 80, HostPort = 8080 }] };
        Assert.Null(PodContainers.FindUnsupported(pod, pod.Spec.Containers[0]));
        Assert.StartsWith("hostPort", PodContainers.FindUnsupported(pod, container), StringComparison.Ordinal);
        Assert.Null(PodContainers.FindUnsupported(pod with { Spec = pod.Spec with { HostNetwork = true } }, container));
        Assert.StartsWith("shareProcessNamespace", PodContainers.FindUnsupported(pod with { Spec = pod.Spec with { ShareProcessNamespace = true } }, container), StringComparison.Ordinal);
    }

    [Fact]
    public void Pull_secrets_open_the_registry_that_they_name()
    {
        var auth = Convert.ToBase64String("user:word"u8.ToArray());
        var json = Encoding.UTF8.GetBytes("""{"auths":{"https://registry.example/v2/":{"auth":"AUTH"}}}""".Replace("AUTH", auth, StringComparison.Ordinal));
        Assert.Equal("user", PodImages.ReadCredentials(json, "registry.example")?.UserName);
        Assert.Null(PodImages.ReadCredentials(json, "other.example"));
        Assert.Null(PodImages.ReadCredentials("no json"u8.ToArray(), "registry.example"));
    }

    private static Dictionary<string, Quantity> Amounts(string cpu, string memory) => new(StringComparer.Ordinal) { ["cpu"] = Quantity.Parse(cpu), ["memory"] = Quantity.Parse(memory) };

    private static Pod PodWith(ContainerResources? resources) => new()
    {
        Metadata = new ObjectMeta { Name = "pod", Namespace = "shop" },
        Spec = new PodSpec { Containers = [new Container { Name = "one", Resources = resources }] },
    };

    private static string ResolverOf(string host, Func<PodSpec, PodSpec> change)
    {
        var (pod, settings) = (PodWith(null), new ConfigMap { Data = new Dictionary<string, string> { ["cidr"] = "10.77.0.0/16" } });
        return PodNames.Resolver(pod with { Spec = change(pod.Spec) }, ClusterNetwork.Parse(settings), host);
    }
}
