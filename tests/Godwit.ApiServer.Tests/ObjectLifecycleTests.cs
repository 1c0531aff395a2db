using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests;

public sealed class ObjectLifecycleTests
{
    private const string ConfigMaps = "/api/v1/namespaces/default/configmaps";
    private const string Widgets = "/apis/godwit.dev/v1alpha1/namespaces/default/widgets";

    [Fact]
    public async Task A_created_object_is_read_back_as_it_was_answered()
    {
        await using var server = await TestServer.StartAsync();
        var (code, created) = await server.PostAsync(ConfigMaps, """{"metadata":{"name":"a","labels":{"x":"y"}},"data":{"k":"é\n"}}""");
        Assert.Equal(HttpStatusCode.Created, code);
        Assert.Equal("ConfigMap", (string?)created["kind"]);
        Assert.Equal("v1", (string?)created["apiVersion"]);
        Assert.NotEmpty((string)created["metadata"]!["uid"]!);
        Assert.NotEmpty((string)created["metadata"]!["resourceVersion"]!);
        Assert.EndsWith("Z", (string)created["metadata"]!["creationTimestamp"]!, StringComparison.Ordinal);
        var (_, read) = await server.GetAsync(ConfigMaps + "/a");
        Assert.True(JsonNode.DeepEquals(created, read));
        Assert.Equal("é\n", (string?)read["data"]!["k"]);
    }

    [Fact]
    public async Task A_second_object_of_the_same_name_is_refused_as_AlreadyExists()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(ConfigMaps, """{"metadata":{"name":"a"}}""");
        var (code, status) = await server.PostAsync(ConfigMaps, """{"metadata":{"name":"a"}}""");
        Assert.Equal(HttpStatusCode.Conflict, code);
        Assert.Equal("AlreadyExists", (string?)status["reason"]);
        Assert.Equal("configmaps \"a\" already exists", (string?)status["message"]);
        Assert.Equal("a", (string?)status["details"]!["name"]);
    }

    [Fact]
    public async Task GenerateName_gives_each_object_its_own_name()
    {
        await using var server = await TestServer.StartAsync();
        var (_, first) = await server.PostAsync(ConfigMaps, """{"metadata":{"generateName":"a-"}}""");
        var (_, second) = await server.PostAsync(ConfigMaps, """{"metadata":{"generateName":"a-"}}""");
        Assert.Matches("^a-[a-z0-9]{5}$", (string)first["metadata"]!["name"]!);
        Assert.NotEqual((string?)first["metadata"]!["name"], (string?)second["metadata"]!["name"]);
    }

    [Fact]
    public async Task Of_two_updates_from_the_same_version_the_second_is_a_conflict()
    {
        await using var server = await TestServer.StartAsync();
        var (_, seen) = await server.PostAsync(ConfigMaps, """{"metadata":{"name":"a"},"data":{"k":"0"}}""");
        seen["data"]!["k"] = "1";
        var (first, _) = await server.SendAsync(HttpMethod.Put, ConfigMaps + "/a", seen.ToJsonString());
        seen["data"]!["k"] = "2";
        var (second, status) = await server.SendAsync(HttpMethod.Put, ConfigMaps + "/a", seen.ToJsonString());
        Assert.Equal(HttpStatusCode.OK, first);
        Assert.Equal(HttpStatusCode.Conflict, second);
        Assert.Equal("Conflict", (string?)status["reason"]);
    }

    [Fact]
    public async Task An_update_without_a_version_is_unconditional_and_one_that_changes_nothing_keeps_the_version()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(ConfigMaps, """{"metadata":{"name":"a"},"data":{"k":"0"}}""");
        var (code, updated) = await server.SendAsync(HttpMethod.Put, ConfigMaps + "/a", """{"metadata":{"name":"a"},"data":{"k":"1"}}""");
        Assert.Equal(HttpStatusCode.OK, code);
        var (_, again) = await server.SendAsync(HttpMethod.Put, ConfigMaps + "/a", updated.ToJsonString());
        Assert.Equal((string?)updated["metadata"]!["resourceVersion"], (string?)again["metadata"]!["resourceVersion"]);
    }

    [Fact]
    public async Task Status_and_the_rest_are_written_apart_and_only_the_rest_raises_the_generation()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Widgets, """{"metadata":{"name":"w"},"spec":{"size":1}}""");
        var (_, afterStatus) = await server.SendAsync(HttpMethod.Put, Widgets + "/w/status", """{"metadata":{"name":"w"},"spec":{"size":9},"status":{"phase":"Ready"}}""");
        Assert.Equal(1, (int?)afterStatus["spec"]!["size"]);
        Assert.Equal("Ready", (string?)afterStatus["status"]!["phase"]);
        Assert.Equal(1, (int?)afterStatus["metadata"]!["generation"]);
        var (_, afterSpec) = await server.SendAsync(HttpMethod.Put, Widgets + "/w", """{"metadata":{"name":"w"},"spec":{"size":2},"status":{"phase":"Wrong"}}""");
        Assert.Equal("Ready", (string?)afterSpec["status"]!["phase"]);
        Assert.Equal(2, (int?)afterSpec["metadata"]!["generation"]);
    }

    [Fact]
    public async Task A_deleted_object_is_gone_and_the_answer_says_which_it_was()
    {
        await using var server = await TestServer.StartAsync();
        var (_, created) = await server.PostAsync(ConfigMaps, """{"metadata":{"name":"a"}}""");
        var (code, status) = await server.SendAsync(HttpMethod.Delete, ConfigMaps + "/a");
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal("Success", (string?)status["status"]);
        Assert.Equal((string?)created["metadata"]!["uid"], (string?)status["details"]!["uid"]);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(ConfigMaps + "/a")).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await server.SendAsync(HttpMethod.Delete, ConfigMaps + "/a")).Code);
    }

    [Fact]
    public async Task A_finalizer_holds_a_deleted_object_until_it_is_taken_away()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(ConfigMaps, """{"metadata":{"name":"a","finalizers":["example.org/hold"]}}""");
        var (_, held) = await server.SendAsync(HttpMethod.Delete, ConfigMaps + "/a");
        Assert.NotEmpty((string)held["metadata"]!["deletionTimestamp"]!);
        var (forbidden, _) = await server.SendAsync(HttpMethod.Patch, ConfigMaps + "/a", """{"metadata":{"finalizers":["example.org/hold","example.org/more"]}}""", "application/merge-patch+json");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, forbidden);
        await server.SendAsync(HttpMethod.Patch, ConfigMaps + "/a", """{"metadata":{"finalizers":null}}""", "application/merge-patch+json");
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(ConfigMaps + "/a")).Code);
    }

    [Fact]
    public async Task A_deletion_with_another_uid_or_version_as_precondition_is_a_conflict()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(ConfigMaps, """{"metadata":{"name":"a"}}""");
        foreach (var precondition in new[] { """{"uid":"other"}""", """{"resourceVersion":"1"}""" })
        {
            var (code, status) = await server.SendAsync(HttpMethod.Delete, ConfigMaps + "/a", $$"""{"preconditions":{{precondition}}}""");
            Assert.Equal(HttpStatusCode.Conflict, code);
            Assert.Equal("Conflict", (string?)status["reason"]);
        }
    }

    [Fact]
    public async Task A_dry_run_checks_everything_and_writes_nothing()
    {
        await using var server = await TestServer.StartAsync();
        var (code, answer) = await server.PostAsync(ConfigMaps + "?dryRun=All", """{"metadata":{"name":"a"}}""");
        Assert.Equal(HttpStatusCode.Created, code);
        Assert.NotEmpty((string)answer["metadata"]!["uid"]!);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(ConfigMaps + "/a")).Code);
        await server.PostAsync(ConfigMaps, """{"metadata":{"name":"a"},"data":{"k":"0"}}""");
        await server.SendAsync(HttpMethod.Put, ConfigMaps + "/a?dryRun=All", """{"metadata":{"name":"a"},"data":{"k":"1"}}""");
        await server.SendAsync(HttpMethod.Delete, ConfigMaps + "/a?dryRun=All");
        Assert.Equal("0", (string?)(await server.GetAsync(ConfigMaps + "/a")).Body["data"]!["k"]);
    }

    [Fact]
    public async Task Nothing_is_created_in_a_namespace_that_is_not_there()
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync("/api/v1/namespaces/nowhere/configmaps", """{"metadata":{"name":"a"}}""");
        Assert.Equal(HttpStatusCode.NotFound, code);
        Assert.Equal("namespaces \"nowhere\" not found", (string?)status["message"]);
    }

    [Fact]
    public async Task A_status_may_be_written_without_the_rest_of_its_object()
    {
        await using var server = await TestServer.StartAsync();
        const string Guests = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances";
        await server.PostAsync(Guests, """{"metadata":{"name":"v"},"spec":{"domain":{"devices":{},"memory":{"guest":"64Mi"}}}}""");
        var (code, updated) = await server.SendAsync(HttpMethod.Put, Guests + "/v/status", """{"status":{"phase":"Running"}}""");
        Assert.True(code == HttpStatusCode.OK, updated.ToJsonString());
        Assert.Equal(("Running", "64Mi"), ((string)updated["status"]!["phase"]!, (string)updated["spec"]!["domain"]!["memory"]!["guest"]!));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.SendAsync(HttpMethod.Put, Guests + "/v/status", """{"status":{"conditions":[{"status":"True"}]}}""")).Code);
    }
}
