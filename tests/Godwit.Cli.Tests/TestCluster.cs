using System.Net;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.Api.Meta.V1;
using Godwit.ApiServer;
using Godwit.Client;
using Godwit.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.Cli.Tests;

/// <summary>
/// A real API server in this process, with no controllers and no agents: the test plays them by writing what they would
/// write. Its clock stands still, so that ages in tables do too.
/// </summary>
public sealed class TestCluster : IAsyncDisposable
{
    private readonly string folder;
    private readonly MemoryRevisionStore store;
    private readonly ApiServerHost host;

    private TestCluster(string folder, MemoryRevisionStore store, ApiServerHost host, FakeTimeProvider clock)
    {
        this.folder = folder;
        this.store = store;
        this.host = host;
        Clock = clock;
        KubeconfigPath = Path.Combine(folder, "admin.kubeconfig");
        File.WriteAllText(KubeconfigPath, host.AdminKubeconfig);
        Client = new ClusterClient(Kubeconfig.Load(KubeconfigPath), TimeProvider.System, NullLogger<ClusterClient>.Instance);
    }

    public static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public FakeTimeProvider Clock { get; }

    public string KubeconfigPath { get; }

    /// <summary>What controllers and agents write with.</summary>
    public ClusterClient Client { get; }

    public static async Task<TestCluster> StartAsync()
    {
        var data = Directory.CreateTempSubdirectory($"godwit-cli-{Environment.ProcessId}-").FullName;
        var memory = new MemoryRevisionStore();
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var server = await ApiServerHost.StartAsync(
            new ApiServerOptions
            {
                DataFolder = data,
                Store = memory,
                Registry = new ResourceRegistry(BuiltInKinds.All),
                Listen = [new IPEndPoint(IPAddress.Loopback, 0)],
                Loggers = NullLoggerFactory.Instance,
                Clock = clock,
            },
            Stopping);
        return new TestCluster(data, memory, server, clock);
    }

    /// <summary>What a command line that succeeds prints.</summary>
    public async Task<string> PrintedAsync(params string[] arguments)
    {
        var ran = await RunAsync(arguments);
        Assert.True(ran.ExitCode == ExitCodes.Done, ran.Error);
        return ran.Output;
    }

    /// <summary>One command line, run to its end.</summary>
    public Task<Ran> RunAsync(params string[] arguments) => Ran.RunAsync(World, arguments, Stopping);

    public World World => new() { KubeconfigPath = KubeconfigPath, Clock = Clock };

    public async Task<Node> AddNodeAsync(string name)
    {
        var node = await Client.For<Node>().CreateAsync(
            new Node
            {
                Metadata = new ObjectMeta
                {
                    Name = name,
                    Annotations = new Dictionary<string, string> { [AnnotationNames.Accelerator] = "tcg", [AnnotationNames.QemuVersion] = "10.0.2" },
                },
            },
            Stopping);
        return await Client.For<Node>().ChangeStatusAsync(
            node,
            node with
            {
                Status = new NodeStatus
                {
                    Allocatable = new Dictionary<string, Base.Quantity> { [Quantities.Cpu] = Base.Quantity.Parse("2"), [Quantities.Memory] = Base.Quantity.Parse("4Gi") },
                    Conditions = [new NodeCondition { Type = NodeConditionTypes.Ready, Status = ConditionStatuses.True }],
                },
            },
            Stopping);
    }

    /// <summary>A machine with a guest that runs on the node.</summary>
    public async Task<VirtualMachineInstance> AddGuestAsync(string name, string nodeName)
    {
        Assert.Equal(ExitCodes.Done, (await RunAsync("vm", "create", name)).ExitCode);
        var vm = await Client.For<VirtualMachine>().GetAsync(new ResourceKey("default", name), Stopping);
        await Client.For<VirtualMachine>().ChangeStatusAsync(vm, vm with { Status = new VirtualMachineStatus { PrintableStatus = PrintableStatuses.Running, Ready = true } }, Stopping);
        var guest = await Client.For<VirtualMachineInstance>().CreateAsync(
            new VirtualMachineInstance { Metadata = new ObjectMeta { Name = name, Namespace = "default" }, Spec = vm.Spec.Template.Spec }, Stopping);
        return await Client.For<VirtualMachineInstance>().ChangeStatusAsync(
            guest,
            guest with
            {
                Status = new VirtualMachineInstanceStatus
                {
                    NodeName = nodeName,
                    Phase = VirtualMachineInstancePhases.Running,
                    Interfaces = [new InterfaceStatus { Name = "default", IpAddress = "10.200.0.7", Mac = "02:00:00:00:00:07" }],
                    Machine = new Machine { Type = "pc-q35-10.0" },
                    Usage = new ResourceUsage { CpuMillicores = 120, MemoryBytes = 200L << 20 },
                },
            },
            Stopping);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await host.DisposeAsync();
        await store.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }
}
