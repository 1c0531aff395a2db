using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests;

public sealed class PatchAndScaleTests
{
    private const string Widgets = "/apis/godwit.dev/v1alpha1/namespaces/default/widgets";
    private const string Nodes = "/api/v1/nodes";

    [Theory]
    [InlineData("application/json-patch+json", """[{"op":"replace","path":"/spec/size","value":2}]""")]
    [InlineData("application/merge-patch+json", """{"spec":{"size":2}}""")]
    [InlineData("application/strategic-merge-patch+json", """{"spec":{"size":2}}""")]
    public async Task Each_form_of_patch_changes_what_it_names(string type, string patch)
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Widgets, """{"metadata":{"name":"w"},"spec":{"size":1,"replicas":3}}""");
        var (code, patched) = await server.SendAsync(HttpMethod.Patch, Widgets + "/w", patch, type);
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal(2, (int?)patched["spec"]!["size"]);
        Assert.Equal(3, (int?)patched["spec"]!["replicas"]);
        Assert.Equal(2, (int?)patched["metadata"]!["generation"]);
    }

    [Fact]
    public async Task A_strategic_patch_merges_a_list_by_its_key()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Nodes, """{"metadata":{"name":"n"},"spec":{"taints":[{"key":"a","effect":"NoSchedule"}]}}""");
        await server.SendAsync(HttpMethod.Patch, Nodes + "/n/status", """{"status":{"conditions":[{"type":"Ready","status":"True"},{"type":"Other","status":"False"}]}}""", "application/merge-patch+json");
        var (code, patched) = await server.SendAsync(HttpMethod.Patch, Nodes + "/n/status", """{"status":{"conditions":[{"type":"Ready","status":"Unknown"}]}}""", "application/strategic-merge-patch+json");
        Assert.Equal(HttpStatusCode.OK, code);
        var conditions = patched["status"]!["conditions"]!.AsArray().ToDictionary(item => (string)item!["type"]!, item => (string)item!["status"]!);
        Assert.Equal(new Dictionary<string, string> { ["Ready"] = "Unknown", ["Other"] = "False" }, conditions);
    }

    [Theory]
    [InlineData("text/plain", "{}", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("application/json-patch+json", "{}", HttpStatusCode.BadRequest)]
    [InlineData("application/json-patch+json", """[{"op":"explode","path":"/spec"}]""", HttpStatusCode.BadRequest)]
    [InlineData("application/json-patch+json", """[{"op":"test","path":"/spec/size","value":7}]""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("application/merge-patch+json", "[]", HttpStatusCode.BadRequest)]
    [InlineData("application/merge-patch+json", """{"metadata":{"name":"other"}}""", HttpStatusCode.BadRequest)]
    [InlineData("application/merge-patch+json", """{"metadata":{"resourceVersion":"1"}}""", HttpStatusCode.Conflict)]
    [InlineData("application/merge-patch+json", """{"metadata":{"uid":"1"}}""", HttpStatusCode.Conflict)]
    [InlineData("application/merge-patch+json", """{"spec":{"size":"large"}}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("application/strategic-merge-patch+json", """{"spec":{"$patch":"explode"}}""", HttpStatusCode.BadRequest)]
    public async Task A_patch_that_does_not_fit_is_refused_and_changes_nothing(string type, string patch, HttpStatusCode expected)
    {
        await using var server = await TestServer.StartAsync();
        var (_, before) = await server.PostAsync(Widgets, """{"metadata":{"name":"w"},"spec":{"size":1}}""");
        var (code, status) = await server.SendAsync(HttpMethod.Patch, Widgets + "/w", patch, type);
        Assert.True(expected == code, status.ToJsonString());
        Assert.True(JsonNode.DeepEquals(before, (await server.GetAsync(Widgets + "/w")).Body));
    }

    [Fact]
    public async Task Patches_that_race_all_take_effect()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/api/v1/namespaces/default/configmaps", """{"metadata":{"name":"a"}}""");
        var patches = Enumerable.Range(0, 8).Select(number => server.SendAsync(
            HttpMethod.Patch, "/api/v1/namespaces/default/configmaps/a", $$$"""{"data":{"k{{{number}}}":"v"} }""", "application/merge-patch+json"));
        Assert.All(await Task.WhenAll(patches), answer => Assert.Equal(HttpStatusCode.OK, answer.Code));
        Assert.Equal(8, (await server.GetAsync("/api/v1/namespaces/default/configmaps/a")).Body["data"]!.AsObject().Count);
    }

    [Fact]
    public async Task Scale_is_read_and_written_in_its_own_shape_for_a_kind_that_has_it()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Widgets, """{"metadata":{"name":"w"},"spec":{"replicas":3}}""");
        await server.SendAsync(HttpMethod.Patch, Widgets + "/w/status", """{"status":{"replicas":2,"selector":"a=b"}}""", "application/merge-patch+json");
        var (_, scale) = await server.GetAsync(Widgets + "/w/scale");
        Assert.Equal("Scale", (string?)scale["kind"]);
        Assert.Equal((3, 2, "a=b"), ((int)scale["spec"]!["replicas"]!, (int)scale["status"]!["replicas"]!, (string)scale["status"]!["selector"]!));
        var (code, scaled) = await server.SendAsync(HttpMethod.Patch, Widgets + "/w/scale", """{"spec":{"replicas":5}}""", "application/merge-patch+json");
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal(5, (int?)scaled["spec"]!["replicas"]);
        Assert.Equal(HttpStatusCode.Conflict, (await server.SendAsync(HttpMethod.Put, Widgets + "/w/scale", scale.ToJsonString())).Code);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.SendAsync(HttpMethod.Patch, Widgets + "/w/scale", """{"spec":{"replicas":-1}}""", "application/merge-patch+json")).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync("/api/v1/namespaces/default/configmaps/a/scale")).Code);
    }

    [Fact]
    public async Task Unknown_and_duplicate_fields_are_refused_warned_of_or_dropped_as_the_client_asks()
    {
        await using var server = await TestServer.StartAsync();
        const string Body = """{"metadata":{"name":"w"},"spec":{"size":1,"colour":"red","size":2}}""";
        var (strict, status) = await server.PostAsync(Widgets + "?fieldValidation=Strict", Body);
        Assert.Equal(HttpStatusCode.BadRequest, strict);
        Assert.Contains("duplicate field \"spec.size\"", (string)status["message"]!, StringComparison.Ordinal);
        Assert.Contains("unknown field \"spec.colour\"", (string)(await server.PostAsync(Widgets + "?fieldValidation=Strict", """{"metadata":{"name":"w"},"spec":{"colour":"red"}}""")).Body["message"]!, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await server.PostAsync(Widgets + "?fieldValidation=Sometimes", Body)).Code);

        using var request = new HttpRequestMessage(HttpMethod.Post, Widgets) { Content = new StringContent(Body, System.Text.Encoding.UTF8, "application/json") };
        using var response = await server.Admin.SendAsync(request, TestServer.Stopping);
        Assert.Equal(["299 - \"duplicate field \\\"spec.size\\\"\"", "299 - \"unknown field \\\"spec.colour\\\"\""], response.Headers.GetValues("Warning"));
        var made = (await server.GetAsync(Widgets + "/w")).Body;
        Assert.Null(made["spec"]!["colour"]);
        Assert.Equal(2, (int?)made["spec"]!["size"]);
    }

    [Fact]
    public async Task A_field_that_would_change_the_guest_unseen_is_refused_by_its_path()
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync(
            "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances?fieldValidation=Ignore",
            """{"metadata":{"name":"v"},"spec":{"domain":{"devices":{"gpus":[]},"memory":{"guest":"64Mi"}}}}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Equal("spec.domain.devices.gpus", (string?)status["details"]!["causes"]![0]!["field"]);
    }
}
