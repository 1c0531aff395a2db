using System.Net;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests;

/// <summary>What the server itself does with pods: what nodes do with them is elsewhere.</summary>
public sealed class PodTests
{
    private const string Pods = "/api/v1/namespaces/default/pods";
    private const string Guests = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances";

    [Fact]
    public async Task A_pod_is_bound_once_and_then_does_not_vanish_before_its_agent_lets_go()
    {
        await using var server = await TestServer.StartAsync();
        await CreateAsync(server, "p");
        Assert.Equal(HttpStatusCode.Created, await BindAsync(server, "p", "n1"));
        Assert.Equal(HttpStatusCode.Conflict, await BindAsync(server, "p", "n2"));

        var (code, marked) = await server.SendAsync(HttpMethod.Delete, Pods + "/p");

        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal("n1", (string?)marked["spec"]!["nodeName"]);
        Assert.NotNull(marked["metadata"]!["deletionTimestamp"]);
        Assert.Equal(30, (int)marked["metadata"]!["deletionGracePeriodSeconds"]!);
        await server.SendAsync(HttpMethod.Patch, Pods + "/p", """{"metadata":{"finalizers":null}}""", "application/merge-patch+json");
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(Pods + "/p")).Code);
    }

    [Fact]
    public async Task A_binding_sets_the_node_says_that_the_pod_is_scheduled_and_makes_nobody_the_manager_of_it()
    {
        await using var server = await TestServer.StartAsync();
        await CreateAsync(server, "p");
        var (_, made) = await server.GetAsync(Pods + "/p");

        Assert.Equal(HttpStatusCode.Created, await BindAsync(server, "p", "n1"));

        var (_, bound) = await server.GetAsync(Pods + "/p");
        Assert.Equal("n1", (string?)bound["spec"]!["nodeName"]);
        Assert.Equal((long)made["metadata"]!["generation"]! + 1, (long)bound["metadata"]!["generation"]!);
        Assert.Equal(["PodScheduled True"], bound["status"]!["conditions"]!.AsArray().Select(condition => $"{condition!["type"]} {condition["status"]}"));
        Assert.True(JsonNode.DeepEquals(made["metadata"]!["managedFields"], bound["metadata"]!["managedFields"]));
        bound["spec"]!.AsObject().Remove("nodeName");
        Assert.True(JsonNode.DeepEquals(made["spec"], bound["spec"]));
    }

    [Theory]
    [InlineData("""{"target":{"kind":"Node","name":"../n1"}}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"target":{"kind":"Node","name":""}}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"target":{"kind":"Pod","name":"n1"}}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"metadata":{"name":"q"},"target":{"kind":"Node","name":"n1"}}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"metadata":{"uid":"00000000-0000-0000-0000-000000000000"},"target":{"kind":"Node","name":"n1"}}""", HttpStatusCode.Conflict)]
    public async Task A_binding_that_names_no_node_or_another_pod_is_refused_and_changes_nothing(string binding, HttpStatusCode expected)
    {
        await using var server = await TestServer.StartAsync();
        await CreateAsync(server, "p");
        var (_, made) = await server.GetAsync(Pods + "/p");

        Assert.Equal(expected, (await server.PostAsync(Pods + "/p/binding", binding)).Code);

        Assert.True(JsonNode.DeepEquals(made, (await server.GetAsync(Pods + "/p")).Body));
    }

    [Fact]
    public async Task A_pod_that_was_never_bound_goes_at_once_and_is_not_bound_any_more()
    {
        await using var server = await TestServer.StartAsync();
        await CreateAsync(server, "p");
        Assert.Equal(HttpStatusCode.Created, (await server.PostAsync(Pods + "/p/eviction", """{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}}""")).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(Pods + "/p")).Code);
        Assert.Equal(HttpStatusCode.NotFound, await BindAsync(server, "p", "n1"));
    }

    [Fact]
    public async Task Containers_to_look_into_a_pod_are_added_through_their_subresource_which_changes_nothing_else()
    {
        await using var server = await TestServer.StartAsync();
        await CreateAsync(server, "p");
        var (code, changed) = await server.SendAsync(
            HttpMethod.Patch, Pods + "/p/ephemeralcontainers", """{"metadata":{"labels":{"a":"b"}},"spec":{"ephemeralContainers":[{"name":"look","image":"busybox"}]}}""", "application/strategic-merge-patch+json");
        Assert.True(code == HttpStatusCode.OK, changed.ToJsonString());
        Assert.Equal("look", (string?)changed["spec"]!["ephemeralContainers"]![0]!["name"]);
        Assert.Null(changed["metadata"]!["labels"]);
    }

    [Fact]
    public async Task What_is_not_supported_is_refused_by_its_path()
    {
        await using var server = await TestServer.StartAsync();
        var (code, status) = await server.PostAsync(Pods, """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","resizePolicy":[]}]}}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, code);
        Assert.Equal("spec.containers[0].resizePolicy", (string?)status["details"]!["causes"]![0]!["field"]);
    }

    [Fact]
    public async Task Log_and_exec_say_what_is_missing()
    {
        await using var server = await TestServer.StartAsync();
        await CreateAsync(server, "p");
        var (code, status) = await server.GetAsync(Pods + "/p/log");
        Assert.Equal(HttpStatusCode.BadRequest, code);
        Assert.Contains("does not have a host assigned", (string?)status["message"], StringComparison.Ordinal);
        await BindAsync(server, "p", "gone");
        Assert.Contains("there is no Node \"gone\"", (string?)(await server.GetAsync(Pods + "/p/log")).Body["message"], StringComparison.Ordinal);
        Assert.Contains("container x is not valid", (string?)(await server.GetAsync(Pods + "/p/exec?container=x")).Body["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_comes_from_the_agent_of_the_pods_node()
    {
        await using var server = await TestServer.StartAsync();
        await using var agent = await FakeAgent.StartAsync(await NodeJoinTests.CertificateAsync(server, "n1"));
        agent.LogMayEnd.SetResult();
        await server.PostAsync("/api/v1/nodes", $$"""{"metadata":{"name":"n1","annotations":{"godwit.dev/agent-endpoint":"127.0.0.1:{{agent.Port}}"} } }""");
        await CreateAsync(server, "p");
        await BindAsync(server, "p", "n1");

        var log = await server.Admin.GetStringAsync(Pods + "/p/log?tailLines=1", TestServer.Stopping);

        var uid = (string)(await server.GetAsync(Pods + "/p")).Body["metadata"]!["uid"]!;
        Assert.StartsWith("first", log, StringComparison.Ordinal);
        Assert.Equal([$"GET /pod/{uid}/log?tailLines=1&container=c"], agent.Requests);
    }

    [Fact]
    public async Task A_node_shows_people_its_guests_beside_its_pods_and_agents_its_pods_alone()
    {
        await using var server = await TestServer.StartAsync();
        await CreateAsync(server, "p");
        await BindAsync(server, "p", "n1");
        await server.PostAsync(Guests, """{"metadata":{"name":"v"},"spec":{"domain":{"devices":{},"memory":{"guest":"64Mi"}}}}""");
        await server.SendAsync(HttpMethod.Patch, Guests + "/v/status", """{"status":{"nodeName":"n1","phase":"Running"}}""", "application/merge-patch+json");
        const string onNode = "/api/v1/pods?fieldSelector=spec.nodeName=n1";
        using var agent = server.Client(await NodeJoinTests.CertificateAsync(server, "n1"));

        Assert.Equal(["p", "virt-launcher-v"], ListAndWatchTests.NamesOf((await server.GetAsync(onNode)).Body));
        Assert.Equal(["p"], ListAndWatchTests.NamesOf((await server.SendAsync(HttpMethod.Get, onNode, client: agent)).Body));
        Assert.Equal(["p"], ListAndWatchTests.NamesOf((await server.GetAsync("/api/v1/pods")).Body));
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync(Pods + "/virt-launcher-v")).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await server.SendAsync(HttpMethod.Delete, Pods + "/virt-launcher-v")).Code);
    }

    [Fact]
    public async Task A_guest_whose_pod_is_evicted_is_moved_away_and_the_eviction_is_held_back_until_it_has_left()
    {
        await using var server = await TestServer.StartAsync();
        const string moves = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancemigrations";
        await RunGuestAsync(server, "v", "{}");

        Assert.Equal(HttpStatusCode.TooManyRequests, (await EvictAsync(server, "virt-launcher-v")).Code);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await EvictAsync(server, "virt-launcher-v")).Code);

        Assert.Equal("n1", (string?)(await server.GetAsync(Guests + "/v")).Body["status"]!["evacuationNodeName"]);
        var made = Assert.Single((await server.GetAsync(moves)).Body["items"]!.AsArray())!; // One, however often it is asked.
        Assert.Equal("v", (string?)made["spec"]!["vmiName"]);
        var path = $"{moves}/{made["metadata"]!["name"]}";

        await server.SendAsync(HttpMethod.Patch, path + "/status", """{"status":{"phase":"Failed","migrationState":{"failed":true,"failureReason":"no room","endTimestamp":"2020-01-01T00:00:00Z"} } }""", "application/merge-patch+json");
        Assert.Equal(HttpStatusCode.TooManyRequests, (await EvictAsync(server, "virt-launcher-v")).Code);
        var again = Assert.Single((await server.GetAsync(moves)).Body["items"]!.AsArray())!; // Another, in place of the one that failed long ago.
        Assert.NotEqual((string?)made["metadata"]!["uid"], (string?)again["metadata"]!["uid"]);

        await SetGuestStatusAsync(server, "v", """{"nodeName":"n2"}""");
        Assert.Equal(HttpStatusCode.NotFound, (await EvictAsync(server, "virt-launcher-v")).Code); // The pod that was on n1 is gone.
        Assert.Null((await server.GetAsync(Guests + "/v")).Body["status"]!["evacuationNodeName"]);
    }

    [Fact]
    public async Task A_guest_that_has_left_is_not_moved_once_more_by_its_eviction_while_its_new_node_has_not_said_that_it_has_it()
    {
        await using var server = await TestServer.StartAsync();
        const string moves = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancemigrations";
        await RunGuestAsync(server, "v", "{}");
        await SetGuestStatusAsync(server, "v", """{"migrationState":{"migrationUid":"m","sourceNode":"n1","targetNode":"n2","completed":true} }""");

        var (code, status) = await EvictAsync(server, "virt-launcher-v");

        Assert.Equal(HttpStatusCode.TooManyRequests, code);
        Assert.Contains("the agent of n2 has not said yet", (string)status["message"]!, StringComparison.Ordinal);
        Assert.Empty((await server.GetAsync(moves)).Body["items"]!.AsArray());
        await SetGuestStatusAsync(server, "v", """{"nodeName":"n2"}""");
        Assert.Equal(HttpStatusCode.NotFound, (await EvictAsync(server, "virt-launcher-v")).Code);
    }

    [Fact]
    public async Task A_move_that_has_just_failed_is_not_made_again_at_once_and_the_eviction_says_why()
    {
        await using var server = await TestServer.StartAsync();
        const string moves = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancemigrations";
        await RunGuestAsync(server, "v", "{}");
        await EvictAsync(server, "virt-launcher-v");
        var made = Assert.Single((await server.GetAsync(moves)).Body["items"]!.AsArray())!;
        await server.SendAsync(HttpMethod.Patch, $"{moves}/{made["metadata"]!["name"]}/status", """{"status":{"phase":"Failed","migrationState":{"failed":true,"failureReason":"no room"} } }""", "application/merge-patch+json");

        var (code, status) = await EvictAsync(server, "virt-launcher-v");

        Assert.Equal(HttpStatusCode.TooManyRequests, code);
        Assert.Contains("no room", (string)status["message"]!, StringComparison.Ordinal);
        Assert.Equal((string?)made["metadata"]!["uid"], (string?)Assert.Single((await server.GetAsync(moves)).Body["items"]!.AsArray())!["metadata"]!["uid"]);
    }

    [Theory]
    [InlineData("None", HttpStatusCode.Forbidden, "godwit vm stop v")]
    [InlineData("External", HttpStatusCode.TooManyRequests, "has to move it")]
    public async Task A_guest_that_is_not_to_be_moved_is_not_when_its_pod_is_evicted(string strategy, HttpStatusCode answer, string words)
    {
        await using var server = await TestServer.StartAsync();
        await RunGuestAsync(server, "v", $$"""{"evictionStrategy":"{{strategy}}"}""");

        var (code, status) = await EvictAsync(server, "virt-launcher-v");

        Assert.Equal(answer, code);
        Assert.Contains(words, (string)status["message"]!, StringComparison.Ordinal);
        Assert.Empty((await server.GetAsync("/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancemigrations")).Body["items"]!.AsArray());
    }

    private static async Task RunGuestAsync(TestServer server, string name, string spec)
    {
        var full = JsonNode.Parse(spec)!.AsObject();
        full["domain"] = JsonNode.Parse("""{"devices":{},"memory":{"guest":"64Mi"} }""");
        await server.PostAsync(Guests, new JsonObject { ["metadata"] = new JsonObject { ["name"] = name }, ["spec"] = full }.ToJsonString());
        await SetGuestStatusAsync(server, name, """{"nodeName":"n1","phase":"Running"}""");
    }

    private static Task<(HttpStatusCode Code, JsonObject Body)> SetGuestStatusAsync(TestServer server, string name, string status) =>
        server.SendAsync(HttpMethod.Patch, $"{Guests}/{name}/status", $$"""{"status":{{status}} }""", "application/merge-patch+json");

    [Fact]
    public async Task An_eviction_is_held_back_by_a_budget_and_takes_from_it()
    {
        await using var server = await TestServer.StartAsync();
        const string budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
        await server.PostAsync(budgets, """{"metadata":{"name":"b"},"spec":{"minAvailable":1,"selector":{}}}""");
        foreach (var name in new[] { "p", "q" })
        {
            await CreateAsync(server, name);
            await server.SendAsync(HttpMethod.Patch, $"{Pods}/{name}/status", """{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}""", "application/merge-patch+json");
        }

        Assert.Equal(HttpStatusCode.TooManyRequests, (await EvictAsync(server, "p")).Code); // Its controller has not looked yet.
        await server.SendAsync(HttpMethod.Patch, budgets + "/b/status", """{"status":{"observedGeneration":1,"disruptionsAllowed":1,"currentHealthy":2,"desiredHealthy":1,"expectedPods":2}}""", "application/merge-patch+json");
        Assert.Equal(HttpStatusCode.Created, (await EvictAsync(server, "p")).Code);
        var (code, status) = await EvictAsync(server, "q");

        Assert.Equal(HttpStatusCode.TooManyRequests, code);
        Assert.Equal("DisruptionBudget", (string?)status["details"]!["causes"]![0]!["reason"]);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(Pods + "/p")).Code);
        Assert.NotNull((await server.GetAsync(budgets + "/b")).Body["status"]!["disruptedPods"]!["p"]);
    }

    [Fact]
    public async Task An_eviction_is_held_back_when_fewer_pods_are_healthy_than_the_budget_knows()
    {
        await using var server = await TestServer.StartAsync();
        const string budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
        await server.PostAsync(budgets, """{"metadata":{"name":"b"},"spec":{"minAvailable":1,"selector":{}}}""");
        await server.SendAsync(HttpMethod.Patch, budgets + "/b/status", """{"status":{"observedGeneration":1,"disruptionsAllowed":1,"currentHealthy":2,"desiredHealthy":1,"expectedPods":2}}""", "application/merge-patch+json");
        foreach (var (name, ready) in new[] { ("p", "True"), ("q", "False") })
        {
            await CreateAsync(server, name);
            await server.SendAsync(HttpMethod.Patch, $"{Pods}/{name}/status", $$"""{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"{{ready}}"}]} }""", "application/merge-patch+json");
        }

        var (code, status) = await EvictAsync(server, "p"); // The budget's controller has not heard yet that q fell ill.

        Assert.Equal(HttpStatusCode.TooManyRequests, code);
        Assert.Contains("0 would be left", (string)status["details"]!["causes"]![0]!["message"]!, StringComparison.Ordinal);
        await server.SendAsync(HttpMethod.Patch, $"{Pods}/q/status", """{"status":{"conditions":[{"type":"Ready","status":"True"}]}}""", "application/merge-patch+json");
        Assert.Equal(HttpStatusCode.Created, (await EvictAsync(server, "p")).Code);
    }

    [Fact]
    public async Task A_deployment_is_scaled_in_the_shape_that_all_kinds_share()
    {
        await using var server = await TestServer.StartAsync();
        const string deployments = "/apis/apps/v1/namespaces/default/deployments";
        var (code, answer) = await server.PostAsync(deployments, """{"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"app":"d"}},"template":{"metadata":{"labels":{"app":"d"}},"spec":{"containers":[{"name":"c","image":"nginx"}]}}}}""");
        Assert.True(code == HttpStatusCode.Created, answer.ToJsonString());

        var (_, scale) = await server.SendAsync(HttpMethod.Patch, deployments + "/d/scale", """{"spec":{"replicas":4}}""", "application/merge-patch+json");

        Assert.Equal("app=d", (string?)scale["status"]!["selector"]);
        Assert.Equal(4, (int)(await server.GetAsync(deployments + "/d")).Body["spec"]!["replicas"]!);
    }

    private static Task<(HttpStatusCode Code, System.Text.Json.Nodes.JsonObject Body)> EvictAsync(TestServer server, string pod) =>
        server.PostAsync($"{Pods}/{pod}/eviction", $$"""{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"{{pod}}"} }""");

    private static async Task CreateAsync(TestServer server, string name)
    {
        var (code, answer) = await server.PostAsync(Pods, $$"""{"metadata":{"name":"{{name}}"},"spec":{"containers":[{"name":"c","image":"nginx"}]} }""");
        Assert.True(code == HttpStatusCode.Created, answer.ToJsonString());
    }

    private static async Task<HttpStatusCode> BindAsync(TestServer server, string pod, string node) =>
        (await server.PostAsync($"{Pods}/{pod}/binding", $$"""{"target":{"kind":"Node","name":"{{node}}"} }""")).Code;
}
