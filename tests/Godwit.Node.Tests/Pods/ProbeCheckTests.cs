using System.Net;
using System.Net.Sockets;
using Godwit.Api.Core.V1;
using Godwit.Node.Pods;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Node.Tests.Pods;

/// <summary>One look of a probe, at real servers on the loopback.</summary>
public sealed class ProbeCheckTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(200, null)]
    [InlineData(399, null)]
    [InlineData(404, "HTTP probe failed with statuscode: 404")]
    [InlineData(503, "HTTP probe failed with statuscode: 503")]
    public async Task An_HTTP_probe_asks_for_its_path_with_its_headers_by_the_ports_name(int status, string? words)
    {
        HttpRequest? asked = null;
        await using var server = await ServeAsync(HttpProtocols.Http1, http =>
        {
            (asked, http.Response.StatusCode) = (http.Request, status);
            Assert.Equal(("/healthy", "shop.example", "yes"), (http.Request.Path.Value, http.Request.Host.Value, http.Request.Headers["X-Probe"].ToString()));
            return Task.CompletedTask;
        });
        using var checks = Checks();
        var probe = new Probe { HttpGet = new HTTPGetAction { Path = "healthy", Port = new IntOrText(0, "web"), HttpHeaders = [new HTTPHeader { Name = "Host", Value = "shop.example" }, new HTTPHeader { Name = "X-Probe", Value = "yes" }] } };
        Assert.Equal(words, await checks.RunAsync(Subject(server), probe, Stopping));
        Assert.NotNull(asked);
        Assert.Contains("no port named other", await checks.RunAsync(Subject(server), new Probe { HttpGet = new HTTPGetAction { Port = new IntOrText(0, "other") } }, Stopping), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_TCP_probe_is_well_where_somebody_listens()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        using var checks = Checks();
        var probe = new Probe { TcpSocket = new TCPSocketAction { Port = new IntOrText(port, null) } };
        Assert.Null(await checks.RunAsync(Subject(port), probe, Stopping));
        listener.Stop();
        Assert.NotNull(await checks.RunAsync(Subject(port), probe, Stopping));
    }

    [Theory]
    [InlineData("", 1, true)]
    [InlineData("shop.Orders", 1, true)]
    [InlineData("long", 1, true)]
    [InlineData("shop.Orders", 2, false)]
    public async Task A_gRPC_probe_asks_the_health_service_and_is_well_when_that_says_serving(string service, byte answer, bool isWell)
    {
        service = service == "long" ? new string('s', 300) : service; // Its length takes two bytes.
        byte[]? asked = null;
        await using var server = await ServeAsync(HttpProtocols.Http2, async http =>
        {
            Assert.Equal("/grpc.health.v1.Health/Check", http.Request.Path.Value);
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, Stopping);
            asked = body.ToArray();
            http.Response.ContentType = "application/grpc";
            await http.Response.Body.WriteAsync(new byte[] { 0, 0, 0, 0, 2, 0x08, answer }, Stopping);
            http.Response.AppendTrailer("grpc-status", "0");
        });
        using var checks = Checks();
        var words = await checks.RunAsync(Subject(server), new Probe { Grpc = new GRPCAction { Port = PortOf(server), Service = service } }, Stopping);
        Assert.Equal(isWell ? null : $"the service '{service}' does not say that it is serving", words);

        var message = service.Length == 0 ? 0 : service.Length + (service.Length > 127 ? 3 : 2);
        Assert.Equal(5 + message, asked!.Length);
        Assert.Equal(message, (asked[3] << 8) | asked[4]);
        Assert.EndsWith(service, System.Text.Encoding.UTF8.GetString(asked), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "all is well", null)]
    [InlineData(1, "the queue is full", "the queue is full")]
    [InlineData(7, "", "exit code 7")]
    public async Task A_program_is_well_when_it_ends_with_nought_and_else_its_words_say_why(int code, string said, string? words)
    {
        using var checks = new ProbeChecks((container, command, _) => Task.FromResult<(int?, string)>((code, container == "id" && command is ["test", "-f", "/ready"] ? said : "asked for something else")), TimeProvider.System);
        Assert.Equal(words, await checks.RunAsync(Subject(1), new Probe { Exec = new ExecAction { Command = ["test", "-f", "/ready"] } }, Stopping));
        Assert.Equal(words, await checks.RunAsync(Subject(1), new LifecycleHandler { Exec = new ExecAction { Command = ["test", "-f", "/ready"] } }, TimeSpan.FromMinutes(1), Stopping));
    }

    [Fact]
    public async Task Who_does_not_answer_in_time_is_not_well_and_a_hooks_pause_lasts_as_long_as_it_says()
    {
        var clock = new FakeTimeProvider();
        using var checks = new ProbeChecks(async (_, _, stopping) =>
        {
            await new TaskCompletionSource().Task.WaitAsync(stopping); // It never answers.
            return (0, "");
        }, clock);
        var look = checks.RunAsync(Subject(1), new Probe { TimeoutSeconds = 3, Exec = new ExecAction { Command = ["sleep"] } }, Stopping);
        clock.Advance(TimeSpan.FromSeconds(2.9));
        Assert.False(look.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal("no answer within 3 s", await look);

        var pause = checks.RunAsync(Subject(1), new LifecycleHandler { Sleep = new SleepAction { Seconds = 5 } }, TimeSpan.FromSeconds(9), Stopping);
        clock.Advance(TimeSpan.FromSeconds(4.9));
        Assert.False(pause.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Null(await pause);
    }

    private static ProbeChecks Checks() => new((_, _, _) => throw new InvalidOperationException("No program is to be run."), TimeProvider.System);

    private static ProbeSubject Subject(WebApplication server) => Subject(PortOf(server));

    private static ProbeSubject Subject(int port) => new("id", "127.0.0.1", new Container { Name = "main", Ports = [new ContainerPort { Name = "web", Number = port }] });

    private static int PortOf(WebApplication server) => new Uri(server.Urls.Single()).Port;

    private static async Task<WebApplication> ServeAsync(HttpProtocols protocols, RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = protocols));
        var server = builder.Build();
        server.Run(answer);
        await server.StartAsync(Stopping);
        return server;
    }
}
