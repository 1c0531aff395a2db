using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests;

public sealed class SelectionTests
{
    private const string Secrets = "/api/v1/namespaces/default/secrets";

    [Theory]
    [InlineData("labelSelector=shard%3D1", new[] { "a1", "a3" })]
    [InlineData("labelSelector=shard!%3D1", new[] { "a0", "a2", "b" })]
    [InlineData("labelSelector=shard%20in%20(0,1)&limit=1", new[] { "a0", "a1", "a2", "a3" })]
    [InlineData("labelSelector=!shard", new[] { "b" })]
    [InlineData("fieldSelector=metadata.name%3Da2", new[] { "a2" })]
    [InlineData("fieldSelector=metadata.name%3Da", new string[0])] // A prefix of other names.
    [InlineData("fieldSelector=metadata.name!%3Da2&labelSelector=shard%3D0", new[] { "a0" })]
    public async Task A_list_holds_what_its_selectors_match(string query, string[] expected)
    {
        await using var server = await FilledAsync();
        var names = new List<string>();
        var token = "";
        do
        {
            var (code, page) = await server.GetAsync($"{Secrets}?{query}{(token.Length == 0 ? "" : "&continue=" + token)}");
            Assert.Equal(HttpStatusCode.OK, code);
            names.AddRange(ListAndWatchTests.NamesOf(page));
            token = (string?)page["metadata"]!["continue"] ?? "";
        }
        while (token.Length > 0);

        Assert.Equal(expected, names);
    }

    [Theory]
    [InlineData("labelSelector=a%3D%3D%3Db")]
    [InlineData("labelSelector=a%20in%20(")]
    [InlineData("fieldSelector=spec.nothing%3Dx")]
    [InlineData("fieldSelector=nonsense")]
    public async Task A_selector_that_is_none_is_refused(string query)
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal(HttpStatusCode.BadRequest, (await server.GetAsync($"{Secrets}?{query}")).Code);
    }

    [Fact]
    public async Task To_a_watch_with_a_selector_an_object_comes_and_goes_as_it_matches()
    {
        await using var server = await TestServer.StartAsync();
        using var watch = await server.WatchAsync($"{Secrets}?watch=1&labelSelector=on%3Dtrue");
        await server.PostAsync(Secrets, """{"metadata":{"name":"a"}}""");
        await PatchAsync("""{"metadata":{"labels":{"on":"true"}}}""");
        await PatchAsync("""{"data":{"k":"dg=="}}""");
        var (_, left) = await PatchAsync("""{"metadata":{"labels":{"on":"false"}}}""");
        await server.SendAsync(HttpMethod.Delete, Secrets + "/a");
        await server.PostAsync(Secrets, """{"metadata":{"name":"b","labels":{"on":"true"}}}""");

        Assert.Equal(("ADDED", "a"), Short(await watch.NextAsync()));
        Assert.Equal(("MODIFIED", "a"), Short(await watch.NextAsync()));
        var gone = (await watch.NextAsync())!.Value;
        Assert.Equal("DELETED", gone.Type);
        Assert.Equal("true", (string?)gone.Object["metadata"]!["labels"]!["on"]);
        Assert.Equal(ListAndWatchTests.VersionOf(left), ListAndWatchTests.VersionOf(gone.Object));
        Assert.Equal(("ADDED", "b"), Short(await watch.NextAsync()));

        Task<(HttpStatusCode Code, JsonObject Body)> PatchAsync(string patch) => server.SendAsync(HttpMethod.Patch, Secrets + "/a", patch, "application/merge-patch+json");
    }

    [Fact]
    public async Task A_collection_is_deleted_as_far_as_it_matches()
    {
        await using var server = await FilledAsync();
        var (code, _) = await server.SendAsync(HttpMethod.Delete, Secrets + "?labelSelector=shard%3D1");
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal(["a0", "a2", "b"], ListAndWatchTests.NamesOf((await server.GetAsync(Secrets)).Body));
    }

    [Fact]
    public async Task Tables_and_metadata_are_shown_to_who_asks_for_them()
    {
        await using var server = await FilledAsync();
        var table = await AsAsync(server, Secrets + "?limit=2", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
        Assert.Equal("Table", (string?)table["kind"]);
        Assert.Equal(["Name", "Type", "Data", "Age"], table["columnDefinitions"]!.AsArray().Select(column => (string?)column!["name"]));
        Assert.Equal("a0", (string?)table["rows"]![0]!["cells"]![0]);
        Assert.Equal("PartialObjectMetadata", (string?)table["rows"]![0]!["object"]!["kind"]);
        Assert.NotEmpty((string)table["metadata"]!["continue"]!);
        var whole = await AsAsync(server, Secrets + "?includeObject=Object", "application/json;as=Table;v=v1;g=meta.k8s.io");
        Assert.Equal("Secret", (string?)whole["rows"]![0]!["object"]!["kind"]);
        var metadata = await AsAsync(server, Secrets, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io");
        Assert.Equal("PartialObjectMetadataList", (string?)metadata["kind"]);
        Assert.Equal("b", (string?)metadata["items"]![4]!["metadata"]!["name"]);
        Assert.Null(metadata["items"]![4]!["data"]);
        using var watch = await server.WatchAsync(Secrets + "?watch=1", accept: "application/json;as=Table;v=v1;g=meta.k8s.io");
        var seen = (await watch.NextAsync())!.Value;
        Assert.Equal("Table", (string?)seen.Object["kind"]);
        Assert.Equal("a0", (string?)seen.Object["rows"]![0]!["cells"]![0]);
    }

    private static async Task<JsonObject> AsAsync(TestServer server, string path, string accept)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var response = await server.Admin.SendAsync(request, TestServer.Stopping);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync(TestServer.Stopping))!.AsObject();
    }

    private static async Task<TestServer> FilledAsync()
    {
        var server = await TestServer.StartAsync();
        for (var number = 0; number < 4; number++)
        {
            var meta = new JsonObject { ["name"] = $"a{number}", ["labels"] = new JsonObject { ["shard"] = $"{number % 2}" } };
            await server.PostAsync(Secrets, new JsonObject { ["metadata"] = meta }.ToJsonString());
        }

        await server.PostAsync(Secrets, """{"metadata":{"name":"b"}}""");
        return server;
    }

    private static (string Type, string Name) Short((string Type, JsonObject Object)? seen) => (seen!.Value.Type, (string)seen.Value.Object["metadata"]!["name"]!);
}
