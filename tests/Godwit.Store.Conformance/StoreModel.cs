using System.Text;

namespace Godwit.Store.Conformance;

/// <summary>The contract as one list of events and a number. Every answer is worked out anew from the beginning of time.</summary>
internal sealed class StoreModel
{
    private readonly List<StoreEvent> events = [];
    private long compacted;

    public long Current => 1 + events.Count;

    public long RevisionAt(int percent) => 1 + (events.Count * percent / 100);

    public void Compact(long revision) => compacted = Math.Max(compacted, revision);

    public StoreItem? At(string key, long revision)
    {
        var last = events.FindLast(change => change.Item.Key == key && change.Revision <= revision);
        return last is null or { Kind: StoreEventKind.Deleted } ? null : last.Item;
    }

    public (bool Succeeded, StoreItem? Existing) Put(string key, string? value, long expected)
    {
        var existing = At(key, Current);
        if ((existing?.ModRevision ?? 0) != expected)
        {
            return (false, existing);
        }

        events.Add(StoreChange.Of(Current + 1, key, value is null ? null : Encoding.UTF8.GetBytes(value), existing));
        return (true, null);
    }

    public StoreList List(string prefix, int limit, long revision)
    {
        var at = revision == 0 ? Current : revision;
        CheckNotCompacted(at);
        var all = events.Select(change => change.Item.Key).Where(key => key.StartsWith(prefix, StringComparison.Ordinal))
            .Distinct().Order(StringComparer.Ordinal).Select(key => At(key, at)).OfType<StoreItem>().ToList();
        var page = all.Take(limit == 0 ? int.MaxValue : limit).ToList();
        return new StoreList(at, page, all.Count - page.Count);
    }

    public IEnumerable<StoreEvent> EventsAfter(long revision, string prefix)
    {
        CheckNotCompacted(revision);
        return events.Where(change => change.Revision > revision && change.Item.Key.StartsWith(prefix, StringComparison.Ordinal));
    }

    private void CheckNotCompacted(long revision)
    {
        if (revision < compacted)
        {
            throw new StoreCompactedException(revision, compacted);
        }
    }
}
