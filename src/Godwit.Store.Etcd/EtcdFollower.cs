using Microsoft.Extensions.Logging;

namespace Godwit.Store.Etcd;

/// <summary>
/// Feeds the watchers of this process from one watch of etcd. Whatever breaks it, it begins again where the feed stands, at
/// whichever member answers; so watchers notice nothing but a pause. Only when compaction has overtaken it, or history
/// cannot be told (<see cref="LogStretch.BrokenAt"/>), does the feed leap; watchers that were behind are then told that
/// what they ask for is gone.
/// </summary>
internal sealed partial class EtcdFollower(EtcdMembers members, EtcdLog log, EventFeed feed, EtcdStoreOptions options)
{
    private static readonly TimeSpan PauseMin = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(1);

    private bool isLost;

    /// <summary>Runs until the store closes.</summary>
    public async Task RunAsync()
    {
        var pause = PauseMin;
        while (!members.Closing.IsCancellationRequested)
        {
            var (member, before) = (members.Current, feed.Revision);
            try
            {
                await FollowAsync(member);
            }
            catch (StoreCompactedException error)
            {
                Log.Overtaken(options.Logger, feed.Revision, error.CompactedRevision);
                feed.Compact(error.CompactedRevision);
                feed.SkipTo(Math.Max(feed.Revision, error.CompactedRevision));
                continue;
            }
            catch (Exception error) // Whatever it is: without this task every watcher would wait for ever.
            {
                if (members.Closing.IsCancellationRequested)
                {
                    return;
                }

                Note(member, error);
                members.MoveOn(member);
            }

            pause = feed.Revision > before ? PauseMin : pause * 2 < PauseMax ? pause * 2 : PauseMax;
            await Task.Delay(pause, options.Time, members.Closing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task FollowAsync(EtcdMember member)
    {
        using var here = CancellationTokenSource.CreateLinkedTokenSource(member.Left, members.Closing);
        if (member != members.Current)
        {
            return; // Given up before we began to listen for that.
        }

        await foreach (var stretch in log.ReadAsync(member, feed.Revision, here.Token))
        {
            isLost = false;
            feed.PublishSparse(stretch.Events, stretch.Revision);
            if (stretch.BrokenAt > 0)
            {
                Log.Broken(options.Logger, stretch.BrokenAt);
                feed.Compact(stretch.BrokenAt);
                feed.SkipTo(stretch.BrokenAt);
            }
        }
    }

    /// <summary>Says once that the watch is lost, not at every attempt: members may be away for hours.</summary>
    private void Note(EtcdMember member, Exception error)
    {
        if (!isLost)
        {
            isLost = true;
            Log.Lost(options.Logger, member.Name, Base.ErrorChain.Describe(error));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2310, Level = LogLevel.Warning, Message = "The watch at etcd's member {Member} broke, and is taken up at the next that answers: {Cause}")]
        public static partial void Lost(ILogger logger, string member, string cause);

        [LoggerMessage(EventId = 2311, Level = LogLevel.Warning, Message = "etcd's history begins at {Compacted}, and the watch stood at {Revision}: who watches will list again")]
        public static partial void Overtaken(ILogger logger, long revision, long compacted);

        [LoggerMessage(EventId = 2312, Level = LogLevel.Warning, Message = "Revision {Revision} of etcd was not made by Godwit, or what it replaced is gone: who watches will list again")]
        public static partial void Broken(ILogger logger, long revision);
    }
}
