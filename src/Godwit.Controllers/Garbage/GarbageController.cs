namespace Godwit.Controllers.Garbage;

/// <summary>An object of any followed kind.</summary>
internal readonly record struct GarbageKey(ResourceType Type, ResourceKey Key)
{
    public override string ToString() => $"{Type.Plural}/{Key}";
}

/// <summary>
/// Deletes objects whose owners are gone, and carries out foreground and orphaning deletion. An owner that the caches do
/// not show is asked for at the server before anything is deleted for its absence: a cache may be behind.
/// </summary>
internal sealed partial class GarbageController : Controller<GarbageKey>
{
    private readonly IReadOnlyList<GarbageKind> kinds;

    public GarbageController(ClusterView cluster, TimeProvider clock, ILogger logger)
        : base("garbage", clock, logger) => kinds =
        [
            Kind(cluster, cluster.VirtualMachines),
            Kind(cluster, cluster.Instances),
            Kind(cluster, cluster.Migrations),
            Kind(cluster, cluster.Forecasts),
            Kind(cluster, cluster.Pods),
            Kind(cluster, cluster.ReplicaSets),
            Kind(cluster, cluster.Deployments),
            Kind(cluster, cluster.ReplicationControllers),
            Kind(cluster, cluster.StatefulSets),
            Kind(cluster, cluster.DaemonSets),
            Kind(cluster, cluster.Revisions),
            Kind(cluster, cluster.Jobs),
            Kind(cluster, cluster.CronJobs),
            Kind(cluster, cluster.Autoscalers),
            Kind(cluster, cluster.Claims),
            Kind(cluster, cluster.Services),
            Kind(cluster, cluster.Slices),
            Kind(cluster, cluster.Endpoints),
        ];

    protected override int Workers => 2;

    protected override void Subscribe()
    {
        foreach (var kind in kinds)
        {
            kind.Subscribe(changed => OnChange(kind, changed));
        }
    }

    protected override IEnumerable<GarbageKey> AllKeys() => kinds.SelectMany(kind => kind.Items.Select(item => new GarbageKey(kind.Type, ResourceKey.Of(item))));

    protected override async Task<NextLook> ReconcileAsync(GarbageKey key, CancellationToken stopping)
    {
        var kind = kinds.First(each => each.Type == key.Type);
        if (kind.Find(key.Key) is not { } resource)
        {
            return NextLook.OnChange;
        }

        var owners = new List<OwnerState>();
        foreach (var reference in resource.Metadata.OwnerReferences)
        {
            owners.Add(await StateOfAsync(reference, resource.Metadata.Namespace, stopping));
        }

        var dependents = DependentsOf(resource).ToList();
        var plan = GarbagePlanner.For(new OwnedObject(resource, [.. dependents.Select(each => each.Resource)], owners));
        await ActAsync(plan, kind, resource, dependents, stopping);
        return NextLook.OnChange;
    }

    private async Task ActAsync(
        GarbagePlan plan, GarbageKind kind, Resource resource, List<(GarbageKind Kind, Resource Resource)> dependents, CancellationToken stopping)
    {
        switch (plan)
        {
            case GarbagePlan.Delete:
                await kind.DeleteAsync(resource, PropagationPolicies.Background, stopping);
                Log.Collected(Logger, resource.Kind, ResourceKey.Of(resource));
                break;
            case GarbagePlan.DeleteDependents:
                foreach (var dependent in dependents.Where(each => each.Resource.Metadata.DeletionTimestamp is null))
                {
                    await dependent.Kind.DeleteAsync(dependent.Resource, PropagationPolicies.Foreground, stopping);
                }

                break;
            case GarbagePlan.OrphanDependents:
                foreach (var dependent in dependents)
                {
                    var metadata = dependent.Resource.Metadata;
                    var rest = metadata.OwnerReferences.Where(owner => owner.Uid != resource.Metadata.Uid).ToList();
                    await dependent.Kind.ChangeMetadataAsync(dependent.Resource, metadata with { OwnerReferences = rest }, stopping);
                }

                break;
            case GarbagePlan.DropFinalizer drop:
                var finalizers = resource.Metadata.Finalizers.Where(name => name != drop.Finalizer).ToList();
                await kind.ChangeMetadataAsync(resource, resource.Metadata with { Finalizers = finalizers }, stopping);
                break;
        }
    }

    private static GarbageKind<T> Kind<T>(ClusterView cluster, ResourceCache<T> cache)
        where T : Resource, IResource<T> => new(cache, cluster.ClientOf<T>());

    /// <summary>A change of an object concerns itself, what depends on it, and what it depends on (which may wait for it to go).</summary>
    private void OnChange(GarbageKind kind, Resource changed)
    {
        Enqueue(new GarbageKey(kind.Type, ResourceKey.Of(changed)));
        foreach (var (dependentKind, dependent) in DependentsOf(changed))
        {
            Enqueue(new GarbageKey(dependentKind.Type, ResourceKey.Of(dependent)));
        }

        foreach (var owner in changed.Metadata.OwnerReferences)
        {
            if (KindOf(owner) is { } ownerKind)
            {
                Enqueue(new GarbageKey(ownerKind.Type, KeyOf(owner, ownerKind, changed.Metadata.Namespace)));
            }
        }
    }

    private IEnumerable<(GarbageKind Kind, Resource Resource)> DependentsOf(Resource owner) =>
        kinds.SelectMany(kind => kind.OwnedBy(owner.Metadata.Uid).Select(item => (kind, item)));

    private GarbageKind? KindOf(OwnerReference owner) =>
        kinds.FirstOrDefault(kind => kind.Type.Kind == owner.Kind && kind.Type.ApiVersion == owner.ApiVersion);

    private static ResourceKey KeyOf(OwnerReference owner, GarbageKind kind, string @namespace) => new(kind.Type.Namespaced ? @namespace : "", owner.Name);

    private async Task<OwnerState> StateOfAsync(OwnerReference owner, string @namespace, CancellationToken stopping)
    {
        if (KindOf(owner) is not { } kind)
        {
            return OwnerState.NotKnown;
        }

        var key = KeyOf(owner, kind, @namespace);
        if (kind.Find(key)?.Metadata.Uid == owner.Uid)
        {
            return OwnerState.Present;
        }

        return await kind.ExistsAsync(key, owner.Uid, stopping) ? OwnerState.Present : OwnerState.Gone;
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "{Kind} {Key} is deleted: its owners are gone")]
        public static partial void Collected(ILogger logger, string kind, ResourceKey key);
    }
}
