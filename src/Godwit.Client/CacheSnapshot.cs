using System.Collections.Immutable;

namespace Godwit.Client;

/// <summary>All objects of one kind at one moment, found by key and by owner. Immutable.</summary>
public sealed class CacheSnapshot<T>
    where T : Resource, IResource<T>
{
    private readonly ImmutableSortedDictionary<ResourceKey, T> byKey;
    private readonly ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> byOwnerUid;

    internal CacheSnapshot(
        ImmutableSortedDictionary<ResourceKey, T> byKey,
        ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> byOwnerUid,
        long watchedRevision)
    {
        this.byKey = byKey;
        this.byOwnerUid = byOwnerUid;
        WatchedRevision = watchedRevision;
    }

    /// <summary>Everything up to this revision has been seen by list or watch; single objects may be newer.</summary>
    public long WatchedRevision { get; }

    /// <summary>In the order of their keys.</summary>
    public IEnumerable<T> Items => byKey.Values;

    public IEnumerable<ResourceKey> Keys => byKey.Keys;

    public int Count => byKey.Count;

    public T? Find(ResourceKey key) => byKey.GetValueOrDefault(key);

    public T? Find(string @namespace, string name) => Find(new ResourceKey(@namespace, name));

    /// <summary>Objects that name this uid as an owner, in the order of their keys.</summary>
    public IEnumerable<T> OwnedBy(string ownerUid) =>
        byOwnerUid.TryGetValue(ownerUid, out var keys) ? keys.Select(key => byKey[key]) : [];

    /// <summary>Those of them that name it as their controller.</summary>
    public IEnumerable<T> ControlledBy(string ownerUid) =>
        OwnedBy(ownerUid).Where(item => item.Metadata.OwnerReferences.Any(owner => owner.Uid == ownerUid && owner.Controller == true));

    internal CacheSnapshot<T> With(T item)
    {
        var key = ResourceKey.Of(item);
        var owners = byKey.TryGetValue(key, out var replaced) ? RemoveOwners(byOwnerUid, key, replaced) : byOwnerUid;
        foreach (var owner in OwnerUidsOf(item))
        {
            owners = owners.SetItem(owner, (owners.GetValueOrDefault(owner) ?? []).Add(key));
        }

        return new CacheSnapshot<T>(byKey.SetItem(key, item), owners, WatchedRevision);
    }

    internal CacheSnapshot<T> Without(ResourceKey key) =>
        byKey.TryGetValue(key, out var gone)
            ? new CacheSnapshot<T>(byKey.Remove(key), RemoveOwners(byOwnerUid, key, gone), WatchedRevision)
            : this;

    internal CacheSnapshot<T> WatchedUpTo(long revision) =>
        revision > WatchedRevision ? new CacheSnapshot<T>(byKey, byOwnerUid, revision) : this;

    private static ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> RemoveOwners(
        ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> owners, ResourceKey key, T item)
    {
        foreach (var owner in OwnerUidsOf(item))
        {
            var rest = owners[owner].Remove(key);
            owners = rest.IsEmpty ? owners.Remove(owner) : owners.SetItem(owner, rest);
        }

        return owners;
    }

    internal static IEnumerable<string> OwnerUidsOf(T item) => item.Metadata.OwnerReferences.Select(owner => owner.Uid).Distinct(StringComparer.Ordinal);
}

/// <summary>Makes snapshots from given objects.</summary>
public static class CacheSnapshot
{
    /// <param name="items">The objects; no two with the same key.</param>
    /// <param name="watchedRevision">The revision at which these were all there was.</param>
    public static CacheSnapshot<T> Of<T>(IEnumerable<T> items, long watchedRevision = 0)
        where T : Resource, IResource<T>
    {
        var byKey = items.Select(item => KeyValuePair.Create(ResourceKey.Of(item), item)).ToImmutableSortedDictionary();
        var byOwnerUid = byKey
            .SelectMany(entry => CacheSnapshot<T>.OwnerUidsOf(entry.Value).Select(uid => (Uid: uid, entry.Key)))
            .GroupBy(owned => owned.Uid, owned => owned.Key, StringComparer.Ordinal)
            .ToImmutableDictionary(group => group.Key, group => group.ToImmutableSortedSet(), StringComparer.Ordinal);
        return new CacheSnapshot<T>(byKey, byOwnerUid, watchedRevision);
    }
}
