using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests.Access;

/// <summary>What a node may read and change: what it runs, and what that refers to.</summary>
public sealed class NodeAccessTests
{
    private const string Namespaced = "/api/v1/namespaces/default";
    private const string Guests = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances";
    private const string Moves = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancemigrations";
    private const string MergePatch = "application/merge-patch+json";

    [Fact]
    public async Task A_node_reads_what_its_pods_refer_to_from_the_moment_they_are_bound_until_they_are_gone()
    {
        await using var server = await TestServer.StartAsync();
        using var one = server.Client(await NodeJoinTests.CertificateAsync(server, "node-1"));
        using var two = server.Client(await NodeJoinTests.CertificateAsync(server, "node-2"));
        foreach (var name in new[] { "in-env", "in-env-from", "in-volume", "in-projection", "for-images", "of-others" })
        {
            await MakeAsync(server, "secrets", name);
            await MakeAsync(server, "configmaps", name);
        }

        await MakePodAsync(server, "web");
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(server, one, "secrets/in-env"));
        for (var round = 0; round < 20; round++)
        {
            // At once: the node that has seen the binding must not be told no.
            await MakePodAsync(server, $"web-{round}");
            await BindAsync(server, $"web-{round}", round % 2 == 0 ? "node-1" : "node-2");
            Assert.Equal(HttpStatusCode.OK, await GetAsync(server, round % 2 == 0 ? one : two, "secrets/in-env"));
            await ReleaseAsync(server, $"web-{round}");
            Assert.Equal(HttpStatusCode.Forbidden, await GetWhenForgottenAsync(server, round % 2 == 0 ? one : two, "secrets/in-env"));
        }

        await BindAsync(server, "web", "node-1");
        foreach (var path in new[] { "secrets/in-env", "secrets/in-env-from", "secrets/in-volume", "secrets/in-projection", "secrets/for-images", "configmaps/in-env", "configmaps/in-env-from", "configmaps/in-volume", "configmaps/in-projection" })
        {
            Assert.Equal(HttpStatusCode.OK, await GetAsync(server, one, path));
            Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(server, two, path));
        }

        foreach (var path in new[] { "secrets/of-others", "secrets/no-such", "configmaps/for-images", "secrets", "configmaps", "secrets?watch=1", "secrets/in-env?watch=1", "secrets?fieldSelector=metadata.name%3Din-env", "secrets?watch=1&fieldSelector=metadata.name%3Din-env" })
        {
            Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(server, one, path));
        }
    }

    [Fact]
    public async Task A_node_reads_the_seed_and_pull_secrets_of_guests_that_it_runs_and_of_those_that_come_to_it()
    {
        await using var server = await TestServer.StartAsync();
        using var source = server.Client(await NodeJoinTests.CertificateAsync(server, "node-1"));
        using var target = server.Client(await NodeJoinTests.CertificateAsync(server, "node-2"));
        using var other = server.Client(await NodeJoinTests.CertificateAsync(server, "node-3"));
        await MakeAsync(server, "secrets", "user");
        await MakeAsync(server, "secrets", "network");
        await MakeAsync(server, "secrets", "kernels");
        await MakeAsync(server, "secrets", "disks");
        var (code, made) = await server.PostAsync(Guests, """
            {"metadata":{"name":"guest"},"spec":{"domain":{"memory":{"guest":"64Mi"},"devices":{"disks":[{"name":"seed","disk":{"bus":"virtio"}},{"name":"root","disk":{"bus":"virtio"}}]},
              "firmware":{"kernelBoot":{"container":{"image":"team/kernel:6","kernelPath":"/vmlinuz","imagePullSecret":"kernels"}}}},
             "volumes":[{"name":"seed","cloudInitNoCloud":{"secretRef":{"name":"user"},"networkDataSecretRef":{"name":"network"}}},
              {"name":"root","containerDisk":{"image":"team/disk:1","path":"/disk/a.img","imagePullPolicy":"Always","imagePullSecret":"disks"}}]}}
            """);
        Assert.True(code == HttpStatusCode.Created, made.ToJsonString());
        await ExpectAsync(server, "user", (source, false), (target, false), (other, false));

        await server.SendAsync(HttpMethod.Patch, $"{Guests}/guest/status", """{"status":{"nodeName":"node-1"}}""", MergePatch);
        await ExpectAsync(server, "user", (source, true), (target, false), (other, false));
        await ExpectAsync(server, "network", (source, true), (target, false));

        (code, made) = await server.PostAsync(Moves, """{"metadata":{"name":"move"},"spec":{"vmiName":"guest"}}""");
        Assert.True(code == HttpStatusCode.Created, made.ToJsonString());
        await server.SendAsync(HttpMethod.Patch, $"{Moves}/move/status", """{"status":{"phase":"Scheduled","migrationState":{"sourceNode":"node-1","targetNode":"node-2"}}}""", MergePatch);
        await ExpectAsync(server, "user", (source, true), (target, true), (other, false));
        await ExpectAsync(server, "kernels", (source, true), (target, true), (other, false));
        await ExpectAsync(server, "disks", (source, true), (target, true), (other, false));

        await server.SendAsync(HttpMethod.Patch, $"{Guests}/guest/status", """{"status":{"nodeName":"node-2"}}""", MergePatch);
        await server.SendAsync(HttpMethod.Patch, $"{Moves}/move/status", """{"status":{"phase":"Succeeded"}}""", MergePatch);
        await ExpectAsync(server, "user", (target, true), (other, false));
        Assert.Equal(HttpStatusCode.Forbidden, await GetWhenForgottenAsync(server, source, "secrets/user"));
    }

    [Fact]
    public async Task A_node_sees_its_own_pods_and_the_networks_settings_and_neither_others_pods_nor_others_leases()
    {
        await using var server = await TestServer.StartAsync();
        using var one = server.Client(await NodeJoinTests.CertificateAsync(server, "node-1"));
        foreach (var (pod, node) in new[] { ("mine", "node-1"), ("other", "node-2") })
        {
            await MakePodAsync(server, pod);
            await BindAsync(server, pod, node);
        }

        await server.PostAsync("/api/v1/namespaces/kube-system/configmaps", """{"metadata":{"name":"godwit-network"}}""");
        await server.PostAsync("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", """{"metadata":{"name":"node-2"}}""");
        foreach (var (path, expected) in new[]
        {
            ("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1", HttpStatusCode.OK),
            ("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-2", HttpStatusCode.Forbidden),
            ("/api/v1/pods?fieldSelector=spec.nodeName!%3Dnode-1", HttpStatusCode.Forbidden),
            ("/api/v1/pods", HttpStatusCode.Forbidden),
            ($"{Namespaced}/pods/mine", HttpStatusCode.OK),
            ($"{Namespaced}/pods/other", HttpStatusCode.Forbidden),
            ($"{Namespaced}/pods/other?fieldSelector=spec.nodeName%3Dnode-1", HttpStatusCode.Forbidden),
            ("/api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3Dgodwit-network", HttpStatusCode.OK),
            ("/api/v1/namespaces/kube-system/configmaps", HttpStatusCode.Forbidden),
            ("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-2", HttpStatusCode.Forbidden),
            ("/apis/kubevirt.io/v1/virtualmachines", HttpStatusCode.Forbidden),
            ("/api/v1/serviceaccounts", HttpStatusCode.Forbidden),
        })
        {
            Assert.Equal((path, expected), (path, (await server.SendAsync(HttpMethod.Get, path, client: one)).Code));
        }

        var (_, list) = await server.SendAsync(HttpMethod.Get, "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1", client: one);
        Assert.Equal("mine", (string?)Assert.Single(list["items"]!.AsArray())!["metadata"]!["name"]);
    }

    [Fact]
    public async Task A_node_writes_the_status_of_its_own_pods_and_cannot_give_them_more_to_read()
    {
        await using var server = await TestServer.StartAsync();
        using var one = server.Client(await NodeJoinTests.CertificateAsync(server, "node-1"));
        foreach (var (pod, node) in new[] { ("mine", "node-1"), ("other", "node-2") })
        {
            await MakePodAsync(server, pod);
            await BindAsync(server, pod, node);
        }

        const string Running = """{"status":{"phase":"Running"}}""";
        Assert.Equal(HttpStatusCode.OK, await PatchAsync(server, one, $"{Namespaced}/pods/mine/status", Running));
        Assert.Equal(HttpStatusCode.Forbidden, await PatchAsync(server, one, $"{Namespaced}/pods/other/status", Running));
        Assert.Equal(HttpStatusCode.Forbidden, await PatchAsync(server, one, $"{Namespaced}/pods/mine", """{"spec":{"activeDeadlineSeconds":60}}"""));
        Assert.Equal(HttpStatusCode.Forbidden, await PatchAsync(server, one, $"{Namespaced}/pods/mine", """{"metadata":{"labels":{"app":"trusted"}}}"""));
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Delete, $"{Namespaced}/pods/other", client: one)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Post, $"{Namespaced}/pods", PodBody("mirror"), client: one)).Code);
        Assert.Equal(HttpStatusCode.OK, await PatchAsync(server, one, $"{Namespaced}/pods/mine", """{"metadata":{"finalizers":null}}"""));

        await server.SendAsync(HttpMethod.Post, "/api/v1/nodes", """{"metadata":{"name":"node-1"},"spec":{"taints":[{"key":"k","effect":"NoSchedule"}]}}""");
        Assert.Equal(HttpStatusCode.Forbidden, await PatchAsync(server, one, "/api/v1/nodes/node-1", """{"spec":{"taints":null}}"""));
        Assert.Equal(HttpStatusCode.Forbidden, await PatchAsync(server, one, "/api/v1/nodes/node-1", """{"metadata":{"labels":{"node-restriction.kubernetes.io/trusted":"yes"}}}"""));
        Assert.Equal(HttpStatusCode.OK, await PatchAsync(server, one, "/api/v1/nodes/node-1", """{"metadata":{"labels":{"kubernetes.io/hostname":"node-1"}}}"""));
    }

    [Fact]
    public async Task A_node_is_told_by_a_review_what_it_would_be_told_by_the_request()
    {
        await using var server = await TestServer.StartAsync();
        using var one = server.Client(await NodeJoinTests.CertificateAsync(server, "node-1"));
        await MakePodAsync(server, "web");
        await BindAsync(server, "web", "node-1");
        foreach (var (name, expected) in new[] { ("in-env", true), ("of-others", false) })
        {
            var (_, may) = await server.SendAsync(HttpMethod.Post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                $$$$"""{"spec":{"resourceAttributes":{"verb":"get","resource":"secrets","namespace":"default","name":"{{{{name}}}}"}}}""", client: one);
            Assert.Equal(expected, (bool?)may["status"]!["allowed"] ?? false);
        }
    }

    private static async Task ExpectAsync(TestServer server, string secret, params (HttpClient Node, bool Allowed)[] expected)
    {
        foreach (var (node, allowed) in expected)
        {
            Assert.Equal(allowed ? HttpStatusCode.OK : HttpStatusCode.Forbidden, await GetAsync(server, node, $"secrets/{secret}"));
        }
    }

    private static async Task<HttpStatusCode> GetAsync(TestServer server, HttpClient node, string what) =>
        (await server.SendAsync(HttpMethod.Get, $"{Namespaced}/{what}", client: node)).Code;

    /// <summary>A right that has ended may be found a moment later: asked until it is, or the test's time is over.</summary>
    private static async Task<HttpStatusCode> GetWhenForgottenAsync(TestServer server, HttpClient node, string what)
    {
        while (await GetAsync(server, node, what) is var code)
        {
            if (code == HttpStatusCode.Forbidden)
            {
                return code;
            }
        }

        return default;
    }

    private static async Task<HttpStatusCode> PatchAsync(TestServer server, HttpClient node, string path, string body) =>
        (await server.SendAsync(HttpMethod.Patch, path, body, MergePatch, node)).Code;

    private static async Task MakeAsync(TestServer server, string plural, string name) =>
        Assert.Equal(HttpStatusCode.Created, (await server.PostAsync($"{Namespaced}/{plural}", $$$"""{"metadata":{"name":"{{{name}}}"}}""")).Code);

    private static async Task MakePodAsync(TestServer server, string name)
    {
        var (code, made) = await server.PostAsync($"{Namespaced}/pods", PodBody(name));
        Assert.True(code == HttpStatusCode.Created, made.ToJsonString());
    }

    private static string PodBody(string name) => new JsonObject
    {
        ["metadata"] = new JsonObject { ["name"] = name },
        ["spec"] = JsonNode.Parse("""
            {"imagePullSecrets":[{"name":"for-images"}],
             "initContainers":[{"name":"i","image":"i","envFrom":[{"secretRef":{"name":"in-env-from"}},{"configMapRef":{"name":"in-env-from"}}]}],
             "containers":[{"name":"c","image":"c","env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"in-env","key":"k"}}},{"name":"B","valueFrom":{"configMapKeyRef":{"name":"in-env","key":"k"}}}]}],
             "volumes":[{"name":"s","secret":{"secretName":"in-volume"}},{"name":"m","configMap":{"name":"in-volume"}},
                        {"name":"p","projected":{"sources":[{"secret":{"name":"in-projection"}},{"configMap":{"name":"in-projection"}}]}}]}
            """),
    }.ToJsonString();

    private static async Task BindAsync(TestServer server, string pod, string node)
    {
        var (code, answer) = await server.PostAsync($"{Namespaced}/pods/{pod}/binding", $$$"""{"metadata":{"name":"{{{pod}}}"},"target":{"kind":"Node","name":"{{{node}}}"}}""");
        Assert.True(code == HttpStatusCode.Created, answer.ToJsonString());
    }

    private static async Task ReleaseAsync(TestServer server, string pod)
    {
        await server.SendAsync(HttpMethod.Delete, $"{Namespaced}/pods/{pod}");
        await server.SendAsync(HttpMethod.Patch, $"{Namespaced}/pods/{pod}", """{"metadata":{"finalizers":null}}""", MergePatch);
    }
}
