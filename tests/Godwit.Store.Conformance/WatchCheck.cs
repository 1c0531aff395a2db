namespace Godwit.Store.Conformance;

/// <summary>Judges what watchers were told, by the promises alone.</summary>
public static class WatchCheck
{
    /// <summary>One batch: rising revisions, nothing foreign, nothing beyond what it says it has seen.</summary>
    public static void Batch(string prefix, long seenBefore, StoreEventBatch batch)
    {
        var last = seenBefore;
        foreach (var change in batch.Events)
        {
            Promise.Check(Promise.Ordered, change.Revision > last, $"revision {change.Revision} came after {last}.");
            Promise.Check(Promise.Ordered, change.Revision <= batch.Revision, $"a batch up to {batch.Revision} holds revision {change.Revision}.");
            Promise.Check(Promise.Reliable, change.Item.Key.StartsWith(prefix, StringComparison.Ordinal), $"a watch of '{prefix}' was told of '{change.Item.Key}'.");
            last = change.Revision;
        }

        Promise.Check(Promise.Ordered, batch.Revision >= last, $"progress went back from {last} to {batch.Revision}.");
    }

    /// <summary>
    /// A whole history, from an empty store on: each event follows from the ones before, and the acknowledged writes are
    /// exactly the events, unless a write's end was unknown.
    /// </summary>
    public static void History(IReadOnlyList<StoreEvent> events, IReadOnlyDictionary<long, string> acknowledgedKeys)
    {
        var live = new Dictionary<string, StoreItem>(StringComparer.Ordinal);
        foreach (var change in events)
        {
            var key = change.Item.Key;
            live.TryGetValue(key, out var before);
            Promise.Check(
                Promise.Atomic,
                change.Previous?.ModRevision == before?.ModRevision && Same(change.Previous, before),
                $"revision {change.Revision} of '{key}' says that it replaced {change.Previous?.ModRevision}, but {before?.ModRevision} was there.");
            Promise.Check(
                Promise.Atomic,
                change.Kind == KindAfter(before, change),
                $"revision {change.Revision} of '{key}' is told as {change.Kind}.");
            if (change.Kind == StoreEventKind.Deleted)
            {
                live.Remove(key);
            }
            else
            {
                live[key] = change.Item;
            }
        }

        var told = events.ToDictionary(change => change.Revision, change => change.Item.Key);
        foreach (var (revision, key) in acknowledgedKeys)
        {
            Promise.Check(Promise.Reliable, told.GetValueOrDefault(revision) == key, $"revision {revision} of '{key}' was acknowledged but not told.");
        }

        Promise.Check(
            Promise.Reliable,
            told.Count == acknowledgedKeys.Count,
            $"{told.Count} changes were told, but {acknowledgedKeys.Count} were acknowledged.");
    }

    public static bool Same(StoreItem? one, StoreItem? other) =>
        (one, other) switch
        {
            (null, null) => true,
            (null, _) or (_, null) => false,
            _ => one.Key == other.Key && one.CreateRevision == other.CreateRevision && one.ModRevision == other.ModRevision
                && one.Value.Span.SequenceEqual(other.Value.Span),
        };

    private static StoreEventKind KindAfter(StoreItem? before, StoreEvent change) =>
        before is null ? StoreEventKind.Created
        : change.Item.ModRevision == change.Revision ? StoreEventKind.Updated
        : StoreEventKind.Deleted;
}
