using System.Net;
using Godwit.Api.Core.V1;
using Godwit.Api.Kinds;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Meta.V1;
using Godwit.ApiServer;
using Godwit.Base;
using Godwit.Client;
using Godwit.Controllers;
using Godwit.Node;
using Godwit.Real.Tests.Labs;
using Godwit.Real.Tests.Machines;
using Godwit.Store;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Real.Tests.Nodes;

/// <summary>A server, its controllers and one agent in this process; the guest, its network and its DHCP are real.</summary>
[Trait("Needs", "root")]
[Trait("Needs", "qemu")]
public sealed class AgentTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(4);

    [Fact]
    public async Task A_virtual_machine_boots_gets_its_address_by_DHCP_outlives_its_agent_and_goes_without_a_trace()
    {
        var image = await Guests.RequireAsync("tiny", TestContext.Current.CancellationToken);
        await using var cluster = await SmallCluster.StartAsync(Path.GetDirectoryName(image.Folder)!);
        await cluster.StartAgentAsync();
        var guest = await cluster.CreateTinyAsync("tiny");
        var address = guest.Status.Interfaces.Single().IpAddress!;

        await Eventually.IsTrueAsync("the guest answers HTTP at the address that the cluster gave it", Bound, () => cluster.AnswersAsync(address));
        Assert.Equal("gw-test", await cluster.LabelOfNodeAsync());

        // The agent goes and comes back; the guest does not notice.
        var process = SmallCluster.QemuOf(guest.Metadata.Uid);
        await cluster.StopAgentAsync();
        Assert.True(await cluster.AnswersAsync(address));
        await cluster.StartAgentAsync();
        var cpu = await Eventually.GetAsync("the new agent tells what the guest uses", Bound, async () => (await cluster.FindAsync("tiny"))?.Status.Usage is { MemoryBytes: > 0 } usage ? usage : null);
        Assert.True(cpu.MemoryBytes > 1 << 20);
        Assert.Equal(process, SmallCluster.QemuOf(guest.Metadata.Uid));
        Assert.Equal("Running", (await cluster.FindAsync("tiny"))!.Status.Phase);

        await cluster.Admin.For<VirtualMachine>().DeleteAsync(new ResourceKey("default", "tiny"), new DeleteOptions(), TestContext.Current.CancellationToken);
        await Eventually.IsTrueAsync("the guest's object is gone", Bound, async () => await cluster.FindAsync("tiny") is null);
        Assert.Null(SmallCluster.QemuOf(guest.Metadata.Uid));
        await Eventually.IsTrueAsync("nothing of the guest is left in the data folder", Bound, () => Task.FromResult(cluster.LeftOf(guest.Metadata.Uid).Count == 0));
    }

    private sealed class SmallCluster : IAsyncDisposable
    {
        private static readonly HttpClient Http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(2), UseProxy = false }) { Timeout = TimeSpan.FromSeconds(5) };

        private readonly CancellationTokenSource controllersStopping = new();
        private readonly string prefix = $"t{Apart.Process}";
        private readonly string folder;
        private readonly string images;
        private readonly ApiServerHost server;
        private readonly Task controllers;
        private CancellationTokenSource? agentStopping;
        private Task? agent;

        private SmallCluster(string folder, string images, ApiServerHost server)
        {
            this.folder = folder;
            this.images = images;
            this.server = server;
            Admin = Connect(server.AdminKubeconfig);
            controllers = new ControllerHost(Connect(server.ControllersKubeconfig), new ControllerOptions { Identity = "test" }, TimeProvider.System, NullLoggerFactory.Instance).RunAsync(controllersStopping.Token);
        }

        public ClusterClient Admin { get; }

        private static CancellationToken Stopping => TestContext.Current.CancellationToken;

        public static async Task<SmallCluster> StartAsync(string images)
        {
            var place = Path.Combine("/var/tmp", $"godwit-agent-{Environment.ProcessId}");
            Directory.CreateDirectory(place, (UnixFileMode)0b111_001_001);
            var started = await ApiServerHost.StartAsync(
                new ApiServerOptions
                {
                    DataFolder = Path.Combine(place, "server"),
                    Store = new MemoryRevisionStore(),
                    Registry = new ResourceRegistry(BuiltInKinds.All),
                    Listen = [new IPEndPoint(IPAddress.Loopback, 0)],
                    Loggers = NullLoggerFactory.Instance,
                },
                Stopping);
            var cluster = new SmallCluster(place, images, started);
            var third = Environment.ProcessId % 250;
            await cluster.Admin.For<ConfigMap>().CreateAsync(
                new ConfigMap
                {
                    Metadata = new ObjectMeta { Namespace = "kube-system", Name = "godwit-network" },
                    Data = new Dictionary<string, string>
                    {
                        ["cidr"] = $"10.231.{third}.0/24",
                        ["gateway"] = $"10.231.{third}.1",
                        ["vni"] = $"{100_000 + (Environment.ProcessId % 100_000)}",
                        ["mtu"] = "1450",
                        ["domain"] = "vm.cluster.local",
                    },
                },
                Stopping);
            return cluster;
        }

        public async Task StartAgentAsync()
        {
            agentStopping = new CancellationTokenSource();
            agent = AgentHost.RunAsync(
                new AgentOptions
                {
                    Node = NodeName.Parse("node-1"),
                    Servers = [server.Url],
                    AuthorityPath = server.AuthorityPath,
                    BootstrapTokenPath = server.BootstrapTokenPath,
                    DataFolder = Path.Combine(folder, "agent"),
                    ImagesFolder = images,
                    UnderlayAddress = IPAddress.Loopback,
                    AgentListen = new IPEndPoint(IPAddress.Loopback, 0),
                    PeerListen = new IPEndPoint(IPAddress.Loopback, 0),
                    Labels = new Dictionary<string, string> { ["test"] = "gw-test" },
                    ReservedMemoryBytes = 0,
                    ControlGroupParent = $"godwit-{Environment.ProcessId}",
                    LinkPrefix = prefix,
                    Accelerator = Godwit.Machines.Accelerator.Tcg,
                },
                TimeProvider.System,
                NullLoggerFactory.Instance,
                agentStopping.Token);
            var ready = Eventually.IsTrueAsync("the node is ready", Bound, async () =>
                (await Admin.For<Api.Core.V1.Node>().FindAsync(new ResourceKey("", "node-1"), Stopping))?.Status.Conditions.Any(condition => condition is { Type: "Ready", Status: "True" }) == true);
            await await Task.WhenAny(ready, agent);
        }

        public async Task StopAgentAsync()
        {
            using var ending = agentStopping!;
            agentStopping = null;
            await ending.CancelAsync();
            await agent!;
        }

        public async Task<VirtualMachineInstance> CreateTinyAsync(string name)
        {
            var template = new VirtualMachineInstanceSpec
            {
                TerminationGracePeriodSeconds = 20,
                Domain = new DomainSpec
                {
                    Memory = new Memory { Guest = Quantity.Parse("128Mi") },
                    Firmware = new Firmware
                    {
                        KernelBoot = new KernelBoot { Container = new KernelBootContainer { Image = "tiny", KernelPath = "/vmlinuz", InitrdPath = "/initrd" }, KernelArgs = "console=ttyS0 quiet" },
                    },
                    Devices = new Devices { Interfaces = [new Interface { Name = "default", Bridge = new InterfaceBridge() }] },
                },
                Networks = [new Network { Name = "default", Pod = new PodNetwork() }],
            };
            await Admin.For<VirtualMachine>().CreateAsync(
                new VirtualMachine
                {
                    Metadata = new ObjectMeta { Namespace = "default", Name = name },
                    Spec = new VirtualMachineSpec { RunStrategy = "Always", Template = new VirtualMachineInstanceTemplate { Spec = template } },
                },
                Stopping);
            return await Eventually.GetAsync(
                "the guest runs",
                Bound,
                async () => await FindAsync(name) is { Status.Phase: "Running" } running ? running : null);
        }

        public Task<VirtualMachineInstance?> FindAsync(string name) => Admin.For<VirtualMachineInstance>().FindAsync(new ResourceKey("default", name), Stopping);

        public async Task<string> LabelOfNodeAsync() => (await Admin.For<Api.Core.V1.Node>().GetAsync(new ResourceKey("", "node-1"), Stopping)).Metadata.Labels["test"];

        public async Task<bool> AnswersAsync(string address)
        {
            using var response = await Http.GetAsync(new Uri($"http://{address}/"), Stopping);
            return response.IsSuccessStatusCode;
        }

        /// <summary>The QEMU of a guest, by its UUID on the command line; zombies are none.</summary>
        public static string? QemuOf(string uid)
        {
            foreach (var process in Directory.EnumerateDirectories("/proc").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0])))
            {
                try
                {
                    if (File.ReadAllText(Path.Combine(process, "cmdline")) is var line && line.Contains("qemu", StringComparison.Ordinal) && line.Contains(uid, StringComparison.Ordinal))
                    {
                        return process;
                    }
                }
                catch (Exception error) when (error is IOException or UnauthorizedAccessException)
                {
                    // It ended while we looked.
                }
            }

            return null;
        }

        public IReadOnlyList<string> LeftOf(string uid) =>
            [.. Directory.EnumerateFileSystemEntries(Path.Combine(folder, "agent"), $"*{uid}*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true })];

        public async ValueTask DisposeAsync()
        {
            if (agentStopping is not null)
            {
                await StopAgentAsync();
            }

            await controllersStopping.CancelAsync();
            await controllers.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await server.DisposeAsync();
            await AgentRemains.RemoveAsync(Path.Combine(folder, "agent"), prefix);
            Directory.Delete(folder, recursive: true);
        }

        private ClusterClient Connect(string kubeconfig) =>
            new(Kubeconfig.Parse(kubeconfig, folder, "the test's kubeconfig"), TimeProvider.System, NullLogger<ClusterClient>.Instance);
    }
}
