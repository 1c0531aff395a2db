using Godwit.ApiServer.Resources;
using Godwit.Store;

namespace Godwit.ApiServer.Watching;

internal enum WatchEventType
{
    Added,
    Modified,
    Deleted,
}

/// <summary>
/// One change of one object, shared by all that watch it. Its plain JSON line is made by whoever needs it first and
/// then belongs to all.
/// </summary>
internal sealed class WatchEvent(ServedResource resource, StoreEvent change)
{
    /// <summary>Larger objects are encoded for each watcher rather than kept.</summary>
    public const int SharedBytesMax = 16 * 1024;

    private byte[]? plainLine;

    /// <summary>The kind, in the version in which it is told.</summary>
    public ServedResource Resource { get; } = resource;

    public StoreEvent Change { get; } = change;

    public WatchEventType Type => Change.Kind switch
    {
        StoreEventKind.Created => WatchEventType.Added,
        StoreEventKind.Updated => WatchEventType.Modified,
        _ => WatchEventType.Deleted,
    };

    /// <summary>The object after the change, or as it was last when deleted; its version is the change's.</summary>
    public StoredObject Object => new(Resource, Change.Item.Key, Change.Item.Value, Change.Revision);

    /// <summary>The object before an update or deletion.</summary>
    public StoredObject? Previous => Change.Previous is { } previous ? Resource.Object(previous) : null;

    /// <summary>The line <c>{"type":…,"object":…}</c> in plain JSON.</summary>
    public ReadOnlyMemory<byte> PlainLine(Func<WatchEvent, byte[]> encode) => plainLine ??= encode(this);
}
