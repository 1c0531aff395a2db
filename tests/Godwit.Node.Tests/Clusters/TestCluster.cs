using System.Net;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.ApiServer;
using Godwit.Client;
using Godwit.Store;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Node.Tests.Clusters;

/// <summary>A real API server in this process, on loopback, with a folder for agents beside it.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly List<ClusterClient> clients = [];
    private readonly ApiServerOptions options;

    private TestCluster(string folder, ApiServerOptions options, ApiServerHost server)
    {
        Folder = folder;
        this.options = options;
        Server = server;
        Admin = Connect(server.AdminKubeconfig);
    }

    public string Folder { get; }

    public ApiServerHost Server { get; private set; }

    /// <summary>A client with all rights.</summary>
    public ClusterClient Admin { get; }

    public static CancellationToken Stopping =>
        CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken, new CancellationTokenSource(TimeSpan.FromMinutes(2)).Token).Token;

    public static async Task<TestCluster> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory($"godwit-node-{Environment.ProcessId}-").FullName;
        var serverOptions = new ApiServerOptions
        {
            DataFolder = Path.Combine(folder, "server"),
            Store = new MemoryRevisionStore(),
            Registry = new ResourceRegistry(BuiltInKinds.All),
            Listen = [new IPEndPoint(IPAddress.Loopback, 0)],
            Loggers = NullLoggerFactory.Instance,
        };
        return new TestCluster(folder, serverOptions, await ApiServerHost.StartAsync(serverOptions, Stopping));
    }

    public AgentOptions AgentOptions(string node) => new()
    {
        Node = NodeName.Parse(node),
        Servers = [Server.Url],
        AuthorityPath = Server.AuthorityPath,
        BootstrapTokenPath = Server.BootstrapTokenPath,
        DataFolder = Path.Combine(Folder, node),
        ImagesFolder = Path.Combine(Folder, "images"),
        UnderlayAddress = IPAddress.Parse("10.66.0.11"),
        AgentListen = new IPEndPoint(IPAddress.Loopback, 0),
        PeerListen = new IPEndPoint(IPAddress.Loopback, 0),
    };

    public ClusterClient Connect(string kubeconfig)
    {
        var client = new ClusterClient(Kubeconfig.Parse(kubeconfig, Folder, "the test's kubeconfig"), TimeProvider.System, NullLogger<ClusterClient>.Instance);
        clients.Add(client);
        return client;
    }

    public Task StopServerAsync() => Server.DisposeAsync().AsTask();

    /// <summary>Starts the server again over the same data, on the same port.</summary>
    public async Task StartServerAsync() =>
        Server = await ApiServerHost.StartAsync(options with { Listen = [new IPEndPoint(IPAddress.Loopback, Server.Ports[0])] }, Stopping);

    /// <summary>Asks until the answer is right.</summary>
    public static async Task<T> UntilAsync<T>(Func<Task<T>> ask, Func<T, bool> isRight)
    {
        var stopping = Stopping;
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (true)
        {
            var answer = await ask();
            if (isRight(answer))
            {
                return answer;
            }

            await look.WaitForNextTickAsync(stopping);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in clients)
        {
            client.Dispose();
        }

        await Server.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
