using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Machines;
using Godwit.Node.Guests;
using Godwit.Node.Joining;
using Godwit.Node.Pulling;
using Godwit.Node.Tests.Clusters;
using Godwit.Node.Tests.Joining;
using Godwit.Volumes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Node.Tests.Guests;

/// <summary>A node whose machines and network are pretended, and whose sync of guests with a real server is real.</summary>
internal sealed class TestNode(TestCluster cluster) : IAsyncDisposable
{
    private CancellationTokenSource? running;
    private Task? agent;

    public FakeMachineHost Host { get; } = new(Path.Combine(cluster.Folder, "machines"));

    public FakeNetwork Network { get; } = new();

    /// <summary>What guests have of images of layers.</summary>
    public string GuestImagesFolder { get; } = Path.Combine(cluster.Folder, "guest-images");

    public string ImagesFolder { get; } = Path.Combine(cluster.Folder, "images");

    public FakeHandovers Handovers { get; } = new();

    public ResourceClient<VirtualMachineInstance> Guests { get; } = cluster.Admin.For<VirtualMachineInstance>();

    /// <summary>Starts an agent over what is there; <see cref="KillAgentAsync"/> ends it and nothing else.</summary>
    public async Task StartAgentAsync()
    {
        WriteTinyImage();
        var options = cluster.AgentOptions("node-1");
        var credentials = NodeJoinTests.Open(options);
        var join = NodeJoinTests.Join(options, credentials);
        await join.EnsureAsync(TestCluster.Stopping);
        running = new CancellationTokenSource();
        agent = RunAsync(options, join, running.Token);
    }

    public async Task KillAgentAsync()
    {
        await running!.CancelAsync();
        await agent!;
        running.Dispose();
        running = null;
    }

    /// <summary>A guest as the scheduler leaves it: with an address, placed on a node.</summary>
    public async Task<VirtualMachineInstance> ScheduleAsync(string name, Func<VirtualMachineInstanceSpec, VirtualMachineInstanceSpec>? change = null, string node = "node-1")
    {
        var spec = new VirtualMachineInstanceSpec
        {
            Domain = new DomainSpec
            {
                Memory = new Memory { Guest = Quantity.Parse("64Mi") },
                Firmware = new Firmware { KernelBoot = new KernelBoot { Container = new KernelBootContainer { Image = "tiny", KernelPath = "/vmlinuz", InitrdPath = "/initrd" }, KernelArgs = "console=ttyS0" } },
                Devices = new Devices { Interfaces = [new Interface { Name = "default", Bridge = new InterfaceBridge() }] },
            },
            Networks = [new Network { Name = "default", Pod = new PodNetwork() }],
        };
        var made = await Guests.CreateAsync(
            new VirtualMachineInstance { Metadata = new ObjectMeta { Namespace = "default", Name = name }, Spec = change?.Invoke(spec) ?? spec }, TestCluster.Stopping);
        var placed = made with
        {
            Status = made.Status with
            {
                Phase = VirtualMachineInstancePhases.Scheduled,
                NodeName = node,
                Interfaces = [new InterfaceStatus { Name = "default", Mac = "02:00:00:00:00:07", IpAddress = "10.77.0.7", IpAddresses = ["10.77.0.7"] }],
            },
        };
        return await Guests.ChangeStatusAsync(made, placed, TestCluster.Stopping);
    }

    public Task<VirtualMachineInstance?> FindAsync(string name) => Guests.FindAsync(new ResourceKey("default", name), TestCluster.Stopping);

    /// <summary>The guest once it is in this phase.</summary>
    public async Task<VirtualMachineInstance> UntilAsync(string name, string phase) =>
        (await TestCluster.UntilAsync(() => FindAsync(name), guest => guest?.Status.Phase == phase))!;

    public FakeMachine MachineOf(VirtualMachineInstance guest) => Host.Machines[IdOf(guest)];

    public static MachineId IdOf(VirtualMachineInstance guest) => new(Guid.Parse(guest.Metadata.Uid));

    public async ValueTask DisposeAsync()
    {
        if (running is not null)
        {
            await KillAgentAsync();
        }
    }

    private async Task RunAsync(AgentOptions options, NodeJoin join, CancellationToken stopping)
    {
        using var client = new ClusterClient(join.Connection, TimeProvider.System, NullLogger<ClusterClient>.Instance);
        var cache = new ResourceCache<VirtualMachineInstance>(client.For<VirtualMachineInstance>(), ListOptions.All, TimeProvider.System, NullLogger.Instance);
        var events = new EventRecorder(client, "godwit-agent", options.Node.Value, TimeProvider.System, NullLogger.Instance);
        await using var machines = new LocalMachines(Host, NullLogger.Instance);
        await machines.AdoptAsync(stopping);
        var disks = new DiskMaker(TimeProvider.System);
        using var images = new NodeImages(options, TimeProvider.System, NullLoggerFactory.Instance);
        using var layered = new GuestImages(
            new ImagePlaces(images, new ImageFileStore(GuestImagesFolder), new ImageStore(options.ImagesFolder)), client.For<Secret>(), Host.HasTraceOf, TimeProvider.System, NullLogger.Instance);
        var storage = new GuestStorage(new ImageStore(options.ImagesFolder), layered, disks, new HostDisks([], disks), new CloudInitSeed(TimeProvider.System));
        using var sync = new GuestSync(new GuestSyncParts
        {
            Node = options.Node,
            Instances = client.For<VirtualMachineInstance>(),
            Cache = cache,
            Events = events,
            Machines = machines,
            Journal = new IncarnationJournal(Path.Combine(options.DataFolder, "incarnations"), NullLogger.Instance),
            Handovers = Handovers,
            Builder = new GuestBuilder(Host, machines, Network, storage, new CloudInitReader(client.For<Secret>())),
            Network = Network,
            Usage = new UsageSampler(machines, TimeProvider.System, NullLogger.Instance),
            Time = TimeProvider.System,
            Logger = NullLogger.Instance,
        });
        await Task.WhenAll(cache.RunAsync(stopping), events.RunAsync(stopping), layered.RunAsync(stopping), sync.RunAsync(stopping)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Files that pass for a kernel and an initial memory disk; nothing boots them here.</summary>
    private void WriteTinyImage()
    {
        var folder = Directory.CreateDirectory(Path.Combine(cluster.Folder, "images", "tiny")).FullName;
        var kernel = new byte[0x400];
        (kernel[0x1fe], kernel[0x1ff]) = (0x55, 0xAA);
        "HdrS"u8.CopyTo(kernel.AsSpan(0x202));
        File.WriteAllBytes(Path.Combine(folder, "vmlinuz"), kernel);
        File.WriteAllBytes(Path.Combine(folder, "initrd"), "070701"u8.ToArray());
    }
}
