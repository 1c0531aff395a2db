using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;
using Godwit.Linux.Files;
using Godwit.Linux.Hosts;
using Godwit.Linux.Networking;
using Godwit.Machines;
using Godwit.Networks.Overlays;
using Godwit.Networks.Services;
using Godwit.Node.Guests;
using Godwit.Node.Hosting;
using Godwit.Node.Joining;
using Godwit.Node.Migrations;
using Godwit.Node.Networking;
using Godwit.Node.Peers;
using Godwit.Node.Pods;
using Godwit.Node.Pulling;
using Godwit.Node.Registration;
using Godwit.Node.Services;
using Godwit.Node.Serving;
using Godwit.Volumes;
using Microsoft.Extensions.Logging;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Node;

/// <summary>
/// The agent: makes one host match the API. The order of its start is the order of what it must not lose:
/// <code>
/// lock the data folder ─▶ adopt machines ─▶ read the records ─▶ certificate (joins if there is none)
///   ─▶ follow the API, apply the network, sync guests ─▶ listen for peers and the server ─▶ heartbeat
/// </code>
/// Guests are adopted before the server is asked for anything, and none is touched before it has answered. Ending the
/// agent, in whatever way, ends no guest.
/// </summary>
public static class AgentHost
{
    /// <summary>In the data folder; held by the one agent that runs on it.</summary>
    public const string LockFileName = "agent.lock";

    private const string NamesFolderName = "names";

    private const UnixFileMode DataFolderMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Where the name services of agents write what they are: one folder for each agent whose data folder is below this one.</summary>
    public static IReadOnlyList<string> NameServiceFolders(string agentsFolder) =>
        Directory.Exists(agentsFolder) ? [.. Directory.EnumerateDirectories(agentsFolder).Select(data => Path.Combine(data, NamesFolderName)).Where(Directory.Exists)] : [];

    /// <summary>Ends all pods of the agent with this data folder. For a cluster that is taken down, after its agents have ended.</summary>
    /// <param name="linkPrefix">What the agent's links began with: its table of the packet filter has that in its name, too.</param>
    public static Task EndPodsAsync(string dataFolder, string linkPrefix, TimeProvider time, ILoggerFactory loggers, CancellationToken stopping) =>
        PodAgent.EndAllAsync(dataFolder, linkPrefix, time, loggers, stopping);

    /// <summary>Unmounts what ended machines have left below this data folder. For a cluster that is taken down, after its guests have ended.</summary>
    public static void RemoveMachineMounts(string dataFolder) => MachineHost.RemoveMounts(dataFolder);

    /// <summary>Runs until cancelled.</summary>
    /// <exception cref="JoinException">The node may not join, or the data folder is another's; asking again would not help.</exception>
    /// <exception cref="MachineException">The host lacks what machines need; says what to do.</exception>
    public static async Task RunAsync(AgentOptions options, TimeProvider time, ILoggerFactory loggers, CancellationToken stopping)
    {
        Directory.CreateDirectory(options.DataFolder, DataFolderMode);
        using var alone = FileLock.TryAcquire(Path.Combine(options.DataFolder, LockFileName))
            ?? throw new JoinException($"Another agent runs with the data folder {options.DataFolder}; give this one a folder of its own, or end the other.");
        DurableFile.RemoveLeftovers(options.DataFolder, "machines"); // What is in machines/ belongs to the guests' users.
        await using var machineHost = new MachineHost(
            new MachineHostOptions { DataFolder = options.DataFolder, ControlGroupParent = options.ControlGroupParent, Accelerator = options.Accelerator },
            time,
            loggers.CreateLogger<MachineHost>());
        await using var machines = new LocalMachines(machineHost, loggers.CreateLogger<LocalMachines>());
        await machines.AdoptAsync(stopping);
        var incarnations = new IncarnationJournal(Path.Combine(options.DataFolder, "incarnations"), loggers.CreateLogger<IncarnationJournal>());
        var credentials = NodeCredentials.Open(Path.Combine(options.DataFolder, "pki"), options.AuthorityPath, options.Node);
        var join = new NodeJoin(options, credentials, time, loggers);
        await join.EnsureAsync(stopping);
        using var client = new ClusterClient(join.Connection, time, loggers.CreateLogger<ClusterClient>());
        await using var running = new RunningAgent(
            new AgentFoundation(options, time, loggers, machineHost, machines, incarnations, credentials, join, client));
        await running.RunAsync(stopping);
    }

    /// <summary>What is there before the agent does anything.</summary>
    private sealed record AgentFoundation(
        AgentOptions Options,
        TimeProvider Time,
        ILoggerFactory Loggers,
        MachineHost MachineHost,
        LocalMachines Machines,
        IncarnationJournal Incarnations,
        NodeCredentials Credentials,
        NodeJoin Join,
        ClusterClient Client);

    /// <summary>The agent's parts, wired. Disposed in the reverse order of their making.</summary>
    private sealed class RunningAgent : IAsyncDisposable
    {
        private readonly AgentFoundation foundation;
        private readonly ResourceCache<VirtualMachineInstance> instances;
        private readonly ResourceCache<KubeNode> nodes;
        private readonly ResourceCache<ConfigMap> settings;
        private readonly EventRecorder events;
        private readonly NodeNames nodeNames;
        private readonly OverlaySync overlay;
        private readonly OverlayGuestNetwork network;
        private readonly PeerIdentity identity;
        private readonly PeerServices peers;
        private readonly PeerLinks links;
        private readonly LinkRates rates;
        private readonly IncomingStreams streams;
        private readonly UsageSampler usage;
        private readonly NodeImages images;
        private readonly GuestImages guestImages;
        private readonly MoveAgent mover;
        private readonly GuestSync guests;
        private readonly PodAgent pods;
        private readonly AddressAnnouncements announcements;
        private readonly ServiceSync services;
        private readonly UsageReporter reporter;

        public RunningAgent(AgentFoundation foundation)
        {
            this.foundation = foundation;
            var (options, time, loggers, client) = (foundation.Options, foundation.Time, foundation.Loggers, foundation.Client);
            instances = new ResourceCache<VirtualMachineInstance>(client.For<VirtualMachineInstance>(), ListOptions.All, time, loggers.CreateLogger<ResourceCache<VirtualMachineInstance>>());
            nodes = new ResourceCache<KubeNode>(client.For<KubeNode>(), ListOptions.All, time, loggers.CreateLogger<ResourceCache<KubeNode>>());
            settings = new ResourceCache<ConfigMap>(
                client.For<ConfigMap>(), new ListOptions { Namespace = ClusterNetwork.SettingsKey.Namespace, FieldSelector = $"metadata.name={ClusterNetwork.SettingsKey.Name}" }, time, loggers.CreateLogger<ResourceCache<ConfigMap>>());
            events = new EventRecorder(client, "godwit-agent", options.Node.Value, time, loggers.CreateLogger<EventRecorder>());

            var names = new OverlayNames(options.LinkPrefix);
            nodeNames = new NodeNames(Path.Combine(options.DataFolder, NamesFolderName), time, loggers);
            overlay = new OverlaySync(
                new OverlayMember(names, options.UnderlayAddress, options.Node), new OverlayCaches(settings, nodes, instances), nodeNames, time, loggers);
            network = new OverlayGuestNetwork(names, overlay, time, loggers.CreateLogger<OverlayGuestNetwork>());

            identity = new PeerIdentity(foundation.Credentials.Certificate!, foundation.Credentials.Authorities, time);
            peers = new PeerServices(identity, new PeerMethods(), new PeerLimits(), time, loggers.CreateLogger<PeerListener>());
            var dialer = new PeerDialer(peers);
            links = new PeerLinks(dialer);
            rates = new LinkRates(dialer);
            streams = new IncomingStreams(time);
            usage = new UsageSampler(foundation.Machines, time, loggers.CreateLogger<UsageSampler>());

            images = new NodeImages(options, time, loggers);
            guestImages = new GuestImages(
                new ImagePlaces(images, new ImageFileStore(Path.Combine(options.DataFolder, "guest-images")), new ImageStore(options.ImagesFolder)),
                client.For<Secret>(),
                foundation.MachineHost.HasTraceOf,
                time,
                loggers.CreateLogger<GuestImages>());
            var parts = new AgentServices
            {
                Options = options,
                Client = client,
                Instances = instances,
                Nodes = nodes,
                Events = events,
                MachineHost = foundation.MachineHost,
                Machines = foundation.Machines,
                Incarnations = foundation.Incarnations,
                Builder = Builder(options, time),
                Network = network,
                PeerMethods = peers.Methods,
                PeerDialer = dialer,
                PeerLinks = links,
                LinkRates = rates,
                IncomingStreams = streams,
                Time = time,
                Loggers = loggers,
            };
            mover = new MoveAgent(parts);
            guests = new GuestSync(PartsOf(parts));
            announcements = new AddressAnnouncements(
                options.Node, new AddressAnnouncer(NetworkNamespace.Own, [options.UnderlayAddress, .. options.OtherPeerAddresses], time, loggers.CreateLogger<AddressAnnouncer>()), nodes, events, loggers.CreateLogger<AddressAnnouncements>());
            services = new ServiceSync(options.Node, client, overlay, new ServiceEffects(new ServicePlane(NetworkNamespace.Own, names, time), nodeNames, announcements), time, loggers);
            pods = new PodAgent(new PodAgentParts { Options = options, Client = client, Events = events, Network = new OverlayPodNetwork(names, overlay, time), Images = images, Services = services.KnownAsync, Time = time, Loggers = loggers });
            reporter = new UsageReporter(() => pods.Engine, foundation.Machines, usage, time, loggers.CreateLogger<UsageReporter>());
        }

        public async Task RunAsync(CancellationToken stopping)
        {
            var (options, time, loggers) = (foundation.Options, foundation.Time, foundation.Loggers);
            var facts = await foundation.MachineHost.GetFactsAsync(stopping);
            foreach (var folder in options.SharedStorageFolders)
            {
                StorageIdentity.Ensure(folder);
            }

            await using var listener = new PeerListener(options.PeerAddress, peers, streams);
            var metrics = new AgentMetrics(foundation.Machines, usage, network, listener);
            metrics.Add(mover.Metrics);
            metrics.Add(reporter.Samples);
            await using var server = await AgentServer.StartAsync(options.AgentAddress, ServerParts(metrics), stopping);
            var endpoints = (Agent: Advertised(options.AgentAddress.Address, server.Port), Peer: Advertised(options.PeerAddress.Address, listener.Address.Port));
            var registration = new NodeRegistration(
                options, foundation.Client, () => Describe(facts, endpoints.Agent, endpoints.Peer), time, loggers.CreateLogger<NodeRegistration>());
            await TaskGroup.RunAsync(
                stopping,
                ("guests' objects", instances.RunAsync),
                ("nodes' objects", nodes.RunAsync),
                ("network settings", settings.RunAsync),
                ("events", events.RunAsync),
                ("network", overlay.RunAsync),
                ("guests", guests.RunAsync),
                ("guests' images", guestImages.RunAsync),
                ("pods", pods.RunAsync),
                ("services", services.RunAsync),
                ("names", nodeNames.RunAsync),
                ("moves", mover.RunAsync),
                ("usage", usage.RunAsync),
                ("use of pods", reporter.RunAsync),
                ("heartbeat", registration.RunAsync),
                ("certificate", ending => foundation.Join.RenewForEverAsync(renewed => identity.Renew(renewed, foundation.Credentials.Authorities), ending)));
        }

        public async ValueTask DisposeAsync()
        {
            await pods.DisposeAsync();
            announcements.Dispose();
            guests.Dispose();
            mover.Dispose();
            guestImages.Dispose();
            images.Dispose();
            await links.DisposeAsync();
            rates.Dispose();
            network.Dispose();
            nodeNames.Dispose();
        }

        private GuestSyncParts PartsOf(AgentServices services) => new()
        {
            Node = services.Options.Node,
            Instances = services.Client.For<VirtualMachineInstance>(),
            Cache = services.Instances,
            Events = services.Events,
            Machines = services.Machines,
            Journal = services.Incarnations,
            Handovers = mover,
            Builder = services.Builder,
            Network = services.Network,
            Usage = usage,
            Time = services.Time,
            Logger = services.Loggers.CreateLogger<GuestSync>(),
        };

        private GuestBuilder Builder(AgentOptions options, TimeProvider time)
        {
            var disks = new DiskMaker(time);
            var storage = new GuestStorage(new ImageStore(options.ImagesFolder), guestImages, disks, new HostDisks(options.SharedStorageFolders, disks), new CloudInitSeed(time));
            return new GuestBuilder(foundation.MachineHost, foundation.Machines, network, storage, new CloudInitReader(foundation.Client.For<Secret>()));
        }

        private AgentServerParts ServerParts(AgentMetrics metrics) => new()
        {
            Certificate = () => foundation.Credentials.Certificate!,
            Authorities = foundation.Credentials.Authorities,
            Machines = foundation.Machines,
            Handovers = mover,
            Pods = () => pods.Door,
            Metrics = metrics.Write,
            Usage = () => reporter.Current,
            Time = foundation.Time,
            Loggers = foundation.Loggers,
        };

        private System.Net.IPEndPoint Advertised(System.Net.IPAddress listening, int port) =>
            new(listening.Equals(System.Net.IPAddress.Any) || listening.Equals(System.Net.IPAddress.IPv6Any) ? foundation.Options.UnderlayAddress : listening, port);

        private NodeDescription Describe(MachineHostFacts facts, System.Net.IPEndPoint agent, System.Net.IPEndPoint peer)
        {
            var options = foundation.Options;
            return new NodeDescription
            {
                Machines = facts,
                AgentEndpoint = agent,
                PeerEndpoints = [peer, .. options.OtherPeerAddresses.Select(address => new System.Net.IPEndPoint(address, peer.Port))],
                Images = Directory.Exists(options.ImagesFolder) ? [.. Directory.EnumerateDirectories(options.ImagesFolder).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)] : [],
                StorageIds = [.. options.SharedStorageFolders.Select(StorageIdentity.Find).OfType<StorageIdentity>().Select(storage => storage.Id.ToString()).Order(StringComparer.Ordinal)],
                System = NodeDescription.ReadSystem(facts),
                MemoryBytes = options.MemoryBytes ?? HostFacts.MemoryBytes,
                MemoryAvailableBytes = HostFacts.MemoryAvailableBytes,
                DiskAvailableBytes = HostFacts.DiskAvailableBytes(options.DataFolder),
            };
        }
    }
}
