using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Storage.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Containers;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Pods;

/// <summary>What the agent has to do about a volume that was made on its node.</summary>
internal enum VolumeDuty
{
    /// <summary>Nothing: it is in use, kept, or not the agent's.</summary>
    None,

    /// <summary>Its folder is to go, once no container has it.</summary>
    Wait,

    /// <summary>Its folder is to go, and then the finalizer.</summary>
    Remove,
}

/// <summary>
/// Removes the folders of volumes that are deleted. It looks at the volume as it is: being deleted, let go of by its claim (no protection any more), to be deleted and not kept, and mounted by no
/// container that runs. The finalizer comes off when the folder is gone, so an agent that dies in between finds both again.
/// </summary>
internal sealed partial class VolumeKeeper : IDisposable
{
    private static readonly TimeSpan MountedLook = TimeSpan.FromSeconds(1);

    private readonly ClaimedVolumes folders;
    private readonly ContainerEngine engine;
    private readonly ILogger logger;
    private readonly ResourceClient<PersistentVolume> client;
    private readonly ResourceCache<PersistentVolume> cache;
    private readonly WorkQueue<ResourceKey> queue;
    private readonly ReconcileLoop<ResourceKey> loop;

    public VolumeKeeper(NodeName node, ClusterClient cluster, ClaimedVolumes folders, ContainerEngine engine, TimeProvider time, ILogger logger)
    {
        (this.folders, this.engine, this.logger) = (folders, engine, logger);
        client = cluster.For<PersistentVolume>();
        cache = new ResourceCache<PersistentVolume>(client, new ListOptions { FieldSelector = $"{AnnotationNames.VolumeNode}={node.Value}" }, time, logger);
        queue = new WorkQueue<ResourceKey>(time, new Backoff(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(30)));
        loop = new ReconcileLoop<ResourceKey>("volumes", queue, ReconcileAsync, logger);
        cache.Subscribe(change => queue.Add(change.Key));
    }

    /// <summary>Runs until cancelled.</summary>
    public Task RunAsync(CancellationToken stopping) => Task.WhenAll(cache.RunAsync(stopping), loop.RunAsync(1, stopping));

    public void Dispose() => queue.Dispose();

    public static VolumeDuty DutyOf(PersistentVolume volume, bool isMounted) =>
        volume.Metadata.DeletionTimestamp is null
        || !volume.Metadata.Finalizers.Contains(FinalizerNames.LocalVolume)
        || volume.Metadata.Finalizers.Contains(FinalizerNames.VolumeProtection)
        || volume.Spec.PersistentVolumeReclaimPolicy != ReclaimPolicies.Delete
        || volume.Metadata.Annotations.GetValueOrDefault(AnnotationNames.ProvisionedBy) != StorageClassNames.LocalProvisioner ? VolumeDuty.None
        : isMounted ? VolumeDuty.Wait
        : VolumeDuty.Remove;

    private async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cache.Current.Find(key) is not { } volume)
        {
            return NextLook.OnChange;
        }

        switch (DutyOf(volume, IsMounted(folders.PathOf(volume))))
        {
            case VolumeDuty.Wait:
                return NextLook.After(MountedLook);
            case VolumeDuty.Remove:
                folders.Remove(volume);
                cache.Observe(await client.ChangeAsync(volume, volume with { Metadata = volume.Metadata with { Finalizers = [.. volume.Metadata.Finalizers.Where(name => name != FinalizerNames.LocalVolume)] } }, stopping));
                Log.Removed(logger, volume.Metadata.Name);
                return NextLook.OnChange;
            default:
                return NextLook.OnChange;
        }
    }

    private bool IsMounted(string path) => engine.List().Any(container =>
        PodContainers.Read(container) is { Run.IsAlive: true }
        && container.Spec.Mounts.OfType<MountSpec.Bind>().Any(mount => mount.Source == path || mount.Source.StartsWith(path + "/", StringComparison.Ordinal)));

    private static partial class Log
    {
        [LoggerMessage(EventId = 2521, Level = LogLevel.Information, Message = "The folder of volume {Volume} is removed")]
        public static partial void Removed(ILogger logger, string volume);
    }
}
