namespace Godwit.Store.Caching;

/// <summary>
/// The newest items of one group of keys, and for a while the older states whose lists are still being read. A whole list
/// and a paged one are read in several goes at one revision: the state they began with is kept until nobody has asked
/// for it for <see cref="KeptFor"/>, so that writers do not send the rest of them to the disk.
/// </summary>
internal sealed class CachedGroup(ItemTree items, long changedAt)
{
    /// <summary>States kept for lists under way; beyond, the one unused for longest goes.</summary>
    private const int KeptMax = 8;

    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private readonly List<Kept> kept = [];
    private volatile GroupState current = new(items, changedAt);

    /// <summary>The state of the newest change applied.</summary>
    public GroupState Current => current;

    /// <summary>Called by the one who follows the store, in the order of the log.</summary>
    public void Apply(StoreEvent change, TimeProvider time)
    {
        var next = change.Kind == StoreEventKind.Deleted ? current.Items.Remove(change.Item.Key) : current.Items.Set(change.Item);
        current = new GroupState(next, change.Revision);
        if (kept.Count > 0)
        {
            lock (gate)
            {
                kept.RemoveAll(state => time.GetElapsedTime(state.UsedAt) > KeptFor);
            }
        }
    }

    /// <summary>Keeps a state that a list at the revision will come back for.</summary>
    public void Keep(long revision, ItemTree shown, TimeProvider time)
    {
        lock (gate)
        {
            kept.RemoveAll(state => state.Revision == revision);
            if (kept.Count == KeptMax)
            {
                kept.RemoveAt(0);
            }

            kept.Add(new Kept(revision, shown, time.GetTimestamp())); // In the order of their last use.
        }
    }

    /// <summary>The items as they were at a revision that has been applied, or null when memory no longer has that.</summary>
    public ItemTree? At(long revision)
    {
        var now = current;
        if (now.ChangedAt <= revision)
        {
            return now.Items;
        }

        lock (gate)
        {
            return kept.Find(state => state.Revision == revision)?.Items;
        }
    }

    private sealed record Kept(long Revision, ItemTree Items, long UsedAt);
}

/// <summary>Items as the change at <paramref name="ChangedAt"/> left them.</summary>
internal sealed record GroupState(ItemTree Items, long ChangedAt);
