using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests;

/// <summary>Server-side apply over HTTP; its rules are tested with the rules.</summary>
public sealed class ServerSideApplyTests
{
    private const string Type = "application/apply-patch+yaml";
    private const string Settings = "/api/v1/namespaces/default/configmaps/c";
    private const string Widget = "/apis/godwit.dev/v1alpha1/namespaces/default/widgets/w";

    [Fact]
    public async Task An_apply_makes_the_object_and_then_changes_what_it_says()
    {
        await using var server = await TestServer.StartAsync();

        var (first, made) = await ApplyAsync(server, Settings, "data:\n  a: '1'\n  b: \"2\"\n");
        var (second, changed) = await ApplyAsync(server, Settings, """{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"3"}}""");
        var (third, same) = await ApplyAsync(server, Settings, """{"data":{"a":"3"}}""");

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK, HttpStatusCode.OK), (first, second, third));
        Assert.Equal("""{"a":"1","b":"2"}""", made["data"]!.ToJsonString());
        Assert.Equal("""{"a":"3"}""", changed["data"]!.ToJsonString());
        Assert.True(JsonNode.DeepEquals(changed, same), $"{changed} {same}");
    }

    [Fact]
    public async Task A_conflict_names_each_field_and_its_manager_as_a_cause()
    {
        await using var server = await TestServer.StartAsync();
        await server.SendAsync(HttpMethod.Post, "/api/v1/namespaces/default/configmaps?fieldManager=maker", """{"metadata":{"name":"c"},"data":{"a":"1","b":"2"}}""");

        var (code, status) = await ApplyAsync(server, Settings, """{"data":{"a":"9","c":"3"}}""");
        var (forced, taken) = await ApplyAsync(server, Settings, """{"data":{"a":"9","c":"3"}}""", "&force=true");

        Assert.Equal((HttpStatusCode.Conflict, "Conflict"), (code, (string?)status["reason"]));
        var cause = Assert.Single(status["details"]!["causes"]!.AsArray())!;
        Assert.Equal(("FieldManagerConflict", "conflict with \"maker\" using v1", ".data.a"), ((string?)cause["reason"], (string?)cause["message"], (string?)cause["field"]));
        Assert.Equal((HttpStatusCode.OK, """{"a":"9","b":"2","c":"3"}"""), (forced, taken["data"]!.ToJsonString()));
    }

    [Fact]
    public async Task Every_write_is_remembered_by_the_name_that_its_client_gives_or_its_program_has()
    {
        await using var server = await TestServer.StartAsync();
        server.Admin.DefaultRequestHeaders.UserAgent.ParseAdd("robot/7.1");
        await server.PostAsync("/apis/godwit.dev/v1alpha1/namespaces/default/widgets", """{"metadata":{"name":"w"},"spec":{"size":1,"replicas":1}}""");
        await server.SendAsync(HttpMethod.Patch, Widget + "?fieldManager=hand", """{"spec":{"size":2}}""", "application/merge-patch+json");
        await server.SendAsync(HttpMethod.Patch, Widget + "/status?fieldManager=eye", """{"status":{"replicas":1}}""", "application/merge-patch+json");
        var (_, scaled) = await server.SendAsync(HttpMethod.Patch, Widget + "/scale?fieldManager=scaler", """{"spec":{"replicas":5}}""", "application/merge-patch+json");
        Assert.Equal(5, (int?)scaled["spec"]!["replicas"]);

        var entries = (await server.GetAsync(Widget)).Body["metadata"]!["managedFields"]!.AsArray().Select(entry => $"{entry!["manager"]} {entry["operation"]} {entry["subresource"]} {entry["fieldsV1"]!.ToJsonString()}");
        Assert.Equal(
            [
                """eye Update status {"f:status":{".":{},"f:replicas":{}}}""",
                """hand Update  {"f:spec":{"f:size":{}}}""",
                """robot Update  {"f:spec":{}}""",
                """scaler Update scale {"f:spec":{"f:replicas":{}}}""",
            ],
            entries.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_status_is_applied_through_its_own_path_and_only_there()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal(HttpStatusCode.NotFound, (await ApplyAsync(server, Widget + "/status", """{"status":{"replicas":1}}""")).Code);
        await ApplyAsync(server, Widget, """{"spec":{"size":1},"status":{"replicas":7}}""");
        var (code, applied) = await ApplyAsync(server, Widget + "/status", """{"spec":{"size":9},"status":{"replicas":2}}""");

        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal((1, 2), ((int)applied["spec"]!["size"]!, (int)applied["status"]!["replicas"]!));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await ApplyAsync(server, Widget + "/scale", """{"spec":{"replicas":2}}""")).Code);
    }

    [Fact]
    public async Task A_dry_run_answers_and_changes_nothing()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal(HttpStatusCode.Created, (await ApplyAsync(server, Settings, """{"data":{"a":"1"}}""", "&dryRun=All")).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(Settings)).Code);
        var (_, made) = await ApplyAsync(server, Settings, """{"data":{"a":"1"}}""");
        Assert.Equal("2", (string?)(await ApplyAsync(server, Settings, """{"data":{"a":"2"}}""", "&dryRun=All")).Body["data"]!["a"]);
        Assert.True(JsonNode.DeepEquals(made, (await server.GetAsync(Settings)).Body));
    }

    [Fact]
    public async Task Those_who_apply_at_once_all_take_effect()
    {
        await using var server = await TestServer.StartAsync();
        var applies = Enumerable.Range(0, 8).Select(number => ApplyAsync(server, Settings, $$$"""{"data":{"k{{{number}}}":"v"} }""", manager: $"m{number}"));
        Assert.All(await Task.WhenAll(applies), answer => Assert.True((int)answer.Code is 200 or 201, answer.Body.ToJsonString()));
        var stored = (await server.GetAsync(Settings)).Body;
        Assert.Equal((8, 8), (stored["data"]!.AsObject().Count, stored["metadata"]!["managedFields"]!.AsArray().Count));
    }

    [Fact]
    public async Task Managed_fields_may_be_rewritten_or_given_up_by_any_other_write()
    {
        await using var server = await TestServer.StartAsync();
        await ApplyAsync(server, Settings, """{"data":{"a":"1"}}""");
        var (code, renamed) = await server.SendAsync(HttpMethod.Patch, Settings, """[{"op":"replace","path":"/metadata/managedFields/0/manager","value":"other"}]""", "application/json-patch+json");
        Assert.Equal((HttpStatusCode.OK, "other"), (code, (string?)renamed["metadata"]!["managedFields"]![0]!["manager"]));
        var (_, bare) = await server.SendAsync(HttpMethod.Patch, Settings, """{"metadata":{"managedFields":[{}]}}""", "application/merge-patch+json");
        Assert.Null(bare["metadata"]!["managedFields"]);
        var (refused, status) = await server.SendAsync(HttpMethod.Patch, Settings, """{"metadata":{"managedFields":[{"manager":"x","operation":"Apply","fieldsV1":{"?":{}}}]}}""", "application/merge-patch+json");
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "metadata.managedFields"), (refused, (string?)status["details"]!["causes"]![0]!["field"]));
    }

    [Theory]
    [InlineData("", """{"data":{"a":"1"}}""", HttpStatusCode.UnprocessableEntity, "fieldManager: Required value")]
    [InlineData("?fieldManager=%07", """{"data":{"a":"1"}}""", HttpStatusCode.UnprocessableEntity, "must be printable")]
    [InlineData("?fieldManager=me&force=maybe", """{"data":{"a":"1"}}""", HttpStatusCode.BadRequest, "force")]
    [InlineData("?fieldManager=me", "[]", HttpStatusCode.BadRequest, "must be")]
    [InlineData("?fieldManager=me", "{", HttpStatusCode.BadRequest, "not YAML")]
    [InlineData("?fieldManager=me", "a: &x 1\nb: *x\n", HttpStatusCode.BadRequest, "alias")]
    [InlineData("?fieldManager=me", """{"metadata":{"managedFields":[]}}""", HttpStatusCode.BadRequest, "managedFields")]
    [InlineData("?fieldManager=me", """{"metadata":{"name":"other"}}""", HttpStatusCode.BadRequest, "does not match")]
    [InlineData("?fieldManager=me", """{"kind":"Secret"}""", HttpStatusCode.BadRequest, "kind")]
    [InlineData("?fieldManager=me", """{"metadata":{"uid":"1"}}""", HttpStatusCode.Conflict, "no object exists")]
    [InlineData("?fieldManager=me", """{"data":{"a":1}}""", HttpStatusCode.UnprocessableEntity, "must be a string")]
    [InlineData("?fieldManager=me&fieldValidation=Strict", """{"colour":"red"}""", HttpStatusCode.BadRequest, "unknown field")]
    [InlineData("?fieldManager=me&fieldValidation=Strict", """{"data":{"a":"1","a":"2"}}""", HttpStatusCode.BadRequest, "duplicate field")]
    [InlineData("?fieldManager=me", """{"metadata":{"ownerReferences":[{"name":"x"}]}}""", HttpStatusCode.UnprocessableEntity, "metadata.ownerReferences[0].uid")]
    public async Task An_apply_that_does_not_fit_is_refused_and_makes_nothing(string query, string body, HttpStatusCode expected, string says)
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.SendAsync(HttpMethod.Patch, Settings + query, body, Type);
        Assert.True(expected == code, status.ToJsonString());
        Assert.Contains(says, (string)status["message"]!, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(Settings)).Code);
    }

    [Fact]
    public async Task Only_an_apply_may_be_forced()
    {
        await using var server = await TestServer.StartAsync();
        await ApplyAsync(server, Settings, """{"data":{"a":"1"}}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.SendAsync(HttpMethod.Patch, Settings + "?force=true", "{}", "application/merge-patch+json")).Code);
    }

    [Fact]
    public async Task Who_may_change_but_not_make_an_object_cannot_make_it_by_an_apply()
    {
        await using var server = await TestServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Patch, "/apis/godwit.dev/v1alpha1/namespaces/default/forecasts/f?fieldManager=me") { Content = new StringContent("{}") };
        request.Content.Headers.ContentType = new(Type);
        request.Headers.Add("Impersonate-User", "system:node:n1");
        request.Headers.Add("Impersonate-Group", "system:nodes");
        using var response = await server.Admin.SendAsync(request, TestServer.Stopping);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Contains("cannot create resource", await response.Content.ReadAsStringAsync(TestServer.Stopping), StringComparison.Ordinal);
    }

    private static Task<(HttpStatusCode Code, JsonObject Body)> ApplyAsync(TestServer server, string path, string config, string more = "", string manager = "me") =>
        server.SendAsync(HttpMethod.Patch, $"{path}?fieldManager={manager}{more}", config, Type);
}
