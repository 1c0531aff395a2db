using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests;

public sealed class ListAndWatchTests
{
    private const string Secrets = "/api/v1/namespaces/default/secrets";

    [Fact]
    public async Task Pages_of_a_list_show_one_version_and_every_object_once()
    {
        await using var server = await TestServer.StartAsync();
        for (var number = 0; number < 7; number++)
        {
            await server.PostAsync(Secrets, $$$"""{"metadata":{"name":"a{{{number}}}"}}""");
        }

        var (_, first) = await server.GetAsync(Secrets + "?limit=3");
        Assert.Equal(4, (int?)first["metadata"]!["remainingItemCount"]);
        await server.SendAsync(HttpMethod.Delete, Secrets + "/a6");
        var names = NamesOf(first);
        var (page, remaining) = (first, new List<int?>());
        while ((string?)page["metadata"]!["continue"] is { Length: > 0 } token)
        {
            (_, page) = await server.GetAsync($"{Secrets}?limit=3&continue={token}");
            Assert.Equal((string?)first["metadata"]!["resourceVersion"], (string?)page["metadata"]!["resourceVersion"]);
            names.AddRange(NamesOf(page));
            remaining.Add((int?)page["metadata"]!["remainingItemCount"]);
        }

        Assert.Equal(["a0", "a1", "a2", "a3", "a4", "a5", "a6"], names);
        Assert.Equal([1, null], remaining);
    }

    [Fact]
    public async Task A_list_across_namespaces_sees_them_all_and_one_of_a_namespace_only_its_own()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Secrets, """{"metadata":{"name":"a"}}""");
        await server.PostAsync("/api/v1/namespaces/kube-system/secrets", """{"metadata":{"name":"b"}}""");
        Assert.Equal(["a", "b"], NamesOf((await server.GetAsync("/api/v1/secrets")).Body));
        Assert.Equal(["a"], NamesOf((await server.GetAsync(Secrets)).Body));
    }

    [Fact]
    public async Task A_continue_token_of_a_compacted_version_is_answered_410_Expired()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Secrets, """{"metadata":{"name":"a"}}""");
        await server.PostAsync(Secrets, """{"metadata":{"name":"b"}}""");
        var (_, page) = await server.GetAsync(Secrets + "?limit=1");
        await server.PostAsync(Secrets, """{"metadata":{"name":"c"}}""");
        await server.Store.CompactAsync(await server.Store.GetCurrentRevisionAsync(TestServer.Stopping), TestServer.Stopping);
        var (code, status) = await server.GetAsync($"{Secrets}?limit=1&continue={(string?)page["metadata"]!["continue"]}");
        Assert.Equal(HttpStatusCode.Gone, code);
        Assert.Equal("Expired", (string?)status["reason"]);
    }

    [Theory]
    [InlineData("continue=garbage", HttpStatusCode.BadRequest)]
    [InlineData("continue=MSA1IGNvcmUvc2VjcmV0cy9h", HttpStatusCode.BadRequest)] // A token for secrets.
    [InlineData("limit=-1", HttpStatusCode.BadRequest)]
    [InlineData("resourceVersion=abc", HttpStatusCode.BadRequest)]
    [InlineData("resourceVersion=999999", HttpStatusCode.GatewayTimeout)]
    [InlineData("resourceVersion=0&resourceVersionMatch=Exact", HttpStatusCode.BadRequest)]
    [InlineData("resourceVersionMatch=NotOlderThan", HttpStatusCode.BadRequest)]
    [InlineData("watch=true&sendInitialEvents=true", HttpStatusCode.BadRequest)]
    public async Task A_list_query_that_makes_no_sense_is_refused(string query, HttpStatusCode expected)
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal(expected, (await server.GetAsync($"{Secrets}?{query}")).Code);
    }

    [Fact]
    public async Task A_watch_from_a_version_sees_every_change_after_it_in_order()
    {
        await using var server = await TestServer.StartAsync();
        var (_, list) = await server.GetAsync(Secrets);
        using var watch = await server.WatchAsync($"{Secrets}?watch=true&resourceVersion={(string?)list["metadata"]!["resourceVersion"]}");
        var (_, created) = await server.PostAsync(Secrets, """{"metadata":{"name":"a"},"data":{"k":"MA=="}}""");
        var (_, updated) = await server.SendAsync(HttpMethod.Put, Secrets + "/a", """{"metadata":{"name":"a"},"data":{"k":"MQ=="}}""");
        await server.SendAsync(HttpMethod.Delete, Secrets + "/a");
        AssertEvent(await watch.NextAsync(), "ADDED", created);
        AssertEvent(await watch.NextAsync(), "MODIFIED", updated);
        var last = (await watch.NextAsync())!.Value;
        Assert.Equal("DELETED", last.Type);
        Assert.Equal("MQ==", (string?)last.Object["data"]!["k"]);
        Assert.True(VersionOf(last.Object) > VersionOf(updated));
    }

    [Fact]
    public async Task A_watch_without_a_version_begins_with_what_is_there()
    {
        await using var server = await TestServer.StartAsync();
        var (_, created) = await server.PostAsync(Secrets, """{"metadata":{"name":"a"}}""");
        using var watch = await server.WatchAsync(Secrets + "?watch=1");
        AssertEvent(await watch.NextAsync(), "ADDED", created);
        var (_, second) = await server.PostAsync(Secrets, """{"metadata":{"name":"b"}}""");
        AssertEvent(await watch.NextAsync(), "ADDED", second);
    }

    [Fact]
    public async Task A_streaming_list_marks_the_end_of_what_is_there()
    {
        await using var server = await TestServer.StartAsync();
        var (_, created) = await server.PostAsync(Secrets, """{"metadata":{"name":"a"}}""");
        using var watch = await server.WatchAsync(Secrets + "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
        AssertEvent(await watch.NextAsync(), "ADDED", created);
        var mark = (await watch.NextAsync())!.Value;
        Assert.Equal("BOOKMARK", mark.Type);
        Assert.Equal("Secret", (string?)mark.Object["kind"]);
        Assert.Equal("true", (string?)mark.Object["metadata"]!["annotations"]!["k8s.io/initial-events-end"]);
        Assert.True(VersionOf(mark.Object) >= VersionOf(created));
    }

    [Fact]
    public async Task A_watch_from_a_compacted_version_gets_an_Expired_error_event()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Secrets, """{"metadata":{"name":"a"}}""");
        await server.PostAsync(Secrets, """{"metadata":{"name":"b"}}""");
        await server.Store.CompactAsync(await server.Store.GetCurrentRevisionAsync(TestServer.Stopping), TestServer.Stopping);
        using var watch = await server.WatchAsync(Secrets + "?watch=1&resourceVersion=1");
        var error = (await watch.NextAsync())!.Value;
        Assert.Equal("ERROR", error.Type);
        Assert.Equal(410, (int?)error.Object["code"]);
        Assert.Null(await watch.NextAsync());
    }

    [Fact]
    public async Task A_watch_ends_after_its_timeout_with_a_bookmark_of_how_far_it_saw()
    {
        await using var server = await TestServer.StartAsync();
        using var watch = await server.WatchAsync(Secrets + "?watch=1&resourceVersion=1&timeoutSeconds=1&allowWatchBookmarks=true");
        var mark = (await watch.NextAsync())!.Value;
        Assert.Equal("BOOKMARK", mark.Type);
        Assert.Equal(await server.Store.GetCurrentRevisionAsync(TestServer.Stopping), VersionOf(mark.Object));
        Assert.Null(await watch.NextAsync());
    }

    [Fact]
    public async Task A_stopping_server_ends_its_watches()
    {
        var server = await TestServer.StartAsync();
        using var watch = await server.WatchAsync(Secrets + "?watch=1");
        await server.DisposeAsync();
        Assert.Null(await watch.NextAsync());
    }

    internal static List<string> NamesOf(JsonObject list) => [.. list["items"]!.AsArray().Select(item => (string)item!["metadata"]!["name"]!)];

    internal static long VersionOf(JsonObject resource) => long.Parse((string)resource["metadata"]!["resourceVersion"]!, System.Globalization.CultureInfo.InvariantCulture);

    private static void AssertEvent((string Type, JsonObject Object)? seen, string type, JsonObject expected)
    {
        Assert.NotNull(seen);
        Assert.Equal(type, seen.Value.Type);
        Assert.True(JsonNode.DeepEquals(expected, seen.Value.Object), seen.Value.Object.ToJsonString());
    }
}
