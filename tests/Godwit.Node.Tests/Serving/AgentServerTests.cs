using System.Net;
using System.Net.Security;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using Godwit.Api.Metrics;
using Godwit.Machines;
using Godwit.Node.Guests;
using Godwit.Node.Serving;
using Godwit.Node.Tests.Guests;
using Godwit.Node.Tests.Peers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Node.Tests.Serving;

public sealed class AgentServerTests
{
    private const string Server = "CN=system:godwit-server";

    [Theory]
    [InlineData(Server, HttpStatusCode.OK)]
    [InlineData("O=system:masters, CN=admin", HttpStatusCode.OK)]
    [InlineData("O=system:nodes, CN=system:node:node-2", HttpStatusCode.Forbidden)]
    [InlineData("CN=somebody", HttpStatusCode.Forbidden)]
    [InlineData(null, HttpStatusCode.Forbidden)]
    public async Task Only_the_server_and_administrators_get_in(string? subject, HttpStatusCode expected)
    {
        await using var agent = await TestDoor.OpenAsync();

        Assert.Equal(expected, (await agent.Client(subject).GetAsync("/metrics", Bound.Token())).StatusCode);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_does_not_get_in_and_health_needs_none()
    {
        await using var agent = await TestDoor.OpenAsync();
        using var foreign = new TestAuthority();

        Assert.Equal(HttpStatusCode.Forbidden, (await agent.Client(foreign.Issue(Server)).GetAsync("/metrics", Bound.Token())).StatusCode);
        Assert.Equal("ok", await agent.Client((string?)null).GetStringAsync("/healthz", Bound.Token()));
    }

    [Fact]
    public async Task Pause_and_unpause_reach_the_guest_but_not_one_that_moves_or_has_ended()
    {
        await using var agent = await TestDoor.OpenAsync();
        var client = agent.Client(Server);
        await agent.Machine.ResumeAsync(Bound.Token());

        Assert.Equal(HttpStatusCode.Accepted, (await client.PutAsync(agent.Path("pause"), null, Bound.Token())).StatusCode);
        Assert.Equal(MachineRunState.Paused, agent.Machine.RunState);
        agent.Handovers.Set(agent.Machine.Spec.Id, HandoverClaim.Moving);
        Assert.Equal(HttpStatusCode.Conflict, (await client.PutAsync(agent.Path("unpause"), null, Bound.Token())).StatusCode);
        Assert.Equal(MachineRunState.Paused, agent.Machine.RunState);
        agent.Handovers.Set(agent.Machine.Spec.Id, HandoverClaim.HandedOver);
        Assert.Equal(HttpStatusCode.Conflict, (await client.PutAsync(agent.Path("unpause"), null, Bound.Token())).StatusCode);
        agent.Handovers.Set(agent.Machine.Spec.Id, HandoverClaim.Owner);
        Assert.Equal(HttpStatusCode.Accepted, (await client.PutAsync(agent.Path("unpause"), null, Bound.Token())).StatusCode);
        Assert.Equal(MachineRunState.Running, agent.Machine.RunState);
        agent.Machine.Become(MachineRunState.Shutdown, "it did");
        Assert.Equal(HttpStatusCode.Conflict, (await client.PutAsync(agent.Path("unpause"), null, Bound.Token())).StatusCode);
    }

    [Fact]
    public async Task The_log_is_sent_whole_or_its_end()
    {
        await using var agent = await TestDoor.OpenAsync();
        var client = agent.Client(Server);

        Assert.Equal("first\nsecond\n", await client.GetStringAsync(agent.Path("log"), Bound.Token()));
        Assert.Equal("second\n", await client.GetStringAsync(agent.Path("log?tailLines=1"), Bound.Token()));
        Assert.Equal(HttpStatusCode.BadRequest, (await client.GetAsync(agent.Path("log?tailLines=-1"), Bound.Token())).StatusCode);
    }

    [Theory]
    [InlineData("/vm/00000000-0000-0000-0000-000000000000/log")]
    [InlineData("/vm/../../etc/passwd")]
    [InlineData("/vm/x/log")]
    [InlineData("/")]
    public async Task What_is_not_there_is_not_found(string path)
    {
        await using var agent = await TestDoor.OpenAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await agent.Client(Server).GetAsync(path, Bound.Token())).StatusCode);
    }

    [Fact]
    public async Task The_console_carries_bytes_both_ways_over_a_WebSocket()
    {
        await using var agent = await TestDoor.OpenAsync();
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("plain.kubevirt.io");

        await socket.ConnectAsync(new Uri($"wss://127.0.0.1:{agent.Door.Port}{agent.Path("console")}"), agent.Invoker(agent.Authority.Issue(Server)), Bound.Token());
        await socket.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Binary, endOfMessage: true, Bound.Token());
        var buffer = new byte[64];
        var received = await socket.ReceiveAsync(buffer.AsMemory(), Bound.Token());

        Assert.Equal("plain.kubevirt.io", socket.SubProtocol);
        Assert.Equal("hello"u8.ToArray(), buffer[..received.Count]);
    }

    [Fact]
    public async Task What_is_used_here_is_told_to_the_server_alone()
    {
        await using var agent = await TestDoor.OpenAsync();

        var told = Api.GodwitJson.Deserialize<UsageReport>(await agent.Client(Server).GetByteArrayAsync("/usage", Bound.Token()));
        Assert.Equal((7, 9), (told.Node!.CpuNanocores, told.Node.MemoryBytes));
        Assert.Equal(HttpStatusCode.Forbidden, (await agent.Client("O=system:nodes, CN=system:node:node-2").GetAsync("/usage", Bound.Token())).StatusCode);
    }

    [Fact]
    public void Metrics_are_written_in_families_with_escaped_labels()
    {
        var text = MetricText.Write(
        [
            new MetricSample("a_total", "counter", "Counts a.", 1, ("name", "x\"y\\z")),
            new MetricSample("b_bytes", "gauge", "Measures b.", 2.5),
            new MetricSample("a_total", "counter", "Counts a.", 3, ("name", "w")),
        ]);

        Assert.Equal(
            "# HELP a_total Counts a.\n# TYPE a_total counter\na_total{name=\"x\\\"y\\\\z\"} 1\na_total{name=\"w\"} 3\n# HELP b_bytes Measures b.\n# TYPE b_bytes gauge\nb_bytes 2.5\n",
            text);
    }

    [Fact]
    public void Pods_are_told_by_their_names_with_what_each_container_has_used()
    {
        var text = MetricText.Write(PodSamples.Of(
        [
            new ContainerReading("shop", "web-1", "u1", "side", 0, 250_000_000, 1 << 20),
            new ContainerReading("shop", "web-1", "u1", "main", 2, 1_500_000_000, 64 << 20),
            new ContainerReading("default", "db-0", "u2", "db", 0, 0, 5),
        ]));

        Assert.Contains("godwit_agent_pods 2\n", text, StringComparison.Ordinal);
        Assert.Contains("""godwit_pod_container_cpu_seconds_total{namespace="shop",pod="web-1",uid="u1",container="main"} 1.5""", text, StringComparison.Ordinal);
        Assert.Contains("""godwit_pod_container_memory_bytes{namespace="shop",pod="web-1",uid="u1",container="main"} 67108864""", text, StringComparison.Ordinal);
        Assert.Contains("""godwit_pod_container_restarts_total{namespace="shop",pod="web-1",uid="u1",container="main"} 2""", text, StringComparison.Ordinal);
        Assert.Equal(3, text.Split("# TYPE godwit_pod_container_").Length - 1);
        Assert.Contains("godwit_agent_pods 0\n", MetricText.Write(PodSamples.Of([])), StringComparison.Ordinal);
    }

    /// <summary>An agent's door with one pretended machine behind it.</summary>
    private sealed class TestDoor : IAsyncDisposable
    {
        private readonly List<IDisposable> owned = [];
        private readonly string folder = Directory.CreateTempSubdirectory($"godwit-door-{Environment.ProcessId}-").FullName;

        public required TestAuthority Authority { get; init; }

        public required FakeHandovers Handovers { get; init; }

        public required FakeMachine Machine { get; init; }

        public required AgentServer Door { get; init; }

        public static async Task<TestDoor> OpenAsync()
        {
            var id = new MachineId(Guid.NewGuid());
            var host = new FakeMachineHost(System.IO.Path.GetTempPath());
            var spec = new MachineSpec { Id = id, DisplayName = "default/tiny", CpuCount = 1, MemoryBytes = 64 << 20, MachineType = "pc-q35-10.0", CpuModel = "max" };
            host.Machines[id] = new FakeMachine(spec, new MachinePlace(id, System.IO.Path.GetTempPath(), 0), MachineStart.Boot);
            var machines = new LocalMachines(host, NullLogger.Instance);
            await machines.AdoptAsync(Bound.Token());
            var authority = new TestAuthority();
            var handovers = new FakeHandovers();
            var certificate = authority.Issue("O=system:nodes, CN=system:node:node-1");
            var door = await AgentServer.StartAsync(
                new IPEndPoint(IPAddress.Loopback, 0),
                new AgentServerParts
                {
                    Certificate = () => certificate,
                    Authorities = authority.Trust,
                    Machines = machines,
                    Handovers = handovers,
                    Pods = () => null,
                    Metrics = () => "up 1\n",
                    Usage = () => new UsageReport { Node = new UsageFigures { CpuNanocores = 7, MemoryBytes = 9 } },
                    Time = TimeProvider.System,
                    Loggers = NullLoggerFactory.Instance,
                },
                Bound.Token());
            return new TestDoor { Machine = host.Machines[id], Door = door, Authority = authority, Handovers = handovers };
        }

        public string Path(string verb) => $"/vm/{Machine.Spec.Id}/{verb}";

        public HttpClient Client(string? subject) => Client(subject is null ? null : Authority.Issue(subject));

        public HttpClient Client(X509Certificate2? certificate)
        {
            var client = new HttpClient(Handler(certificate)) { BaseAddress = new Uri($"https://127.0.0.1:{Door.Port}") };
            owned.Add(client);
            return client;
        }

        public HttpMessageInvoker Invoker(X509Certificate2? certificate)
        {
            var invoker = new HttpMessageInvoker(Handler(certificate));
            owned.Add(invoker);
            return invoker;
        }

        public async ValueTask DisposeAsync()
        {
            owned.ForEach(each => each.Dispose());
            await Door.DisposeAsync();
            Authority.Dispose();
            Directory.Delete(folder, recursive: true);
        }

        private SocketsHttpHandler Handler(X509Certificate2? certificate)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(Authority.Trust);
            return new SocketsHttpHandler
            {
                SslOptions = new SslClientAuthenticationOptions
                {
                    CertificateChainPolicy = policy,
                    LocalCertificateSelectionCallback = certificate is null ? null : (_, _, _, _, _) => certificate,
                },
            };
        }
    }
}
