using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests;

public sealed class NamespaceTests
{
    [Fact]
    public async Task A_deleted_namespace_takes_nothing_new_and_goes_when_its_content_has_gone()
    {
        await using var server = await TestServer.StartAsync();
        using var watch = await server.WatchAsync("/api/v1/namespaces?watch=1&fieldSelector=metadata.name=team");
        await server.PostAsync("/api/v1/namespaces", """{"metadata":{"name":"team"}}""");
        await server.PostAsync("/api/v1/namespaces/team/configmaps", """{"metadata":{"name":"free"}}""");
        await server.PostAsync("/api/v1/namespaces/team/configmaps", """{"metadata":{"name":"held","finalizers":["example.org/hold"]}}""");
        var (code, terminating) = await server.SendAsync(HttpMethod.Delete, "/api/v1/namespaces/team");
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal("Terminating", (string?)terminating["status"]!["phase"]);
        var (refused, status) = await server.PostAsync("/api/v1/namespaces/team/configmaps", """{"metadata":{"name":"late"}}""");
        Assert.Equal(HttpStatusCode.Forbidden, refused);
        Assert.Equal("NamespaceTerminating", (string?)status["details"]!["causes"]![0]!["reason"]);
        await server.SendAsync(HttpMethod.Patch, "/api/v1/namespaces/team/configmaps/held", """{"metadata":{"finalizers":null}}""", "application/merge-patch+json");
        await UntilDeletedAsync(watch);
        Assert.Empty((await server.GetAsync("/api/v1/namespaces/team/configmaps")).Body["items"]!.AsArray());
    }

    [Fact]
    public async Task A_namespace_that_was_being_deleted_goes_on_being_deleted_after_a_restart()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/api/v1/namespaces", """{"metadata":{"name":"team"}}""");
        await server.PostAsync("/api/v1/namespaces/team/configmaps", """{"metadata":{"name":"held","finalizers":["example.org/hold"]}}""");
        await server.SendAsync(HttpMethod.Delete, "/api/v1/namespaces/team");
        await server.RestartAsync();
        using var watch = await server.WatchAsync("/api/v1/namespaces?watch=1&fieldSelector=metadata.name=team");
        await server.SendAsync(HttpMethod.Patch, "/api/v1/namespaces/team/configmaps/held", """{"metadata":{"finalizers":null}}""", "application/merge-patch+json");
        await UntilDeletedAsync(watch);
    }

    [Fact]
    public async Task The_namespaces_of_every_cluster_are_there_and_stay()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal(["default", "kube-node-lease", "kube-public", "kube-system"], ListAndWatchTests.NamesOf((await server.GetAsync("/api/v1/namespaces")).Body));
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Delete, "/api/v1/namespaces/kube-system")).Code);
    }

    [Fact]
    public async Task What_holds_a_namespace_is_not_taken_away_by_an_update()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/api/v1/namespaces", """{"metadata":{"name":"team"}}""");
        var (_, updated) = await server.SendAsync(HttpMethod.Put, "/api/v1/namespaces/team", """{"metadata":{"name":"team","labels":{"a":"b"}},"spec":{"finalizers":[]}}""");
        Assert.Equal("kubernetes", (string?)updated["spec"]!["finalizers"]![0]);
        Assert.Equal("b", (string?)updated["metadata"]!["labels"]!["a"]);
    }

    private static async Task UntilDeletedAsync(WatchReader watch)
    {
        (string Type, JsonObject Object)? seen;
        do
        {
            seen = await watch.NextAsync();
            Assert.NotNull(seen);
        }
        while (seen.Value.Type != "DELETED");
    }
}
