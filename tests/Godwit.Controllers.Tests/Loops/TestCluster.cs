using System.Net;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.Api.Scheduling.V1;
using Godwit.ApiServer;
using Godwit.Store;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Controllers.Tests.Loops;

/// <summary>A real API server on a loopback port and the real controllers; nodes are <see cref="FakeAgent"/>s.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly CancellationTokenSource ending = new();
    private readonly List<FakeAgent> agents = [];
    private readonly string folder;
    private readonly MemoryRevisionStore store;
    private readonly ApiServerHost server;
    private readonly ClusterClient controllersClient;
    private readonly TimeProvider clock;
    private Task controllers = Task.CompletedTask;
    private ControllerHost? leader;

    private TestCluster(string folder, MemoryRevisionStore store, ApiServerHost server, TimeProvider clock)
    {
        this.folder = folder;
        this.store = store;
        this.server = server;
        this.clock = clock;
        Client = Connect(server.AdminKubeconfig);
        Pods = new FakePods(Client, clock);
        controllersClient = Connect(server.ControllersKubeconfig);
    }

    public static CancellationToken Stopping => TestContext.Current.CancellationToken;

    /// <summary>The file with which kubectl has all rights here.</summary>
    public string KubeconfigPath => Path.Combine(folder, "admin.kubeconfig");

    /// <summary>With all rights.</summary>
    public ClusterClient Client { get; }

    /// <summary>What each controller has done.</summary>
    public IReadOnlyDictionary<string, ControllerCounts> Counts => leader!.Counts;

    /// <summary>What runs the pods of all nodes.</summary>
    public FakePods Pods { get; }

    /// <summary>A server and controllers, the guests' network stated.</summary>
    /// <param name="clock">The controllers' clock; the server keeps the real time.</param>
    /// <param name="cidr">The guests' network.</param>
    /// <param name="limits">How many moves at a time.</param>
    public static async Task<TestCluster> StartAsync(TimeProvider? clock = null, string cidr = "10.77.0.0/24", MigrationLimits? limits = null)
    {
        var data = Directory.CreateTempSubdirectory($"godwit-controllers-{Environment.ProcessId}-").FullName;
        var memory = new MemoryRevisionStore();
        ControllerHost? controllerHost = null;
        var host = await ApiServerHost.StartAsync(
            new ApiServerOptions
            {
                DataFolder = data,
                Store = memory,
                Registry = new ResourceRegistry(BuiltInKinds.All),
                Listen = [new IPEndPoint(IPAddress.Loopback, 0)],
                Loggers = Loggers(), // What the server keeps from its clients, the test shows.
                MoreMetrics = () => controllerHost?.WriteMetrics() ?? "",
            },
            Stopping);
        await File.WriteAllTextAsync(Path.Combine(data, "admin.kubeconfig"), host.AdminKubeconfig, Stopping);
        var cluster = new TestCluster(data, memory, host, clock ?? TimeProvider.System);
        await cluster.Client.For<ConfigMap>().CreateAsync(
            new ConfigMap
            {
                Metadata = new ObjectMeta { Namespace = NamespaceNames.KubeSystem, Name = "godwit-network" },
                Data = new Dictionary<string, string> { ["cidr"] = cidr },
            },
            Stopping);
        var options = new ControllerOptions { Identity = "test", Migrations = limits ?? new MigrationLimits(), LeaseDuration = TimeSpan.FromDays(1) };
        controllerHost = new ControllerHost(cluster.controllersClient, options, cluster.clock, Loggers());
        cluster.leader = controllerHost;
        cluster.controllers = controllerHost.RunAsync(cluster.ending.Token);
        return cluster;
    }

    /// <summary>A node whose agent has reported and which the controllers have seen so: they have answered with its address.</summary>
    public async Task<FakeAgent> AddNodeAsync(string name, string memory = "4Gi")
    {
        var agent = await FakeAgent.StartAsync(Client, name, memory, clock);
        agents.Add(agent);
        await UntilAsync<Node>(name, node => node.Metadata.Annotations.ContainsKey(AnnotationNames.StationAddress));
        return agent;
    }

    public FakeAgent Node(string name) => agents.Single(agent => agent.Name == name);

    public Task<VirtualMachine> CreateVmAsync(string name, string strategy = RunStrategies.Always, string memory = "512Mi") =>
        Client.For<VirtualMachine>().CreateAsync(
            new VirtualMachine
            {
                Metadata = new ObjectMeta { Namespace = "default", Name = name },
                Spec = new VirtualMachineSpec
                {
                    RunStrategy = strategy,
                    Template = new VirtualMachineInstanceTemplate
                    {
                        Metadata = new ObjectMeta { Labels = new Dictionary<string, string> { ["app"] = name } },
                        Spec = new VirtualMachineInstanceSpec { Domain = new DomainSpec { Memory = new Memory { Guest = Quantity.Parse(memory) } } },
                    },
                },
            },
            Stopping);

    public Task<Pod> CreatePodAsync(string name, string? memory = null, string? priorityClass = null, IReadOnlyDictionary<string, string>? labels = null) =>
        Client.For<Pod>().CreateAsync(
            new Pod
            {
                Metadata = new ObjectMeta { Namespace = "default", Name = name, Labels = labels ?? ObjectMeta.Empty },
                Spec = new PodSpec
                {
                    PriorityClassName = priorityClass,
                    Containers =
                    [
                        new Container
                        {
                            Name = "main",
                            Image = "tiny",
                            Resources = memory is null ? null : new ContainerResources { Requests = new Dictionary<string, Quantity> { ["memory"] = Quantity.Parse(memory) } },
                        },
                    ],
                },
            },
            Stopping);

    public Task<PriorityClass> CreatePriorityAsync(string name, int value, string? preemptionPolicy = null) => Client.For<PriorityClass>().CreateAsync(
        new PriorityClass { Metadata = new ObjectMeta { Name = name }, Value = value, PreemptionPolicy = preemptionPolicy }, Stopping);

    public Task<VirtualMachineInstanceMigration> MigrateAsync(string vmi, string name, string? to = null) =>
        Client.For<VirtualMachineInstanceMigration>().CreateAsync(
            new VirtualMachineInstanceMigration
            {
                Metadata = new ObjectMeta { Namespace = "default", Name = name },
                Spec = new VirtualMachineInstanceMigrationSpec
                {
                    VmiName = vmi,
                    AddedNodeSelector = to is null ? [] : new Dictionary<string, string> { [LabelNames.Hostname] = to },
                },
            },
            Stopping);

    /// <summary>Waits until an object is as wanted, and returns it; fails after two minutes with what it was.</summary>
    public async Task<T> UntilAsync<T>(string name, Func<T, bool> condition, string @namespace = "default", Action? meanwhile = null)
        where T : Resource, IResource<T>
    {
        var key = new ResourceKey(T.Type.Namespaced ? @namespace : "", name);
        T? seen = null;
        await Eventually.HoldsAsync(
            async () =>
            {
                meanwhile?.Invoke();
                return (seen = await Client.For<T>().FindAsync(key, Stopping)) is not null && condition(seen);
            },
            () => seen is null ? $"{T.Type.Kind} {key} does not exist" : GodwitJson.Serialize(seen));
        return seen!;
    }

    /// <summary>Lets a second pass, in which the living nodes beat and the controllers have seen it: a watch that lags must not look like silence.</summary>
    public async Task PassAsync(FakeTimeProvider time, params IReadOnlyList<FakeAgent> living)
    {
        time.Advance(TimeSpan.FromSeconds(1));
        foreach (var agent in living)
        {
            var looks = Counts["nodelifecycle"].Runs;
            await agent.BeatAsync(time.GetUtcNow());
            await Eventually.HoldsAsync(() => Task.FromResult(Counts["nodelifecycle"].Runs > looks), () => "the heartbeat is not looked at");
        }
    }

    public Task UntilGoneAsync<T>(string name)
        where T : Resource, IResource<T> => Eventually.HoldsAsync(
            async () => await Client.For<T>().FindAsync(new ResourceKey(T.Type.Namespaced ? "default" : "", name), Stopping) is null,
            () => $"{T.Type.Kind} {name} is still there");

    public Task<Event> EventAsync(string reason, string about) => EventAsync(told => told.Reason == reason && told.InvolvedObject.Name == about, $"{reason} about {about}");

    public async ValueTask DisposeAsync()
    {
        foreach (var agent in agents)
        {
            await agent.DisposeAsync();
        }

        await Pods.DisposeAsync();
        await ending.CancelAsync();
        await controllers;
        Client.Dispose();
        controllersClient.Dispose();
        await server.DisposeAsync();
        await store.DisposeAsync();
        ending.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private async Task<Event> EventAsync(Func<Event, bool> condition, string what)
    {
        Event? found = null;
        await Eventually.HoldsAsync(
            async () => (found = (await Client.For<Event>().ListAsync(ListOptions.All, Stopping)).Items.FirstOrDefault(condition)) is not null,
            () => $"no event {what}");
        return found!;
    }

    private static ClusterClient Connect(string kubeconfig) =>
        new(Kubeconfig.Parse(kubeconfig, "/", "the server's own kubeconfig"), TimeProvider.System, NullLogger<ClusterClient>.Instance);

    private static ILoggerFactory Loggers() => LoggerFactory.Create(builder => builder.AddProvider(new TestOutputLogger()));
}

internal static class Eventually
{
    public static async Task HoldsAsync(Func<Task<bool>> condition, Func<string> found)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!await condition())
        {
            Assert.False(bound.IsCancellationRequested, $"Not so within two minutes; last seen: {found()}");
            await look.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }
}

/// <summary>Logs of warnings to the output of the test that runs.</summary>
internal sealed class TestOutputLogger : ILoggerProvider, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"{logLevel}: {formatter(state, exception)}");
        }
    }

    public void Dispose()
    {
    }
}
