using System.Collections.Concurrent;

namespace Godwit.Store.Caching;

/// <summary>
/// Everything in a store as of a revision that only rises, by groups of keys. One writer applies the log in order; any
/// number of readers look.
/// <para>
/// The order of two reads makes a reader's revision exact: it reads <see cref="Revision"/> first and a group's state after
/// that. If the state was last changed at or before that revision, it is the state at that revision; if later, the state
/// at its own change. No lock is needed for it.
/// </para>
/// </summary>
internal sealed class StoreImage(int groupSegments, TimeProvider time)
{
    private const int ItemOverheadBytes = 160; // The objects around a key and a value.

    private readonly ConcurrentDictionary<string, CachedGroup> groups = new(StringComparer.Ordinal);
    private readonly Lock gate = new();
    private TaskCompletionSource? waiting;
    private long loadedAt; // A group that was not loaded was empty then; nothing is known of what it was before.
    private long revision;

    /// <summary>All of the log up to here has been applied.</summary>
    public long Revision => Volatile.Read(ref revision);

    /// <summary>About what it holds. Only the writer reads it.</summary>
    public long Bytes { get; private set; }

    /// <summary>Fills an empty image with the items of a revision, ordered by key.</summary>
    public void Load(List<StoreItem> items, long loadedRevision)
    {
        loadedAt = loadedRevision;
        foreach (var group in items.GroupBy(item => GroupOf(item.Key) ?? "", StringComparer.Ordinal))
        {
            groups[group.Key] = new CachedGroup(ItemTree.Of(group), loadedRevision);
        }

        Bytes = items.Sum(Cost);
        Volatile.Write(ref revision, loadedRevision);
    }

    public void Apply(StoreEventBatch batch)
    {
        foreach (var change in batch.Events)
        {
            groups.GetOrAdd(GroupOf(change.Item.Key) ?? "", static (_, at) => new CachedGroup(ItemTree.Empty, at), loadedAt).Apply(change, time);
            Bytes += (change.Kind == StoreEventKind.Deleted ? 0 : Cost(change.Item)) - (change.Previous is { } previous ? Cost(previous) : 0);
        }

        TaskCompletionSource? signal;
        lock (gate)
        {
            Volatile.Write(ref revision, batch.Revision);
            (signal, waiting) = (waiting, null);
        }

        signal?.TrySetResult();
    }

    public StoreItem? Find(string key) =>
        groups.TryGetValue(GroupOf(key) ?? "", out var group) ? group.Current.Items.Find(key) : null;

    /// <summary>Whether all keys with the prefix lie in one group, and so whether they can be listed.</summary>
    public bool Holds(string prefix) => GroupOf(prefix) is not null;

    /// <summary>The group that holds all keys with the prefix, as it is now: empty when there is none.</summary>
    public CachedGroup GroupUnder(string prefix) =>
        groups.TryGetValue(GroupOf(prefix) ?? "", out var group) ? group : new CachedGroup(ItemTree.Empty, loadedAt);

    /// <summary>Completes when the revision has been applied.</summary>
    public Task ReachedAsync(long wanted)
    {
        lock (gate)
        {
            return revision >= wanted ? Task.CompletedTask : (waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    private static long Cost(StoreItem item) => ItemOverheadBytes + (2 * item.Key.Length) + item.Value.Length;

    /// <summary>The first segments of a key; null when it has not that many.</summary>
    private string? GroupOf(string key)
    {
        var end = 0;
        for (var segment = 0; segment < groupSegments; segment++)
        {
            var slash = key.IndexOf('/', end);
            if (slash < 0)
            {
                return null;
            }

            end = slash + 1;
        }

        return key[..end];
    }
}
