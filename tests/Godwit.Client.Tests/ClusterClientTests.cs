using System.Net;
using System.Net.Sockets;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Microsoft.AspNetCore.Http;

namespace Godwit.Client.Tests;

public sealed class ClusterClientTests
{
    private static readonly ResourceKey Key = new("ns", "a");

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_error_carries_the_servers_status_and_names_the_request()
    {
        await using var server = await ScriptedServer.StartAsync(context => Answer.StatusAsync(context, 403, "Forbidden", "not you"));
        using var client = server.Connect();

        var error = await Assert.ThrowsAsync<ApiException>(() => client.For<ConfigMap>().GetAsync(Key, Stopping));

        Assert.True(error.IsForbidden);
        Assert.Equal("Forbidden", error.Reason);
        Assert.Equal("GET /api/v1/namespaces/ns/configmaps/a: not you", error.Message);
        Assert.NotNull(error.RequestId);
    }

    [Fact]
    public async Task An_error_that_is_no_status_still_tells_its_code()
    {
        await using var server = await ScriptedServer.StartAsync(context => Answer.JsonAsync(context, "<html>", 404));
        using var client = server.Connect();

        Assert.Null(await client.For<ConfigMap>().FindAsync(Key, Stopping));
    }

    [Fact]
    public async Task An_object_that_is_not_there_is_null_and_not_an_error()
    {
        await using var server = await ScriptedServer.StartAsync(context => Answer.StatusAsync(context, 404, "NotFound", "no such thing"));
        using var client = server.Connect();

        Assert.Null(await client.For<ConfigMap>().FindAsync(Key, Stopping));
        Assert.False(await client.For<ConfigMap>().TryDeleteAsync(Key, new DeleteOptions(), Stopping));
    }

    [Theory]
    [InlineData(503)]
    [InlineData(429)]
    public async Task A_read_is_repeated_while_the_server_is_busy(int code)
    {
        var asked = 0;
        await using var server = await ScriptedServer.StartAsync(context => ++asked < 3
            ? Answer.StatusAsync(context, code, "Busy", "later")
            : Answer.JsonAsync(context, Answer.ConfigMap("a", 5)));
        using var client = server.Connect();

        var found = await client.For<ConfigMap>().GetAsync(Key, Stopping);

        Assert.Equal("5", found.Metadata.ResourceVersion);
        Assert.Equal(3, asked);
    }

    [Fact]
    public async Task A_creation_that_may_have_happened_is_not_repeated()
    {
        await using var server = await ScriptedServer.StartAsync(context => Answer.StatusAsync(context, 503, "ServiceUnavailable", "later"));
        using var client = server.Connect();

        await Assert.ThrowsAsync<ApiException>(() => client.For<ConfigMap>().CreateAsync(NewConfigMap(), Stopping));

        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_creation_whose_connection_breaks_is_not_repeated()
    {
        await using var server = await ScriptedServer.StartAsync(context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        using var client = server.Connect();

        await Assert.ThrowsAsync<ClusterUnreachableException>(() => client.For<ConfigMap>().CreateAsync(NewConfigMap(), Stopping));

        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_request_whose_connection_breaks_after_it_was_given_up_was_given_up_and_nothing_else(bool isAnswered)
    {
        using var given = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        using var transport = new BreakingTransport(given, isAnswered);
        using var client = new ClusterClient(
            new ClusterConnection { Servers = [new Uri("https://server/")] }, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<ClusterClient>.Instance, transport, transport);

        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.For<ConfigMap>().GetAsync(Key, given.Token));

        Assert.Equal(given.Token, error.CancellationToken);
    }

    [Fact]
    public async Task The_next_server_is_asked_when_one_refuses_the_connection_and_is_preferred_from_then_on()
    {
        await using var server = await ScriptedServer.StartAsync(context => Answer.JsonAsync(context, Answer.ConfigMap("a", 5), 201));
        using var client = server.Connect(before: ClosedAddress());

        await client.For<ConfigMap>().CreateAsync(NewConfigMap(), Stopping);
        await client.For<ConfigMap>().CreateAsync(NewConfigMap(), Stopping);

        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task When_no_server_answers_the_error_names_the_address()
    {
        var address = ClosedAddress();
        using var client = new ClusterClient(
            new ClusterConnection { Servers = [address] }, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<ClusterClient>.Instance);

        var error = await Assert.ThrowsAsync<ClusterUnreachableException>(() => client.For<ConfigMap>().GetAsync(Key, Stopping));

        Assert.Contains(address.ToString(), error.Message, StringComparison.Ordinal);
        Assert.NotNull(error.InnerException);
    }

    [Fact]
    public async Task A_list_is_read_page_by_page()
    {
        await using var server = await ScriptedServer.StartAsync(context => context.Request.Query["continue"].Count == 0
            ? Answer.JsonAsync(
                context,
                $$$"""{"metadata":{"resourceVersion":"9","continue":"more"},"items":[{{{Answer.ConfigMap("a", 5)}}}]}""")
            : Answer.JsonAsync(context, Answer.List(9, Answer.ConfigMap("b", 6))));
        using var client = server.Connect();

        var list = await client.For<ConfigMap>().ListAsync(new ListOptions { Namespace = "ns", LabelSelector = "x in (y)" }, Stopping);

        Assert.Equal(["a", "b"], list.Items.Select(item => item.Metadata.Name));
        Assert.Equal("9", list.Metadata.ResourceVersion);
        Assert.All(server.Requests, request => Assert.Contains("labelSelector=x%20in%20%28y%29", request, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_change_sends_only_what_differs_and_names_the_version_it_was_made_from()
    {
        var body = "";
        await using var server = await ScriptedServer.StartAsync(async context =>
        {
            body = await new StreamReader(context.Request.Body).ReadToEndAsync(context.RequestAborted);
            await Answer.JsonAsync(context, Answer.ConfigMap("a", 6, "new"));
        });
        using var client = server.Connect();
        var before = GodwitJson.Deserialize<ConfigMap>(Answer.ConfigMap("a", 5, "old"));
        var after = before with { Data = new Dictionary<string, string> { ["value"] = "new" } };

        var changed = await client.For<ConfigMap>().ChangeStatusAsync(before, after, Stopping);

        Assert.Equal("""{"data":{"value":"new"},"metadata":{"resourceVersion":"5"}}""", body);
        Assert.Equal("6", changed.Metadata.ResourceVersion);
        Assert.Equal("PATCH /api/v1/namespaces/ns/configmaps/a/status", Assert.Single(server.Requests));
    }

    [Fact]
    public async Task A_change_of_nothing_asks_nothing()
    {
        await using var server = await ScriptedServer.StartAsync(context => Answer.StatusAsync(context, 500, "InternalError", "asked"));
        using var client = server.Connect();
        var before = GodwitJson.Deserialize<ConfigMap>(Answer.ConfigMap("a", 5, "old"));

        Assert.Same(before, await client.For<ConfigMap>().ChangeAsync(before, before with { }, Stopping));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task A_delete_without_a_name_never_reaches_the_server()
    {
        await using var server = await ScriptedServer.StartAsync(context => Answer.JsonAsync(context, "{}"));
        using var client = server.Connect();

        await Assert.ThrowsAsync<ArgumentException>(() => client.For<ConfigMap>().DeleteAsync(new ResourceKey("ns", ""), new DeleteOptions(), Stopping));
        await Assert.ThrowsAsync<ArgumentException>(() => client.For<ConfigMap>().DeleteAsync(new ResourceKey("", "a"), new DeleteOptions(), Stopping));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task A_name_cannot_leave_its_place_in_the_path()
    {
        await using var server = await ScriptedServer.StartAsync(context => Answer.StatusAsync(context, 404, "NotFound", "no"));
        using var client = server.Connect();

        await client.For<ConfigMap>().FindAsync(new ResourceKey("ns", "../../secrets?x=y"), Stopping);

        Assert.DoesNotContain("/secrets?", Assert.Single(server.Requests), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_token_is_asked_for_at_each_request()
    {
        var seen = new List<string?>();
        await using var server = await ScriptedServer.StartAsync(context =>
        {
            seen.Add(context.Request.Headers.Authorization);
            return Answer.JsonAsync(context, Answer.ConfigMap("a", 5));
        });
        var tokens = new Queue<string>(["one", "two"]);
        using var client = new ClusterClient(
            new ClusterConnection { Servers = [server.Address], BearerToken = tokens.Dequeue },
            TimeProvider.System,
            Microsoft.Extensions.Logging.Abstractions.NullLogger<ClusterClient>.Instance);

        await client.For<ConfigMap>().GetAsync(Key, Stopping);
        await client.For<ConfigMap>().GetAsync(Key, Stopping);

        Assert.Equal(["Bearer one", "Bearer two"], seen);
    }

    private static ConfigMap NewConfigMap() => new() { Metadata = new ObjectMeta { Namespace = "ns", Name = "a" } };

    private static Uri ClosedAddress()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/");
    }

    /// <summary>Breaks just after whoever sent the request has given it up: before the answer, or in the middle of it.</summary>
    private sealed class BreakingTransport(CancellationTokenSource given, bool isAnswered) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (isAnswered)
            {
                return Task.FromResult(new HttpResponseMessage { Content = new StreamContent(new BreakingStream(given)) });
            }

            given.Cancel();
            throw new HttpRequestException(HttpRequestError.ResponseEnded, "the connection broke");
        }
    }

    private sealed class BreakingStream(CancellationTokenSource given) : MemoryStream([1])
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => throw Broken();

        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken) => throw Broken();

        private IOException Broken()
        {
            given.Cancel();
            return new IOException("the connection broke");
        }
    }
}
