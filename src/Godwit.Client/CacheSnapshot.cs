using System.Collections.Immutable;

namespace Godwit.Client;

/// <summary>All objects of one kind at one moment, found by key, by owner and, where its cache was told how, by group. Immutable.</summary>
public sealed class CacheSnapshot<T>
    where T : Resource, IResource<T>
{
    private readonly ImmutableSortedDictionary<ResourceKey, T> byKey;
    private readonly ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> byOwnerUid;
    private readonly ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> byGroup;
    private readonly Func<T, string?>? groupOf;

    internal CacheSnapshot(
        ImmutableSortedDictionary<ResourceKey, T> byKey,
        ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> byOwnerUid,
        ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> byGroup,
        Func<T, string?>? groupOf,
        long watchedRevision)
    {
        this.byKey = byKey;
        this.byOwnerUid = byOwnerUid;
        this.byGroup = byGroup;
        this.groupOf = groupOf;
        WatchedRevision = watchedRevision;
    }

    /// <summary>Everything up to this revision has been seen by list or watch; single objects may be newer.</summary>
    public long WatchedRevision { get; }

    /// <summary>In the order of their keys.</summary>
    public IEnumerable<T> Items => byKey.Values;

    public IEnumerable<ResourceKey> Keys => byKey.Keys;

    /// <summary>Groups that have objects, in no order; none when the cache was not told what a group is.</summary>
    public IEnumerable<string> Groups => byGroup.Keys;

    public int Count => byKey.Count;

    public T? Find(ResourceKey key) => byKey.GetValueOrDefault(key);

    public T? Find(string @namespace, string name) => Find(new ResourceKey(@namespace, name));

    /// <summary>Objects that name this uid as an owner, in the order of their keys.</summary>
    public IEnumerable<T> OwnedBy(string ownerUid) =>
        byOwnerUid.TryGetValue(ownerUid, out var keys) ? keys.Select(key => byKey[key]) : [];

    /// <summary>Those of them that name it as their controller.</summary>
    public IEnumerable<T> ControlledBy(string ownerUid) =>
        OwnedBy(ownerUid).Where(item => item.Metadata.OwnerReferences.Any(owner => owner.Uid == ownerUid && owner.Controller == true));

    /// <summary>Objects of this group, in the order of their keys; what a look costs depends on these alone, and not on how many there are besides.</summary>
    /// <exception cref="InvalidOperationException">The cache was not told what a group is.</exception>
    public IEnumerable<T> InGroup(string group) =>
        groupOf is null ? throw new InvalidOperationException($"The cache of {T.Type.Plural} has no groups: give it a function that says which an object is in.")
        : byGroup.TryGetValue(group, out var keys) ? keys.Select(key => byKey[key])
        : [];

    internal CacheSnapshot<T> With(T item)
    {
        var key = ResourceKey.Of(item);
        var replaced = byKey.GetValueOrDefault(key);
        return new CacheSnapshot<T>(
            byKey.SetItem(key, item), Moved(byOwnerUid, key, OwnerUidsOf(replaced), OwnerUidsOf(item)), Moved(byGroup, key, GroupsOf(replaced, groupOf), GroupsOf(item, groupOf)), groupOf, WatchedRevision);
    }

    internal CacheSnapshot<T> Without(ResourceKey key) =>
        byKey.TryGetValue(key, out var gone)
            ? new CacheSnapshot<T>(byKey.Remove(key), Moved(byOwnerUid, key, OwnerUidsOf(gone), []), Moved(byGroup, key, GroupsOf(gone, groupOf), []), groupOf, WatchedRevision)
            : this;

    internal CacheSnapshot<T> WatchedUpTo(long revision) =>
        revision > WatchedRevision ? new CacheSnapshot<T>(byKey, byOwnerUid, byGroup, groupOf, revision) : this;

    /// <summary>The index after an object went from some of its entries to others; most changes move nothing.</summary>
    private static ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> Moved(
        ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> index, ResourceKey key, IReadOnlyList<string> from, IReadOnlyList<string> to)
    {
        foreach (var left in from.Except(to, StringComparer.Ordinal))
        {
            var rest = index[left].Remove(key);
            index = rest.IsEmpty ? index.Remove(left) : index.SetItem(left, rest);
        }

        foreach (var entered in to.Except(from, StringComparer.Ordinal))
        {
            index = index.SetItem(entered, (index.GetValueOrDefault(entered) ?? []).Add(key));
        }

        return index;
    }

    internal static IReadOnlyList<string> OwnerUidsOf(T? item) =>
        item is null || item.Metadata.OwnerReferences.Count == 0 ? [] : [.. item.Metadata.OwnerReferences.Select(owner => owner.Uid).Distinct(StringComparer.Ordinal)];

    internal static IReadOnlyList<string> GroupsOf(T? item, Func<T, string?>? groupOf) => item is not null && groupOf?.Invoke(item) is { Length: > 0 } group ? [group] : [];
}

/// <summary>Makes snapshots from given objects.</summary>
public static class CacheSnapshot
{
    /// <param name="items">The objects; no two with the same key.</param>
    /// <param name="watchedRevision">The revision at which these were all there was.</param>
    /// <param name="groupOf">The group that an object is in, such as the node of a pod; null or empty when it is in none. Null: there are no groups.</param>
    public static CacheSnapshot<T> Of<T>(IEnumerable<T> items, long watchedRevision = 0, Func<T, string?>? groupOf = null)
        where T : Resource, IResource<T>
    {
        var byKey = items.Select(item => KeyValuePair.Create(ResourceKey.Of(item), item)).ToImmutableSortedDictionary();
        return new CacheSnapshot<T>(byKey, Index(byKey, CacheSnapshot<T>.OwnerUidsOf), Index(byKey, item => CacheSnapshot<T>.GroupsOf(item, groupOf)), groupOf, watchedRevision);
    }

    private static ImmutableDictionary<string, ImmutableSortedSet<ResourceKey>> Index<T>(ImmutableSortedDictionary<ResourceKey, T> byKey, Func<T, IReadOnlyList<string>> entriesOf)
        where T : Resource, IResource<T> => byKey
        .SelectMany(item => entriesOf(item.Value).Select(entry => (Entry: entry, item.Key)))
        .GroupBy(indexed => indexed.Entry, indexed => indexed.Key, StringComparer.Ordinal)
        .ToImmutableDictionary(group => group.Key, group => group.ToImmutableSortedSet(), StringComparer.Ordinal);
}
