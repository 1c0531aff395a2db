using Godwit.ApiServer.Resources;
using Godwit.Store;

namespace Godwit.ApiServer.Watching;

/// <summary>
/// Lets all watchers of one change share one <see cref="WatchEvent"/>, so that it is encoded once however many watch.
/// A direct-mapped table by revision: no lock, no eviction; a miss only costs one more encoding.
/// </summary>
internal sealed class SharedEvents
{
    private const int Slots = 1024;

    private readonly WatchEvent?[] recent = new WatchEvent?[Slots];

    public WatchEvent Share(ServedResource resource, StoreEvent change)
    {
        ref var slot = ref recent[change.Revision % Slots];
        if (Volatile.Read(ref slot) is { } shared && ReferenceEquals(shared.Change, change) && ReferenceEquals(shared.Resource, resource))
        {
            return shared;
        }

        var made = new WatchEvent(resource, change);
        if (change.Item.Value.Length <= WatchEvent.SharedBytesMax)
        {
            Volatile.Write(ref slot, made);
        }

        return made;
    }
}
