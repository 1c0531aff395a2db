using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Containers;
using Godwit.Images;
using Godwit.Linux.ControlGroups;
using Godwit.Linux.Hosts;
using Godwit.Node.Pulling;
using Godwit.Node.Streaming;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Pods;

/// <summary>What the part of the agent that runs pods is made of.</summary>
internal sealed record PodAgentParts
{
    public required AgentOptions Options { get; init; }

    public required ClusterClient Client { get; init; }

    public required EventRecorder Events { get; init; }

    public required IPodNetwork Network { get; init; }

    public required NodeImages Images { get; init; }

    /// <summary>All services, once they are known.</summary>
    public required Func<CancellationToken, Task<IEnumerable<Service>>> Services { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILoggerFactory Loggers { get; init; }
}

/// <summary>
/// The agent's part that runs pods: a container engine and volumes of its own, over the node's images, below the agent's data folder. It begins when the server serves pods, and
/// takes over what runs then. When it ends, in whatever way, containers run on.
/// </summary>
internal sealed partial class PodAgent(PodAgentParts parts) : IAsyncDisposable
{
    private const string RunRoot = "/run/godwit-pods";
    private const int PlaceDigits = 8;

    private static readonly TimeSpan ServedLook = TimeSpan.FromSeconds(15);

    private readonly ILogger logger = parts.Loggers.CreateLogger<PodAgent>();
    private PodSync? sync;
    private VolumeKeeper? keeper;
    private PressureWatch? pressure;

    /// <summary>What streams are asked of; null before pods are run here.</summary>
    public PodDoor? Door { get; private set; }

    /// <summary>What runs the pods' containers; null before pods are run here.</summary>
    public ContainerEngine? Engine { get; private set; }

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await UntilServedAsync(stopping);
            var cache = new ResourceCache<Pod>(parts.Client.For<Pod>(), new ListOptions { FieldSelector = $"spec.nodeName={parts.Options.Node.Value}" }, parts.Time, parts.Loggers.CreateLogger<ResourceCache<Pod>>());
            await OpenAsync(cache, stopping);
            await Task.WhenAll(cache.RunAsync(stopping), sync!.RunAsync(stopping), keeper!.RunAsync(stopping), pressure!.RunAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The agent ends.
        }
    }

    /// <summary>Ends all pods of the agent with this data folder, and takes what is left of them from the host. For a cluster that is taken down; idempotent.</summary>
    public static async Task EndAllAsync(string dataFolder, string linkPrefix, TimeProvider time, ILoggerFactory loggers, CancellationToken stopping)
    {
        var home = NodeImages.HomeOf(dataFolder);
        if (!Directory.Exists(Path.Combine(home, "engine")))
        {
            return;
        }

        var volumes = new PodVolumes(Path.Combine(home, "volumes"), "", new ClaimedVolumes(ClaimedVolumes.FolderOf(dataFolder)));
        var engineOptions = OptionsOf(dataFolder, linkPrefix, "godwit");
        DataFormat.Require(engineOptions.DataFolder); // The image store would tidy up first.
        using (var store = ImageStore.Open(new ImageStoreOptions { Folder = NodeImages.StoreFolderOf(dataFolder) }, time, loggers.CreateLogger<ImageStore>()))
        await using (var all = await ContainerEngine.OpenAsync(engineOptions, new ImageRootFileSystems(NodeImages.StoreFolderOf(dataFolder), store), time, loggers.CreateLogger<ContainerEngine>(), stopping))
        {
            foreach (var container in all.List())
            {
                await all.RemoveAsync(container.Id.Value, new RemoveOptions(Force: true, Volumes: true), stopping);
            }

            foreach (var sandbox in all.Sandboxes.List())
            {
                await all.RemoveSandboxAsync(sandbox.Spec.Id, stopping);
            }

            await all.Networks.RemoveFromHostAsync(stopping);
        }

        foreach (var uid in volumes.List())
        {
            volumes.Remove(uid);
        }

        foreach (var mount in Linux.Files.Mounts.List().Select(mount => mount.Path).Where(path => path.StartsWith(home + "/", StringComparison.Ordinal) || path.StartsWith(RunFolderOf(dataFolder) + "/", StringComparison.Ordinal)).Reverse().ToList())
        {
            Linux.Files.Mounts.Unmount(mount);
        }

        if (Directory.Exists(RunFolderOf(dataFolder)))
        {
            Directory.Delete(RunFolderOf(dataFolder), recursive: true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        sync?.Dispose();
        keeper?.Dispose();
        if (Engine is not null)
        {
            await Engine.DisposeAsync();
        }
    }

    private async Task OpenAsync(ResourceCache<Pod> cache, CancellationToken stopping)
    {
        var options = parts.Options;
        var home = NodeImages.HomeOf(options.DataFolder);
        var images = parts.Images.Store; // Makes that folder.
        // Shared before any monitor has its own view of the mounts.
        var claimed = new ClaimedVolumes(ClaimedVolumes.FolderOf(options.DataFolder));
        var volumes = new PodVolumes(Path.Combine(home, "volumes"), options.UnderlayAddress.ToString(), claimed);
        var engineOptions = OptionsOf(options.DataFolder, options.LinkPrefix, options.ControlGroupParent);
        Engine = await ContainerEngine.OpenAsync(
            engineOptions, new ImageRootFileSystems(NodeImages.StoreFolderOf(options.DataFolder), images), parts.Time, parts.Loggers.CreateLogger<ContainerEngine>(), stopping);
        keeper = new VolumeKeeper(options.Node, parts.Client, claimed, Engine, parts.Time, parts.Loggers.CreateLogger<VolumeKeeper>());
        sync = new PodSync(new PodSyncParts
        {
            Node = options.Node,
            HostAddress = options.UnderlayAddress.ToString(),
            Client = parts.Client,
            Cache = cache,
            Events = parts.Events,
            Engine = Engine,
            Images = new PodImages(parts.Images),
            Volumes = volumes,
            Network = parts.Network,
            Services = parts.Services,
            ControlGroup = options.ControlGroupParent,
            Time = parts.Time,
            Logger = parts.Loggers.CreateLogger<PodSync>(),
        });
        Door = new PodDoor(sync, Engine, parts.Time);
        pressure = new PressureWatch(new PressureParts
        {
            MemoryAvailableBytes = () => HostFacts.MemoryAvailableBytes,
            DiskAvailableBytes = () => HostFacts.DiskAvailableBytes(options.DataFolder),
            Standings = (resource, cancelled) => StandingsAsync(cache, Engine, volumes, resource, cancelled),
            Runs = uid => Engine.List().Any(container => container.State.IsAlive && PodContainers.Read(container)?.Uid == uid),
            Evict = (pod, verdict) =>
            {
                parts.Events.Record(pod, EventTypes.Warning, verdict.Reason, verdict.Message);
                sync.Condemn(pod.Metadata.Uid, verdict);
            },
            Time = parts.Time,
            Logger = parts.Loggers.CreateLogger<PressureWatch>(),
        });
    }

    /// <summary>What each pod that runs here uses of memory, or of the disk by its containers' own files and its volumes.</summary>
    private static async Task<IReadOnlyList<PodStanding>> StandingsAsync(ResourceCache<Pod> cache, ContainerEngine engine, PodVolumes volumes, string resource, CancellationToken stopping)
    {
        var pods = cache.Current.Items.Where(pod => pod.Metadata.DeletionTimestamp is null && !PodPhases.IsFinal(pod.Status.Phase)).ToDictionary(pod => pod.Metadata.Uid, StringComparer.Ordinal);
        var uses = pods.Keys.ToDictionary(uid => uid, _ => new List<(string Container, long Bytes)>(), StringComparer.Ordinal);
        foreach (var container in engine.List().Where(container => container.State.IsAlive))
        {
            if (PodContainers.Read(container) is not { } read || !uses.TryGetValue(read.Uid, out var own))
            {
                continue;
            }

            try
            {
                var bytes = resource != Quantities.Memory ? await engine.MeasureAsync(container.Id.Value, stopping)
                    : engine.ReadUsage(container.Id.Value) is var usage ? Math.Max(0, usage.MemoryBytes - usage.InactiveFileBytes) : 0;
                own.Add((read.Run.Name, bytes));
            }
            catch (NotThereException)
            {
                // Removed since it was listed.
            }
        }

        foreach (var (uid, own) in resource == Quantities.Memory ? [] : uses)
        {
            if (own is [var first, ..] && volumes.MeasureBytes(uid) is > 0 and var bytes)
            {
                own[0] = (first.Container, first.Bytes + bytes); // A pod's volumes are told with its first container.
            }
        }

        return [.. uses.Where(each => each.Value.Count > 0).Select(each => new PodStanding(pods[each.Key], each.Value))];
    }

    private static EngineOptions OptionsOf(string dataFolder, string linkPrefix, string controlGroup) => new()
    {
        DataFolder = NodeImages.EngineFolderOf(dataFolder),
        RunFolder = RunFolderOf(dataFolder),
        ControlGroup = $"{controlGroup}/pods",
        DevicePrefix = $"{linkPrefix}p",
        FilterTable = $"godwit-{linkPrefix}p",
        UsesSandboxes = true,
    };

    /// <summary>Short, because paths of sockets are; one for each agent on this host.</summary>
    private static string RunFolderOf(string dataFolder) =>
        Path.Combine(RunRoot, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(dataFolder))))[..PlaceDigits]);

    /// <summary>Another server may know guests only.</summary>
    private async Task UntilServedAsync(CancellationToken stopping)
    {
        while (!await IsServedAsync(stopping))
        {
            await Task.Delay(ServedLook, parts.Time, stopping);
        }
    }

    private async Task<bool> IsServedAsync(CancellationToken stopping)
    {
        try
        {
            using var document = JsonDocument.Parse(await parts.Client.SendForBytesAsync(new ClusterRequest(HttpMethod.Get, "/api/v1"), stopping));
            return document.RootElement.GetProperty("resources").EnumerateArray().Any(resource => resource.GetProperty("name").GetString() == Pod.Type.Plural);
        }
        catch (Exception error) when (error is ApiException or ClusterUnreachableException or JsonException or KeyNotFoundException)
        {
            Log.CannotAsk(logger, ErrorChain.Describe(error));
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2503, Level = LogLevel.Warning, Message = "Cannot ask the server whether it has pods: {Reason}")]
        public static partial void CannotAsk(ILogger logger, string reason);
    }
}
