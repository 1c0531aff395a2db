using System.Collections.Concurrent;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;
using Godwit.Migration.Protocol;

namespace Godwit.Node.Migrations;

/// <content>Moves whose targets fetch images first. They stay Scheduled, hold nothing, and are designed anew at each look.</content>
internal sealed partial class MoveSync
{
    private static readonly TimeSpan FetchLook = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan FetchBound = TimeSpan.FromMinutes(15);

    private readonly ConcurrentDictionary<MoveId, DateTimeOffset> awaited = new();

    /// <summary>Nothing has begun; the move is looked at again soon, and not for ever.</summary>
    private async Task<NextLook> AwaitAsync(VirtualMachineInstanceMigration migration, MoveId id, string words, CancellationToken stopping)
    {
        var now = parts.Time.GetUtcNow();
        if (awaited.TryAdd(id, now))
        {
            parts.Events.Record(migration, EventTypes.Normal, "Pulling", words);
        }

        if (now - awaited[id] < FetchBound)
        {
            return NextLook.After(FetchLook);
        }

        awaited.TryRemove(id, out _);
        await FailAsync(migration, $"ImageMissing: {words} It did not get them within {FetchBound.TotalMinutes} minutes; what has come by then it keeps, so ask for the move again", stopping);
        return NextLook.OnChange;
    }
}
