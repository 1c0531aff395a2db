namespace Godwit.Store;

/// <summary>A live value: <see cref="CreateRevision"/> made the key, <see cref="ModRevision"/> wrote this value.</summary>
public sealed record StoreItem(string Key, ReadOnlyMemory<byte> Value, long CreateRevision, long ModRevision);

/// <summary>
/// What to list. <see cref="Revision"/> 0 means now; <see cref="Limit"/> 0 means all; <see cref="After"/> continues after
/// that key. Without <see cref="CountsRemaining"/> a page costs what is on it, however much follows.
/// </summary>
public readonly record struct StoreListQuery(string Prefix, string? After = null, int Limit = 0, long Revision = 0, bool CountsRemaining = true);

/// <summary>
/// One page: items at <see cref="Revision"/>; <see cref="RemainingCount"/> more follow after the last one. When the query
/// did not ask for the count, it is 0 for none and 1 for any.
/// </summary>
public sealed record StoreList(long Revision, IReadOnlyList<StoreItem> Items, long RemainingCount);

/// <summary>
/// How a write ended. When <see cref="Succeeded"/>, <see cref="Revision"/> is the write's own. When not, the expectation
/// did not hold at <see cref="Revision"/> and <see cref="Existing"/> is what was there instead (null: nothing).
/// </summary>
public readonly record struct StoreWrite(bool Succeeded, long Revision, StoreItem? Existing);

public enum StoreEventKind
{
    Created,
    Updated,
    Deleted,
}

/// <summary>
/// One change, made by <see cref="Revision"/>. For a deletion <see cref="Item"/> is the last value as it stood, so its
/// <see cref="StoreItem.ModRevision"/> is older than the event; <see cref="Previous"/> is the value before an update or
/// deletion (null when created).
/// </summary>
public sealed record StoreEvent(StoreEventKind Kind, long Revision, StoreItem Item, StoreItem? Previous);

/// <summary>Events in revision order; everything up to and including <see cref="Revision"/> has been delivered.</summary>
public sealed record StoreEventBatch(long Revision, IReadOnlyList<StoreEvent> Events);
