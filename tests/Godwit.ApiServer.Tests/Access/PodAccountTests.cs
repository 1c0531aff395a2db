using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests.Access;

public sealed class PodAccountTests
{
    private const string Accounts = "/api/v1/namespaces/default/serviceaccounts";
    private const string Pods = "/api/v1/namespaces/default/pods";
    private const string Place = "/var/run/secrets/kubernetes.io/serviceaccount";

    [Fact]
    public async Task A_pod_gets_a_token_the_authority_and_its_namespace_where_programs_look_for_them()
    {
        await using var server = await TestServer.StartAsync();
        var (_, pod) = await server.PostAsync(Pods, """
            {"metadata":{"generateName":"p-"},"spec":{"initContainers":[{"name":"i","image":"i"}],"containers":[
             {"name":"c","image":"i"},{"name":"d","image":"i","volumeMounts":[{"name":"own","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}]}],"volumes":[{"name":"own","emptyDir":{}}]}}
            """);
        var volume = pod["spec"]!["volumes"]!.AsArray().Single(each => ((string)each!["name"]!).StartsWith("kube-api-access-", StringComparison.Ordinal))!;
        Assert.Equal("""
            [{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}]
            """.Trim(), volume["projected"]!["sources"]!.ToJsonString());
        foreach (var container in new[] { pod["spec"]!["initContainers"]![0]!, pod["spec"]!["containers"]![0]! })
        {
            var mount = Assert.Single(container["volumeMounts"]!.AsArray())!;
            Assert.Equal(((string)volume["name"]!, Place, true), ((string)mount["name"]!, (string)mount["mountPath"]!, (bool)mount["readOnly"]!));
        }

        Assert.Equal("own", (string)Assert.Single(pod["spec"]!["containers"]![1]!["volumeMounts"]!.AsArray())!["name"]!);
    }

    [Theory]
    [InlineData(null, null, true)]
    [InlineData(null, false, false)]
    [InlineData(true, false, true)]
    [InlineData(false, null, false)]
    [InlineData(false, true, false)]
    public async Task The_pod_and_else_its_account_says_whether_a_token_is_mounted(bool? ofPod, bool? ofAccount, bool isMounted)
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Accounts, new JsonObject { ["metadata"] = new JsonObject { ["name"] = "robot" }, ["automountServiceAccountToken"] = ofAccount }.ToJsonString());
        var spec = new JsonObject { ["serviceAccountName"] = "robot", ["automountServiceAccountToken"] = ofPod, ["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "i" }) };
        var (code, pod) = await server.PostAsync(Pods, new JsonObject { ["metadata"] = new JsonObject { ["name"] = "p" }, ["spec"] = spec }.ToJsonString());
        Assert.Equal(HttpStatusCode.Created, code);
        Assert.Equal(isMounted ? 1 : 0, pod["spec"]!["volumes"]?.AsArray().Count ?? 0);
    }

    [Fact]
    public async Task A_pod_of_an_account_that_is_not_there_is_refused_and_an_accounts_pull_secrets_are_its_pods()
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync(Pods, """{"metadata":{"name":"p"},"spec":{"serviceAccountName":"robot","containers":[{"name":"c","image":"i"}]}}""");
        Assert.Equal(HttpStatusCode.Forbidden, code);
        Assert.Equal("pods \"p\" is forbidden: error looking up service account default/robot: serviceaccount \"robot\" not found", (string)status["message"]!);

        await server.PostAsync(Accounts, """{"metadata":{"name":"robot"},"imagePullSecrets":[{"name":"registry"}]}""");
        var (_, pod) = await server.PostAsync(Pods, """{"metadata":{"name":"p"},"spec":{"serviceAccountName":"robot","containers":[{"name":"c","image":"i"}]}}""");
        Assert.Equal("""[{"name":"registry"}]""", pod["spec"]!["imagePullSecrets"]!.ToJsonString());
        var (_, own) = await server.PostAsync(Pods, """{"metadata":{"name":"q"},"spec":{"serviceAccountName":"robot","imagePullSecrets":[{"name":"own"}],"containers":[{"name":"c","image":"i"}]}}""");
        Assert.Equal("""[{"name":"own"}]""", own["spec"]!["imagePullSecrets"]!.ToJsonString());
    }

    [Fact]
    public async Task A_node_gets_tokens_of_its_own_pods_alone_bound_to_them_and_for_whom_they_ask()
    {
        await using var server = await TestServer.StartAsync();
        using var node = server.Client(await NodeJoinTests.CertificateAsync(server, "node-1"));
        await server.PostAsync(Accounts, """{"metadata":{"name":"unused"}}""");
        var (mine, other) = (await PlacedAsync(server, "mine", "node-1"), await PlacedAsync(server, "other", "node-2"));
        foreach (var (account, bound, audience, expected) in new[]
        {
            ("default", $$"""{"kind":"Pod","apiVersion":"v1","name":"mine","uid":"{{mine}}"}""", null, HttpStatusCode.Created),
            ("default", $$"""{"kind":"Pod","apiVersion":"v1","name":"mine","uid":"{{mine}}"}""", "vault", HttpStatusCode.Created),
            ("default", $$"""{"kind":"Pod","apiVersion":"v1","name":"mine","uid":"{{mine}}"}""", "elsewhere", HttpStatusCode.Forbidden),
            ("default", """{"kind":"Pod","apiVersion":"v1","name":"mine"}""", null, HttpStatusCode.Forbidden),
            ("default", $$"""{"kind":"Pod","apiVersion":"v1","name":"other","uid":"{{other}}"}""", null, HttpStatusCode.Forbidden),
            ("default", "null", null, HttpStatusCode.Forbidden),
            ("unused", $$"""{"kind":"Pod","apiVersion":"v1","name":"mine","uid":"{{mine}}"}""", null, HttpStatusCode.Forbidden),
        })
        {
            var asked = $$"""{"spec":{"audiences":{{(audience is null ? "[]" : $"[\"{audience}\"]")}},"boundObjectRef":{{bound}}} }""";
            Assert.Equal((asked, expected), (asked, (await server.SendAsync(HttpMethod.Post, $"{Accounts}/{account}/token", asked, client: node)).Code));
        }
    }

    private static async Task<string> PlacedAsync(TestServer server, string pod, string node)
    {
        var (_, made) = await server.PostAsync(Pods, $$"""
            {"metadata":{"name":"{{pod}}"},"spec":{"nodeName":"{{node}}","containers":[{"name":"c","image":"i"}],"volumes":[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"audience":"vault","path":"t"} }]} }]} }
            """);
        return (string)made["metadata"]!["uid"]!;
    }
}
