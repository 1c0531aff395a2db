using System.Net;

namespace Godwit.ApiServer.Tests;

public sealed class AccessTests
{
    /// <summary>Who asks is found out once for a connection, and its first requests come at the same time.</summary>
    [Fact]
    public async Task First_requests_of_a_connection_that_come_at_once_are_all_answered()
    {
        await using var server = await TestServer.StartAsync();
        for (var connection = 0; connection < 50; connection++)
        {
            var client = server.Client("admin");
            var answers = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => server.SendAsync(HttpMethod.Get, "/api/v1/namespaces/default", client: client)));
            Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Code));
        }
    }

    [Fact]
    public async Task Nobody_is_served_more_than_health_and_version()
    {
        await using var server = await TestServer.StartAsync();
        using var nobody = server.Client(certificateFile: null);
        foreach (var path in new[] { "/healthz", "/readyz", "/livez", "/version" })
        {
            using var response = await nobody.GetAsync(path, TestServer.Stopping);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        foreach (var path in new[] { "/api", "/metrics", "/api/v1/nodes", "/openapi/v2" })
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await server.SendAsync(HttpMethod.Get, path, client: nobody)).Code);
        }
    }

    [Fact]
    public async Task Credentials_that_are_not_good_are_refused_and_never_count_as_none()
    {
        await using var server = await TestServer.StartAsync();
        using var wrongToken = server.Client(null, "0123456789abcdef0123456789abcdef");
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.SendAsync(HttpMethod.Get, "/version", client: wrongToken)).Code);

        await using var other = await TestServer.StartAsync();
        using var stranger = server.Client(other.CertificateOf("admin"));
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.SendAsync(HttpMethod.Get, "/api/v1/nodes", client: stranger)).Code);
    }

    [Fact]
    public async Task A_bootstrap_token_is_good_for_joining_and_nothing_else()
    {
        await using var server = await TestServer.StartAsync();
        using var bootstrap = server.Client(null, File.ReadAllText(server.Host.BootstrapTokenPath).Trim());
        foreach (var path in new[] { "/api/v1/nodes", "/api/v1/secrets", "/api/v1/namespaces/default/configmaps" })
        {
            var (code, status) = await server.SendAsync(HttpMethod.Get, path, client: bootstrap);
            Assert.Equal(HttpStatusCode.Forbidden, code);
            Assert.Contains("User \"system:bootstrap:godwit\" cannot list resource", (string)status["message"]!, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_controllers_run_everything_but_do_not_sign_certificates()
    {
        await using var server = await TestServer.StartAsync();
        using var controllers = server.Client("controllers");
        Assert.Equal(HttpStatusCode.Created, (await server.SendAsync(HttpMethod.Post, "/api/v1/namespaces/default/configmaps", """{"metadata":{"name":"a"}}""", client: controllers)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Post, "/apis/certificates.k8s.io/v1/certificatesigningrequests", "{}", client: controllers)).Code);
    }

    [Fact]
    public async Task Keys_and_tokens_are_the_owners_alone_and_survive_a_restart()
    {
        await using var server = await TestServer.StartAsync();
        var folder = Path.GetDirectoryName(server.Host.AuthorityPath)!;
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
        var (authority, admin) = (server.Host.AuthorityPem, server.CertificateOf("admin").Thumbprint);
        await server.RestartAsync();
        Assert.Equal(authority, server.Host.AuthorityPem);
        Assert.Equal(admin, server.CertificateOf("admin").Thumbprint);
    }

    [Fact]
    public async Task A_user_learns_who_it_is_and_what_it_may()
    {
        await using var server = await TestServer.StartAsync();
        var (_, who) = await server.PostAsync("/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
        Assert.Equal("kubernetes-admin", (string?)who["status"]!["userInfo"]!["username"]);
        using var controllers = server.Client("controllers");
        foreach (var (resource, group, expected) in new[] { ("nodes", "", true), ("certificatesigningrequests", "certificates.k8s.io", false) })
        {
            var (_, may) = await server.SendAsync(HttpMethod.Post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                $$$$"""{"spec":{"resourceAttributes":{"verb":"create","resource":"{{{{resource}}}}","group":"{{{{group}}}}"}}}""", client: controllers);
            Assert.Equal(expected, (bool?)may["status"]!["allowed"] ?? false);
        }
    }

    [Fact]
    public async Task The_paths_that_a_user_is_told_it_may_read_are_those_it_may_read()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal(["*: *"], await PathRulesAsync(server, client: null));

        using var controllers = server.Client("controllers");
        var told = await PathRulesAsync(server, controllers);
        Assert.All(told, rule => Assert.StartsWith("get,head: ", rule, StringComparison.Ordinal));
        var paths = told.SelectMany(rule => rule["get,head: ".Length..].Split(',')).ToList();
        foreach (var path in new[] { "/", "/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version", "/versions", "/metrics/more", "/logs" })
        {
            var listed = paths.Any(rule => rule.EndsWith('*') ? path.StartsWith(rule[..^1], StringComparison.Ordinal) : path == rule);
            Assert.Equal(listed, await MayGetAsync(server, path, controllers));
            using var response = await controllers.GetAsync(path, TestServer.Stopping);
            Assert.Equal(listed, response.StatusCode != HttpStatusCode.Forbidden);
        }

        Assert.False(await MayGetAsync(server, "/logs", controllers));
        Assert.True(await MayGetAsync(server, "/metrics", controllers));
        Assert.True(await MayGetAsync(server, "/logs", client: null));
    }

    /// <summary>What the server says of the paths that are no resources, a line a rule: its verbs, then its paths.</summary>
    private static async Task<IReadOnlyList<string>> PathRulesAsync(TestServer server, HttpClient? client)
    {
        var (_, rules) = await server.SendAsync(HttpMethod.Post, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", """{"spec":{"namespace":"default"}}""", client: client);
        return [.. rules["status"]!["nonResourceRules"]!.AsArray().Select(rule =>
            $"{string.Join(',', rule!["verbs"]!.AsArray().Select(verb => (string)verb!))}: {string.Join(',', rule["nonResourceURLs"]!.AsArray().Select(path => (string)path!))}")];
    }

    private static async Task<bool> MayGetAsync(TestServer server, string path, HttpClient? client)
    {
        var (_, may) = await server.SendAsync(HttpMethod.Post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            $$$$"""{"spec":{"nonResourceAttributes":{"verb":"get","path":"{{{{path}}}}"}}}""", client: client);
        return (bool?)may["status"]!["allowed"] ?? false;
    }
}
