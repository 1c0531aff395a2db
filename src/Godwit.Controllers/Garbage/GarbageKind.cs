namespace Godwit.Controllers.Garbage;

/// <summary>One kind whose objects the collector follows, without its type argument.</summary>
internal abstract class GarbageKind
{
    public abstract ResourceType Type { get; }

    public abstract IEnumerable<Resource> Items { get; }

    public abstract IEnumerable<Resource> OwnedBy(string uid);

    public abstract Resource? Find(ResourceKey key);

    /// <summary>Tells each change: the object after it, or the last state of a removed one.</summary>
    public abstract void Subscribe(Action<Resource> changed);

    /// <summary>Whether the server, asked now, has that object with that uid.</summary>
    public abstract Task<bool> ExistsAsync(ResourceKey key, string uid, CancellationToken stopping);

    public abstract Task DeleteAsync(Resource resource, string propagationPolicy, CancellationToken stopping);

    /// <summary>Writes metadata, on the condition that the object has not changed.</summary>
    public abstract Task ChangeMetadataAsync(Resource resource, ObjectMeta metadata, CancellationToken stopping);
}

internal sealed class GarbageKind<T>(ResourceCache<T> cache, ResourceClient<T> client) : GarbageKind
    where T : Resource, IResource<T>
{
    public override ResourceType Type => T.Type;

    public override IEnumerable<Resource> Items => cache.Current.Items;

    public override IEnumerable<Resource> OwnedBy(string uid) => cache.Current.OwnedBy(uid);

    public override Resource? Find(ResourceKey key) => cache.Current.Find(key);

    public override void Subscribe(Action<Resource> changed) => cache.Subscribe(change => changed((change.After ?? change.Before)!));

    public override async Task<bool> ExistsAsync(ResourceKey key, string uid, CancellationToken stopping) =>
        (await client.FindAsync(key, stopping))?.Metadata.Uid == uid;

    public override Task DeleteAsync(Resource resource, string propagationPolicy, CancellationToken stopping) => client.TryDeleteAsync(
        ResourceKey.Of(resource),
        new DeleteOptions { PropagationPolicy = propagationPolicy, Preconditions = new Preconditions { Uid = resource.Metadata.Uid } },
        stopping);

    public override async Task ChangeMetadataAsync(Resource resource, ObjectMeta metadata, CancellationToken stopping)
    {
        var typed = (T)resource;
        cache.Observe(await client.ChangeAsync(typed, typed with { Metadata = metadata }, stopping));
    }
}
