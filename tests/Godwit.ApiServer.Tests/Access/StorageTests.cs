using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests.Access;

/// <summary>What the server itself says of claims and volumes: whose a claim is, how far it grows, and which node sees what.</summary>
public sealed class StorageTests
{
    private const string Core = "/api/v1/namespaces/default";
    private const string MergePatch = "application/merge-patch+json";

    [Fact]
    public async Task A_claim_that_names_no_class_gets_the_default_one_and_grows_only_where_its_class_allows_it()
    {
        await using var server = await TestServer.StartAsync();
        var (_, made) = await MakeClaimAsync(server, "data", "");
        Assert.Equal(("local", "Filesystem", "Pending"), (Text(made, "spec", "storageClassName"), Text(made, "spec", "volumeMode"), Text(made, "status", "phase")));
        Assert.Equal("", Text((await MakeClaimAsync(server, "none", """, "storageClassName":"" """)).Body, "spec", "storageClassName"));
        await server.PostAsync("/apis/storage.k8s.io/v1/storageclasses", """{"metadata":{"name":"fixed","annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},"provisioner":"kubernetes.io/no-provisioner"}""");
        await server.SendAsync(HttpMethod.Patch, "/apis/storage.k8s.io/v1/storageclasses/local", """{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"false"}}}""", MergePatch);
        Assert.Equal("fixed", Text((await MakeClaimAsync(server, "other", "")).Body, "spec", "storageClassName"));

        foreach (var name in new[] { "data", "other" })
        {
            await server.SendAsync(HttpMethod.Patch, $"{Core}/persistentvolumeclaims/{name}/status", """{"status":{"phase":"Bound"}}""", MergePatch);
        }

        Assert.Equal(HttpStatusCode.OK, (await GrowAsync("data")).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await GrowAsync("other")).Code);

        async Task<(HttpStatusCode Code, JsonNode Body)> GrowAsync(string name)
        {
            var (code, body) = await server.SendAsync(HttpMethod.Patch, $"{Core}/persistentvolumeclaims/{name}", """{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}""", MergePatch);
            return (code, body);
        }
    }

    [Fact]
    public async Task A_source_that_Godwit_does_not_have_is_refused_by_its_path()
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync("/api/v1/persistentvolumes", """{"metadata":{"name":"v"},"spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1Gi"},"nfs":{"server":"a","path":"/"}}}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Contains("spec.nfs", (string)status["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_claims_ask_for_is_counted_in_a_quota()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync($"{Core}/resourcequotas", """{"metadata":{"name":"disk"},"spec":{"hard":{"requests.storage":"2500Mi","persistentvolumeclaims":"5"}}}""");
        Assert.Equal(HttpStatusCode.Created, (await MakeClaimAsync(server, "one", "")).Code);
        Assert.Equal(HttpStatusCode.Created, (await MakeClaimAsync(server, "two", "")).Code);
        var (code, refused) = await MakeClaimAsync(server, "three", "");
        Assert.Equal((HttpStatusCode.Forbidden, "persistentvolumeclaims \"three\" is forbidden: exceeded quota: disk, requested: requests.storage=1Gi, used: requests.storage=2Gi, limited: requests.storage=2500Mi"), (code, (string)refused["message"]!));
    }

    [Fact]
    public async Task A_node_sees_the_claims_and_volumes_of_its_pods_and_the_volumes_that_were_made_on_it()
    {
        await using var server = await TestServer.StartAsync();
        using var one = server.Client(await NodeJoinTests.CertificateAsync(server, "node-1"));
        using var two = server.Client(await NodeJoinTests.CertificateAsync(server, "node-2"));
        await MakeClaimAsync(server, "data", """, "volumeName":"mine" """);
        foreach (var (volume, node) in new[] { ("mine", "node-1"), ("other", "node-2") })
        {
            var (made, body) = await server.PostAsync("/api/v1/persistentvolumes", $$$$"""
                {"metadata":{"name":"{{{{volume}}}}","annotations":{"godwit.dev/node":"{{{{node}}}}"},"finalizers":["godwit.dev/local-volume"]},
                 "spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1Gi"},"hostPath":{"path":"/data"}}}
                """);
            Assert.True(made == HttpStatusCode.Created, body.ToJsonString());
        }

        await server.PostAsync($"{Core}/pods", """{"metadata":{"name":"web"},"spec":{"containers":[{"name":"c","image":"i"}],"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"data"}}]}}""");
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(one, $"{Core}/persistentvolumeclaims/data"));
        await server.PostAsync($"{Core}/pods/web/binding", """{"metadata":{"name":"web"},"target":{"kind":"Node","name":"node-1"}}""");
        foreach (var (path, expected) in new[]
        {
            ($"{Core}/persistentvolumeclaims/data", HttpStatusCode.OK),
            ($"{Core}/persistentvolumeclaims", HttpStatusCode.Forbidden),
            ("/api/v1/persistentvolumes/mine", HttpStatusCode.OK),
            ("/api/v1/persistentvolumes/other", HttpStatusCode.Forbidden),
            ("/api/v1/persistentvolumes", HttpStatusCode.Forbidden),
            ("/api/v1/persistentvolumes?fieldSelector=godwit.dev/node%3Dnode-1", HttpStatusCode.OK),
            ("/api/v1/persistentvolumes?fieldSelector=godwit.dev/node%3Dnode-2", HttpStatusCode.Forbidden),
            ("/api/v1/persistentvolumes?fieldSelector=spec.nodeName%3Dnode-1", HttpStatusCode.Forbidden),
            ("/apis/storage.k8s.io/v1/storageclasses", HttpStatusCode.Forbidden),
        })
        {
            Assert.Equal((path, expected), (path, await GetAsync(one, path)));
        }

        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(two, $"{Core}/persistentvolumeclaims/data"));
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(two, "/api/v1/persistentvolumes/mine"));
        Assert.Equal("mine", (string?)Assert.Single((await server.SendAsync(HttpMethod.Get, "/api/v1/persistentvolumes?fieldSelector=godwit.dev/node%3Dnode-1", client: one)).Body["items"]!.AsArray())!["metadata"]!["name"]);

        Assert.Equal(HttpStatusCode.Forbidden, await PatchAsync(one, "other", """{"metadata":{"finalizers":null}}"""));
        Assert.Equal(HttpStatusCode.Forbidden, await PatchAsync(one, "mine", """{"spec":{"capacity":{"storage":"9Gi"}}}"""));
        Assert.Equal(HttpStatusCode.Forbidden, await PatchAsync(one, "mine", """{"metadata":{"annotations":{"godwit.dev/node":"node-2"}}}"""));
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Delete, "/api/v1/persistentvolumes/mine", client: one)).Code);
        Assert.Equal(HttpStatusCode.OK, await PatchAsync(one, "mine", """{"metadata":{"finalizers":["kubernetes.io/pv-protection"]}}"""));

        async Task<HttpStatusCode> GetAsync(HttpClient node, string path) => (await server.SendAsync(HttpMethod.Get, path, client: node)).Code;

        async Task<HttpStatusCode> PatchAsync(HttpClient node, string volume, string body) => (await server.SendAsync(HttpMethod.Patch, $"/api/v1/persistentvolumes/{volume}", body, MergePatch, node)).Code;
    }

    private static async Task<(HttpStatusCode Code, JsonNode Body)> MakeClaimAsync(TestServer server, string name, string more)
    {
        var (code, body) = await server.PostAsync($"{Core}/persistentvolumeclaims", $$$"""{"metadata":{"name":"{{{name}}}"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}{{{more}}}}}""");
        return (code, body);
    }

    private static string? Text(JsonNode node, string field, string name) => (string?)node[field]?[name];
}
