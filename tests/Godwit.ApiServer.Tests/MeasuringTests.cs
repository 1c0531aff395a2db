using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests;

/// <summary>What nodes and pods use, as <c>kubectl top</c> asks for it; what agents measure is pretended.</summary>
public sealed class MeasuringTests
{
    private const string Metrics = "/apis/metrics.k8s.io/v1beta1";
    private const string Pods = "/api/v1/namespaces/default/pods";
    private const string Guests = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances";

    [Fact]
    public async Task Nodes_pods_and_virtual_machines_are_told_with_what_their_own_nodes_agents_measured()
    {
        await using var server = await TestServer.StartAsync();
        await using var agent = await AddNodeAsync(server, "n1");
        var (pod, guest) = (await AddPodAsync(server, "p", "n1", "web"), await AddGuestAsync(server, "v", "n1"));
        await AddPodAsync(server, "fresh", "n1", "web"); // Not measured yet.
        agent.Usage = Report((pod, "c", 250_000_000, 64 << 20), (guest, "compute", 1_500_000_000, 512 << 20));

        var node = (await server.GetAsync($"{Metrics}/nodes/n1")).Body;
        Assert.Equal(("NodeMetrics", "metrics.k8s.io/v1beta1", "n1", "2", "1Gi", "10.5s"), ((string?)node["kind"], (string?)node["apiVersion"], (string?)node["metadata"]!["name"], (string?)node["usage"]!["cpu"], (string?)node["usage"]!["memory"], (string?)node["window"]));
        var all = (await server.GetAsync($"{Metrics}/pods")).Body;
        Assert.Equal("PodMetricsList", (string?)all["kind"]);
        Assert.Equal(["p/c 250m 64Mi", "virt-launcher-v/compute 1500m 512Mi"], Told(all));
        Assert.Equal(["p/c 250m 64Mi"], Told((await server.GetAsync($"{Metrics}/namespaces/default/pods?labelSelector=app=web")).Body));
        Assert.Empty(Told((await server.GetAsync($"{Metrics}/namespaces/other/pods")).Body));
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync($"{Metrics}/namespaces/default/pods/virt-launcher-v")).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync($"{Metrics}/namespaces/default/pods/v")).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync($"{Metrics}/namespaces/default/pods/fresh")).Code);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await server.SendAsync(HttpMethod.Delete, $"{Metrics}/nodes/n1")).Code);
        Assert.Single(agent.Requests); // However many ask.
    }

    [Fact]
    public async Task An_agent_can_say_nothing_of_what_runs_on_another_node_and_nonsense_costs_nobody_else_their_numbers()
    {
        await using var server = await TestServer.StartAsync();
        await using var honest = await AddNodeAsync(server, "n1");
        await using var liar = await AddNodeAsync(server, "n2");
        await using var broken = await AddNodeAsync(server, "n3");
        var pod = await AddPodAsync(server, "p", "n1", "web");
        honest.Usage = Report((pod, "c", 100_000_000, 1 << 20));
        liar.Usage = Report((pod, "c", 9_000_000_000, 1 << 30), ("no-such-pod", "c", 1, 1));
        broken.Usage = "{\"node\":";

        Assert.Equal(["p/c 100m 1Mi"], Told((await server.GetAsync($"{Metrics}/pods")).Body));
        var nodes = (await server.GetAsync($"{Metrics}/nodes")).Body;
        Assert.Equal(["n1", "n2"], nodes["items"]!.AsArray().Select(item => (string?)item!["metadata"]!["name"]));
    }

    [Fact]
    public async Task Who_may_view_a_namespace_may_see_what_its_pods_use_and_nobody_else()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/api/v1/namespaces/default/serviceaccounts", """{"metadata":{"name":"ann"}}""");
        var token = (string)(await server.PostAsync("/api/v1/namespaces/default/serviceaccounts/ann/token", "{}")).Body["status"]!["token"]!;
        using var ann = server.Client(null, token);
        const string pods = $"{Metrics}/namespaces/default/pods";
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Get, pods, client: ann)).Code);
        await server.PostAsync("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", """{"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"kind":"ServiceAccount","name":"ann","namespace":"default"}]}""");
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Get, pods, client: ann)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Get, $"{Metrics}/nodes", client: ann)).Code);
    }

    private static IEnumerable<string> Told(JsonObject list) =>
        from item in list["items"]!.AsArray()
        from container in item!["containers"]!.AsArray()
        select $"{item["metadata"]!["name"]}/{container!["name"]} {container["usage"]!["cpu"]} {container["usage"]!["memory"]}";

    private static string Report(params (string Uid, string Container, long Nanocores, long Bytes)[] pods)
    {
        static JsonObject Figures(long nanocores, long bytes) => new() { ["cpuNanocores"] = nanocores, ["memoryBytes"] = bytes, ["readAt"] = "2026-01-31T12:00:00Z", ["windowMs"] = 10_500 };
        return new JsonObject
        {
            ["node"] = Figures(2_000_000_000, 1 << 30),
            ["pods"] = new JsonArray([.. pods.Select(pod => new JsonObject { ["uid"] = pod.Uid, ["containers"] = new JsonArray(new JsonObject { ["name"] = pod.Container, ["figures"] = Figures(pod.Nanocores, pod.Bytes) }) })]),
        }.ToJsonString();
    }

    private static async Task<FakeAgent> AddNodeAsync(TestServer server, string name)
    {
        var agent = await FakeAgent.StartAsync(await NodeJoinTests.CertificateAsync(server, name));
        var (code, answer) = await server.PostAsync("/api/v1/nodes", $$"""{"metadata":{"name":"{{name}}","annotations":{"godwit.dev/agent-endpoint":"127.0.0.1:{{agent.Port}}"} } }""");
        Assert.True(code == HttpStatusCode.Created, answer.ToJsonString());
        return agent;
    }

    private static async Task<string> AddPodAsync(TestServer server, string name, string node, string app)
    {
        var (code, answer) = await server.PostAsync(Pods, $$"""{"metadata":{"name":"{{name}}","labels":{"app":"{{app}}"} },"spec":{"nodeName":"{{node}}","containers":[{"name":"c","image":"nginx"}]} }""");
        Assert.True(code == HttpStatusCode.Created, answer.ToJsonString());
        return (string)answer["metadata"]!["uid"]!;
    }

    private static async Task<string> AddGuestAsync(TestServer server, string name, string node)
    {
        var (code, answer) = await server.PostAsync(Guests, $$"""{"metadata":{"name":"{{name}}"},"spec":{"domain":{"devices":{},"memory":{"guest":"64Mi"} } } }""");
        Assert.True(code == HttpStatusCode.Created, answer.ToJsonString());
        await server.SendAsync(HttpMethod.Patch, $"{Guests}/{name}/status", $$"""{"status":{"nodeName":"{{node}}","phase":"Running"} }""", "application/merge-patch+json");
        return (string)answer["metadata"]!["uid"]!;
    }
}
