using System.Net;

namespace Godwit.ApiServer.Tests;

public sealed class ReviewTests
{
    private const string Authorization = "/apis/authorization.k8s.io/v1";
    private const string TokenReviews = "/apis/authentication.k8s.io/v1/tokenreviews";

    [Theory]
    [InlineData("system:node:a", "system:nodes", "list", "nodes", "", true)]
    [InlineData("system:node:a", "system:nodes", "delete", "namespaces", "", false)]
    [InlineData("somebody", "system:masters", "delete", "secrets", "default", true)]
    [InlineData("somebody", "system:authenticated", "list", "secrets", "default", false)]
    public async Task Who_may_do_what_is_told_to_who_may_ask(string user, string group, string verb, string resource, string namespaceName, bool isAllowed)
    {
        await using var server = await TestServer.StartAsync();
        var asked = $$"""{"spec":{"user":"{{user}}","groups":["{{group}}"],"resourceAttributes":{"verb":"{{verb}}","resource":"{{resource}}","namespace":"{{namespaceName}}"} } }""";

        var (code, review) = await server.SendAsync(HttpMethod.Post, $"{Authorization}/subjectaccessreviews", asked);

        Assert.Equal(HttpStatusCode.Created, code);
        Assert.Equal(isAllowed, (bool?)review["status"]!["allowed"] ?? false);
    }

    [Fact]
    public async Task A_question_about_a_namespace_is_about_the_one_that_it_is_asked_in()
    {
        await using var server = await TestServer.StartAsync();
        const string asked = """{"spec":{"user":"somebody","groups":["system:masters"],"resourceAttributes":{"verb":"get","resource":"secrets","namespace":"default"} } }""";

        var (code, review) = await server.SendAsync(HttpMethod.Post, $"{Authorization}/namespaces/default/localsubjectaccessreviews", asked);
        Assert.Equal(HttpStatusCode.Created, code);
        Assert.True((bool)review["status"]!["allowed"]!);

        var (refused, status) = await server.SendAsync(HttpMethod.Post, $"{Authorization}/namespaces/kube-system/localsubjectaccessreviews", asked);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused);
        Assert.Equal("spec.resourceAttributes.namespace", (string)status["details"]!["causes"]![0]!["field"]!);
    }

    [Theory]
    [InlineData("""{"spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}}""", "spec.user")]
    [InlineData("""{"spec":{"user":"somebody"}}""", "spec")]
    [InlineData("""{"spec":{"user":"somebody","resourceAttributes":{},"nonResourceAttributes":{}}}""", "spec")]
    public async Task A_question_without_a_person_or_a_deed_is_refused_by_its_path(string asked, string field)
    {
        await using var server = await TestServer.StartAsync();

        var (code, status) = await server.SendAsync(HttpMethod.Post, $"{Authorization}/subjectaccessreviews", asked);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Equal(field, (string)status["details"]!["causes"]![0]!["field"]!);
    }

    [Fact]
    public async Task Whose_token_it_is_is_told_without_the_token()
    {
        await using var server = await TestServer.StartAsync();
        var token = File.ReadAllText(server.Host.BootstrapTokenPath).Trim();

        var (code, review) = await server.SendAsync(HttpMethod.Post, TokenReviews, $$"""{"spec":{"token":"{{token}}"} }""");
        Assert.Equal(HttpStatusCode.Created, code);
        Assert.True((bool)review["status"]!["authenticated"]!);
        Assert.Equal("system:bootstrap:godwit", (string)review["status"]!["user"]!["username"]!);
        Assert.DoesNotContain(token, review.ToJsonString(), StringComparison.Ordinal);

        foreach (var nobodys in new[] { """{"spec":{"token":"0123456789abcdef0123456789abcdef"}}""", """{"spec":{}}""", $$"""{"spec":{"token":"{{token}}","audiences":["elsewhere"]} }""" })
        {
            var (_, other) = await server.SendAsync(HttpMethod.Post, TokenReviews, nobodys);
            Assert.False((bool?)other["status"]?["authenticated"] ?? false);
            Assert.Null(other["status"]?["user"]);
        }
    }

    [Fact]
    public async Task Who_has_no_right_to_ask_is_told_nothing_of_others()
    {
        await using var server = await TestServer.StartAsync();
        using var bootstrap = server.Client(null, File.ReadAllText(server.Host.BootstrapTokenPath).Trim());
        foreach (var path in new[] { $"{Authorization}/subjectaccessreviews", $"{Authorization}/namespaces/default/localsubjectaccessreviews", TokenReviews })
        {
            Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Post, path, """{"spec":{"user":"somebody"}}""", client: bootstrap)).Code);
        }
    }
}
