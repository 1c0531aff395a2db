using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Godwit.ApiServer.Tests;

public sealed class MachineVerbTests
{
    private const string Verbs = "/apis/subresources.kubevirt.io/v1/namespaces/default/";
    private const string Machines = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines";
    private const string Guests = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances";
    private const string Domain = """{"domain":{"devices":{},"memory":{"guest":"64Mi"}}}""";

    [Fact]
    public async Task Start_and_stop_say_what_the_machine_is_to_do_and_complain_of_what_it_does_already()
    {
        await using var server = await TestServer.StartAsync();
        foreach (var (name, how, stopped, started) in new[] { ("a", "\"running\":false", "False", "True"), ("b", "\"runStrategy\":\"Halted\"", "Halted", "Always") })
        {
            var field = how.StartsWith("\"running", StringComparison.Ordinal) ? "running" : "runStrategy";
            var (made, status) = await server.PostAsync(Machines, $$"""{"metadata":{"name":"{{name}}"},"spec":{ {{how}},"template":{"spec":{{Domain}} } } }""");
            Assert.True(made == HttpStatusCode.Created, status.ToJsonString());
            Assert.Equal(HttpStatusCode.Accepted, await PutAsync(server, $"virtualmachines/{name}/start"));
            Assert.Equal(HttpStatusCode.Conflict, await PutAsync(server, $"virtualmachines/{name}/start"));
            Assert.Equal(started, (await server.GetAsync($"{Machines}/{name}")).Body["spec"]![field]!.ToString(), ignoreCase: true);
            Assert.Equal(HttpStatusCode.Accepted, await PutAsync(server, $"virtualmachines/{name}/stop"));
            Assert.Equal(HttpStatusCode.Conflict, await PutAsync(server, $"virtualmachines/{name}/stop"));
            Assert.Equal(stopped, (await server.GetAsync($"{Machines}/{name}")).Body["spec"]![field]!.ToString(), ignoreCase: true);
        }

        Assert.Equal(HttpStatusCode.NotFound, await PutAsync(server, "virtualmachines/none/start"));
        Assert.Equal(HttpStatusCode.NotFound, await PutAsync(server, "virtualmachines/a/explode"));
    }

    [Fact]
    public async Task Restart_deletes_the_incarnation_of_a_machine_that_is_to_run()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Machines, $$"""{"metadata":{"name":"a"},"spec":{"runStrategy":"Always","template":{"spec":{{Domain}} } } }""");
        Assert.Equal(HttpStatusCode.Conflict, await PutAsync(server, "virtualmachines/a/restart"));
        await server.PostAsync(Guests, $$"""{"metadata":{"name":"a"},"spec":{{Domain}} }""");
        Assert.Equal(HttpStatusCode.Accepted, await PutAsync(server, "virtualmachines/a/restart"));
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync(Guests + "/a")).Code);
    }

    [Fact]
    public async Task Pause_and_log_go_to_the_agent_of_the_guests_node_and_a_log_is_followed_as_it_grows()
    {
        await using var server = await TestServer.StartAsync();
        await using var agent = await RunGuestAsync(server, "node-1");
        Assert.Equal(HttpStatusCode.OK, await PutAsync(server, "virtualmachineinstances/a/pause"));
        using var log = await server.Admin.GetAsync(Verbs + "virtualmachineinstances/a/log?follow=true&tailLines=5", HttpCompletionOption.ResponseHeadersRead, TestServer.Stopping);
        using var lines = new StreamReader(await log.Content.ReadAsStreamAsync(TestServer.Stopping));
        Assert.Equal("first", await lines.ReadLineAsync(TestServer.Stopping)); // The log has not ended yet.
        agent.LogMayEnd.SetResult();
        Assert.Equal("last", await lines.ReadLineAsync(TestServer.Stopping));
        var uid = (string)(await server.GetAsync(Guests + "/a")).Body["metadata"]!["uid"]!;
        Assert.Equal([$"PUT /vm/{uid}/pause", $"GET /vm/{uid}/log?follow=true&tailLines=5"], agent.Requests);
    }

    [Theory]
    [InlineData(409, "default/a is being moved; try again when the move has ended.", HttpStatusCode.Conflict)]
    [InlineData(404, "No guest is on this node; it may have moved or ended.", HttpStatusCode.Conflict)]
    [InlineData(500, "", HttpStatusCode.BadGateway)]
    public async Task Why_an_agent_does_not_do_as_it_is_told_is_passed_on_in_its_words(int code, string words, HttpStatusCode answer)
    {
        await using var server = await TestServer.StartAsync();
        await using var agent = await RunGuestAsync(server, "node-1");
        agent.Refusal = (code, words);

        var (answered, status) = await server.SendAsync(HttpMethod.Put, Verbs + "virtualmachineinstances/a/pause");

        Assert.Equal(answer, answered);
        Assert.Equal("Status", (string?)status["kind"]);
        Assert.Contains(words, (string?)status["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_console_carries_bytes_both_ways()
    {
        await using var server = await TestServer.StartAsync();
        await using var agent = await RunGuestAsync(server, "node-1");
        using var console = await OpenConsoleAsync(server);
        Assert.Equal("plain.kubevirt.io", console.SubProtocol);
        await MustEchoAsync(console, "login: ");
        await MustEchoAsync(console, "\u0000\u00ff");

        await console.CloseAsync(WebSocketCloseStatus.NormalClosure, null, TestServer.Stopping);
        Assert.Equal(WebSocketState.Closed, console.State);
    }

    [Fact]
    public async Task A_console_follows_its_guest_to_another_node()
    {
        await using var server = await TestServer.StartAsync();
        await using var source = await RunGuestAsync(server, "node-1");
        await using var target = await AddNodeAsync(server, "node-2");
        using var console = await OpenConsoleAsync(server);
        await MustEchoAsync(console, "before");

        source.ConsolesEnd.SetResult(); // The guest is gone from here before the API knows where it is.
        await server.SendAsync(HttpMethod.Patch, Guests + "/a/status", """{"status":{"nodeName":"node-2"} }""", "application/merge-patch+json");

        await target.ConsoleOpened.Task.WaitAsync(TestServer.Stopping);
        await MustEchoAsync(console, "after");
        Assert.Contains("console?from=start", Assert.Single(target.Requests), StringComparison.Ordinal);
        await console.CloseAsync(WebSocketCloseStatus.NormalClosure, null, TestServer.Stopping);
    }

    [Fact]
    public async Task A_console_ends_with_its_guest()
    {
        await using var server = await TestServer.StartAsync();
        await using var agent = await RunGuestAsync(server, "node-1");
        using var console = await OpenConsoleAsync(server);
        await MustEchoAsync(console, "before");

        await server.SendAsync(HttpMethod.Patch, Guests + "/a/status", """{"status":{"phase":"Succeeded"} }""", "application/merge-patch+json");
        agent.ConsolesEnd.SetResult();

        Assert.Equal(WebSocketMessageType.Close, (await console.ReceiveAsync(new byte[64].AsMemory(), TestServer.Stopping)).MessageType);
        await console.CloseAsync(WebSocketCloseStatus.NormalClosure, null, TestServer.Stopping);
    }

    [Fact]
    public async Task A_log_that_is_followed_goes_on_where_its_guest_moved_to()
    {
        await using var server = await TestServer.StartAsync();
        await using var source = await RunGuestAsync(server, "node-1");
        await using var target = await AddNodeAsync(server, "node-2");
        using var response = await server.Admin.GetAsync(Verbs + "virtualmachineinstances/a/log?follow=true", HttpCompletionOption.ResponseHeadersRead, TestServer.Stopping);
        using var log = new StreamReader(await response.Content.ReadAsStreamAsync(TestServer.Stopping));
        Assert.Equal("first", await log.ReadLineAsync(TestServer.Stopping));

        await server.SendAsync(HttpMethod.Patch, Guests + "/a/status", """{"status":{"nodeName":"node-2"} }""", "application/merge-patch+json");
        source.LogMayEnd.SetResult();

        Assert.Equal("last", await log.ReadLineAsync(TestServer.Stopping));
        Assert.Equal("first", await log.ReadLineAsync(TestServer.Stopping)); // Of the second agent.
        await server.SendAsync(HttpMethod.Patch, Guests + "/a/status", """{"status":{"phase":"Succeeded"} }""", "application/merge-patch+json");
        target.LogMayEnd.SetResult();
        Assert.Equal("last", await log.ReadLineAsync(TestServer.Stopping));
        Assert.Null(await log.ReadLineAsync(TestServer.Stopping));
    }

    private static async Task<ClientWebSocket> OpenConsoleAsync(TestServer server)
    {
        var console = new ClientWebSocket();
        console.Options.AddSubProtocol("plain.kubevirt.io");
        console.Options.ClientCertificates.Add(server.CertificateOf("admin"));
        console.Options.RemoteCertificateValidationCallback = server.IsOfAuthority;
        var url = new UriBuilder(server.Host.Url) { Scheme = "wss", Path = Verbs + "virtualmachineinstances/a/console" }.Uri;
        await console.ConnectAsync(url, TestServer.Stopping);
        return console;
    }

    private static async Task MustEchoAsync(ClientWebSocket console, string text)
    {
        var buffer = new byte[64];
        await console.SendAsync(Encoding.Latin1.GetBytes(text), WebSocketMessageType.Binary, endOfMessage: true, TestServer.Stopping);
        var read = await console.ReceiveAsync(buffer.AsMemory(), TestServer.Stopping);
        Assert.Equal(text, Encoding.Latin1.GetString(buffer, 0, read.Count));
    }

    private static async Task<FakeAgent> AddNodeAsync(TestServer server, string name)
    {
        var agent = await FakeAgent.StartAsync(await NodeJoinTests.CertificateAsync(server, name));
        await server.PostAsync("/api/v1/nodes", $$$"""{"metadata":{"name":"{{{name}}}","annotations":{"godwit.dev/agent-endpoint":"127.0.0.1:{{{agent.Port}}}"} } }""");
        return agent;
    }

    [Fact]
    public async Task An_agent_that_is_another_nodes_is_not_spoken_to()
    {
        await using var server = await TestServer.StartAsync();
        await using var agent = await RunGuestAsync(server, "node-1", certificateOf: "node-2");
        var (code, status) = await server.SendAsync(HttpMethod.Put, Verbs + "virtualmachineinstances/a/pause");
        Assert.Equal(HttpStatusCode.BadGateway, code);
        Assert.Contains("agent of node node-1", (string)status["message"]!, StringComparison.Ordinal);
        Assert.Empty(agent.Requests);
    }

    [Fact]
    public async Task A_guest_that_no_node_has_cannot_be_paused()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync(Guests, $$"""{"metadata":{"name":"a"},"spec":{{Domain}} }""");
        Assert.Equal(HttpStatusCode.Conflict, await PutAsync(server, "virtualmachineinstances/a/pause"));
    }

    [Fact]
    public async Task Suspend_is_a_wish_on_the_guests_object_that_unpause_takes_away_and_nothing_of_it_goes_to_the_agent()
    {
        await using var server = await TestServer.StartAsync();
        await using var agent = await RunGuestAsync(server, "node-1");
        Assert.Equal(HttpStatusCode.Conflict, await PutAsync(server, "virtualmachineinstances/a/suspend")); // It does not run yet.
        await SetStatusAsync(server, """{"phase":"Running"}""");

        Assert.Equal(HttpStatusCode.Accepted, await PutAsync(server, "virtualmachineinstances/a/suspend"));
        Assert.Equal("true", (string?)(await server.GetAsync(Guests + "/a")).Body["metadata"]!["annotations"]!["godwit.dev/suspend"]);
        Assert.Equal(HttpStatusCode.Accepted, await PutAsync(server, "virtualmachineinstances/a/unpause"));
        Assert.Null((await server.GetAsync(Guests + "/a")).Body["metadata"]!["annotations"]?["godwit.dev/suspend"]);
        Assert.Empty(agent.Requests);

        Assert.Equal(HttpStatusCode.OK, await PutAsync(server, "virtualmachineinstances/a/unpause")); // Of a pause, which the agent ends.
        Assert.Single(agent.Requests);
        Assert.Equal(HttpStatusCode.NotFound, await PutAsync(server, "virtualmachineinstances/none/suspend"));
    }

    [Fact]
    public async Task A_guest_that_moves_is_neither_suspended_nor_resumed()
    {
        await using var server = await TestServer.StartAsync();
        await using var agent = await RunGuestAsync(server, "node-1");
        await SetStatusAsync(server, """{"phase":"Running"}""");
        Assert.Equal(HttpStatusCode.Accepted, await PutAsync(server, "virtualmachineinstances/a/suspend"));

        await SetStatusAsync(server, """{"migrationState":{"sourceNode":"node-1","targetNode":"node-2"} }""");

        Assert.Equal(HttpStatusCode.Conflict, await PutAsync(server, "virtualmachineinstances/a/suspend"));
        Assert.Equal(HttpStatusCode.Conflict, await PutAsync(server, "virtualmachineinstances/a/unpause"));
    }

    private static Task<(HttpStatusCode Code, JsonObject Body)> SetStatusAsync(TestServer server, string status) =>
        server.SendAsync(HttpMethod.Patch, Guests + "/a/status", $$"""{"status":{{status}} }""", "application/merge-patch+json");

    /// <summary>A guest <c>a</c> on a node, and that node's agent, which may hold another node's certificate.</summary>
    private static async Task<FakeAgent> RunGuestAsync(TestServer server, string node, string? certificateOf = null)
    {
        var agent = await FakeAgent.StartAsync(await NodeJoinTests.CertificateAsync(server, certificateOf ?? node));
        await server.PostAsync("/api/v1/nodes", $$$"""{"metadata":{"name":"{{{node}}}","annotations":{"godwit.dev/agent-endpoint":"127.0.0.1:{{{agent.Port}}}"} } }""");
        await server.PostAsync(Guests, $$"""{"metadata":{"name":"a"},"spec":{{Domain}} }""");
        await server.SendAsync(HttpMethod.Patch, Guests + "/a/status", $$$"""{"status":{"nodeName":"{{{node}}}"} }""", "application/merge-patch+json");
        return agent;
    }

    private static async Task<HttpStatusCode> PutAsync(TestServer server, string path)
    {
        using var response = await server.Admin.PutAsync(Verbs + path, new StringContent(""), TestServer.Stopping);
        return response.StatusCode;
    }
}
