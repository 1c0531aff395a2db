using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests.Access;

public sealed class RoleTests
{
    private const string Rbac = "/apis/rbac.authorization.k8s.io/v1";
    private const string MergePatch = "application/merge-patch+json";

    [Fact]
    public async Task A_binding_gives_a_roles_rights_at_once_where_it_stands_and_takes_them_when_it_goes()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/api/v1/namespaces", """{"metadata":{"name":"other"}}""");
        using var ann = As(server, "ann");
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(server, ann, "/api/v1/namespaces/default/pods"));
        for (var round = 0; round < 10; round++)
        {
            // At once: whoever has given the right may tell, and it holds.
            await MakeAsync(server, "namespaces/default/rolebindings", Binding($"ann-{round}", "ClusterRole", "view", "ann"));
            Assert.Equal(HttpStatusCode.OK, await GetAsync(server, ann, "/api/v1/namespaces/default/pods"));
            Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(server, ann, "/api/v1/namespaces/other/pods"));
            Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(server, ann, "/api/v1/pods"));
            Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(server, ann, "/api/v1/namespaces/default/secrets"));
            Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Post, "/api/v1/namespaces/default/configmaps", """{"metadata":{"name":"m"}}""", client: ann)).Code);
            await server.SendAsync(HttpMethod.Delete, $"{Rbac}/namespaces/default/rolebindings/ann-{round}");
            while (await GetAsync(server, ann, "/api/v1/namespaces/default/pods") != HttpStatusCode.Forbidden)
            {
                // It ends a moment after the binding.
            }
        }

        await MakeAsync(server, "clusterrolebindings", Binding("everywhere", "ClusterRole", "edit", "ann"));
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, ann, "/api/v1/secrets"));
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(server, ann, $"{Rbac}/namespaces/default/roles"));
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(server, ann, "/api/v1/nodes"));
    }

    [Fact]
    public async Task A_role_takes_up_the_rules_of_those_that_it_aggregates()
    {
        await using var server = await TestServer.StartAsync();
        using var ann = As(server, "ann");
        await MakeAsync(server, "namespaces/default/rolebindings", Binding("ann", "ClusterRole", "view", "ann"));
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(server, ann, "/apis/godwit.dev/v1alpha1/namespaces/default/widgets"));
        await MakeAsync(server, "clusterroles", """{"metadata":{"name":"widgets","labels":{"rbac.authorization.k8s.io/aggregate-to-view":"true"}},"rules":[{"verbs":["list"],"apiGroups":["godwit.dev"],"resources":["widgets"]}]}""");
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, ann, "/apis/godwit.dev/v1alpha1/namespaces/default/widgets"));
    }

    [Fact]
    public async Task Nobody_gives_away_what_they_do_not_have()
    {
        await using var server = await TestServer.StartAsync();
        using var ann = As(server, "ann");
        await MakeAsync(server, "namespaces/default/rolebindings", Binding("ann", "ClusterRole", "admin", "ann"));
        const string Roles = $"{Rbac}/namespaces/default/roles";
        const string Bindings = $"{Rbac}/namespaces/default/rolebindings";
        Assert.Equal(HttpStatusCode.Created, await PostAsync(ann, Roles, """{"metadata":{"name":"less"},"rules":[{"verbs":["get","list"],"apiGroups":[""],"resources":["pods","secrets"]}]}"""));
        Assert.Equal(HttpStatusCode.Created, await PostAsync(ann, Bindings, Binding("less", "Role", "less", "bob")));
        Assert.Equal(HttpStatusCode.Created, await PostAsync(ann, Bindings, Binding("edit", "ClusterRole", "edit", "bob")));

        var (code, refusal) = await server.SendAsync(HttpMethod.Post, Roles, """{"metadata":{"name":"more"},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["nodes"]}]}""", client: ann);
        Assert.Equal(HttpStatusCode.Forbidden, code);
        Assert.Contains("""permissions not currently held: {APIGroups:[""], Resources:["nodes"], Verbs:["get"]}""", (string)refusal["message"]!, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Forbidden, await PostAsync(ann, Bindings, Binding("all", "ClusterRole", "cluster-admin", "ann")));
        Assert.Equal(HttpStatusCode.NotFound, await PostAsync(ann, Bindings, Binding("none", "ClusterRole", "no-such", "ann")));
        Assert.Equal(HttpStatusCode.Forbidden, await PatchAsync(ann, $"{Roles}/less", """{"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}"""));
        Assert.Equal(HttpStatusCode.Forbidden, await PostAsync(ann, $"{Rbac}/clusterrolebindings", Binding("all", "ClusterRole", "view", "ann")));

        await MakeAsync(server, "namespaces/default/roles", """{"metadata":{"name":"binder"},"rules":[{"verbs":["bind"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterroles"],"resourceNames":["cluster-admin"]}]}""");
        await MakeAsync(server, "namespaces/default/rolebindings", Binding("binder", "Role", "binder", "ann"));
        Assert.Equal(HttpStatusCode.Created, await PostAsync(ann, Bindings, Binding("all", "ClusterRole", "cluster-admin", "ann")));

        Task<HttpStatusCode> PostAsync(HttpClient client, string path, string body) => CodeAsync(server.SendAsync(HttpMethod.Post, path, body, client: client));
        Task<HttpStatusCode> PatchAsync(HttpClient client, string path, string body) => CodeAsync(server.SendAsync(HttpMethod.Patch, path, body, MergePatch, client));
    }

    [Fact]
    public async Task The_default_roles_are_completed_at_a_start_and_left_alone_when_told_so()
    {
        await using var server = await TestServer.StartAsync();
        var whole = (await server.GetAsync($"{Rbac}/clusterroles/view")).Body["rules"]!.AsArray().Count;
        await server.SendAsync(HttpMethod.Patch, $"{Rbac}/clusterroles/view", """{"rules":[{"verbs":["get"],"apiGroups":["more"],"resources":["things"]}]}""", MergePatch);
        await server.SendAsync(HttpMethod.Patch, $"{Rbac}/clusterroles/edit", """{"metadata":{"annotations":{"rbac.authorization.kubernetes.io/autoupdate":"false"}},"rules":[]}""", MergePatch);
        await server.SendAsync(HttpMethod.Delete, $"{Rbac}/clusterrolebindings/system:discovery");
        await server.RestartAsync();
        Assert.Equal(whole + 1, (await server.GetAsync($"{Rbac}/clusterroles/view")).Body["rules"]!.AsArray().Count);
        Assert.True((await server.GetAsync($"{Rbac}/clusterroles/edit")).Body["rules"] is null or JsonArray { Count: 0 });
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync($"{Rbac}/clusterrolebindings/system:discovery")).Code);
    }

    [Theory]
    [InlineData("clusterrolebindings", """{"metadata":{"name":"b"},"roleRef":{"kind":"Role","name":"r"}}""", "roleRef.kind: Unsupported value: \"Role\"")]
    [InlineData("clusterrolebindings", """{"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"r"},"subjects":[{"kind":"ServiceAccount","name":"s"}]}""", "subjects[0].namespace: Required value")]
    [InlineData("clusterrolebindings", """{"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"r"},"subjects":[{"kind":"Robot","name":"s"}]}""", "subjects[0].kind: Unsupported value")]
    [InlineData("clusterroles", """{"metadata":{"name":"r"},"rules":[{"verbs":[],"apiGroups":[""],"resources":["pods"]}]}""", "rules[0].verbs: Required value")]
    [InlineData("clusterroles", """{"metadata":{"name":"r"},"rules":[{"verbs":["get"],"resources":["pods"]}]}""", "rules[0].apiGroups: Required value: resource rules must supply at least one api group")]
    [InlineData("namespaces/default/roles", """{"metadata":{"name":"r"},"rules":[{"verbs":["get"],"nonResourceURLs":["/x"]}]}""", "namespaced rules cannot apply to non-resource URLs")]
    [InlineData("clusterroles", """{"metadata":{"name":"a/b"}}""", "metadata.name")]
    public async Task What_would_give_nothing_or_something_else_is_refused(string where, string body, string expected)
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync($"{Rbac}/{where}", body);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Contains(expected, (string)status["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_binding_keeps_its_role_for_good()
    {
        await using var server = await TestServer.StartAsync();
        await MakeAsync(server, "clusterrolebindings", Binding("b", "ClusterRole", "view", "ann"));
        var (code, status) = await server.SendAsync(HttpMethod.Patch, $"{Rbac}/clusterrolebindings/b", """{"roleRef":{"name":"cluster-admin"}}""", MergePatch);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Contains("cannot change roleRef", (string)status["message"]!, StringComparison.Ordinal);
    }

    /// <summary>A user without rights of their own: the administrator, acting as them.</summary>
    private static HttpClient As(TestServer server, string user)
    {
        var client = server.Client("admin");
        client.DefaultRequestHeaders.Add("Impersonate-User", user);
        return client;
    }

    private static string Binding(string name, string kind, string role, string user) =>
        $$$"""{"metadata":{"name":"{{{name}}}"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"{{{kind}}}","name":"{{{role}}}"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"{{{user}}}"}]}""";

    private static async Task MakeAsync(TestServer server, string where, string body)
    {
        var (code, answer) = await server.PostAsync($"{Rbac}/{where}", body);
        Assert.True(code == HttpStatusCode.Created, answer.ToJsonString());
    }

    private static Task<HttpStatusCode> GetAsync(TestServer server, HttpClient client, string path) => CodeAsync(server.SendAsync(HttpMethod.Get, path, client: client));

    private static async Task<HttpStatusCode> CodeAsync(Task<(HttpStatusCode Code, JsonObject Body)> sending) => (await sending).Code;
}
