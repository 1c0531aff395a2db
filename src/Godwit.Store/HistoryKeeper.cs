using Microsoft.Extensions.Logging;

namespace Godwit.Store;

/// <summary>
/// Keeps a store's history to a length of time. Every period it compacts to the revision that was current one period
/// ago; so history reaches back between one and two periods, and lists with continue tokens and interrupted watches have
/// at least one to come back.
/// </summary>
public sealed partial class HistoryKeeper(IRevisionStore store, TimeSpan period, TimeProvider time, ILogger logger)
{
    /// <summary>What Kubernetes keeps: its API server compacts every five minutes.</summary>
    public static readonly TimeSpan DefaultPeriod = TimeSpan.FromMinutes(5);

    /// <summary>Runs until cancelled. A store that cannot serve is tried again a period later.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(period, time);
        var target = await CurrentAsync(fallback: 0, stopping);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            await CompactAsync(target, stopping);
            target = await CurrentAsync(target, stopping);
        }
    }

    private async Task CompactAsync(long revision, CancellationToken stopping)
    {
        var started = time.GetTimestamp();
        try
        {
            await store.CompactAsync(revision, stopping);
            Log.Compacted(logger, revision, (long)time.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (StoreUnavailableException error)
        {
            Log.CompactionFailed(logger, error, revision);
        }
    }

    private async Task<long> CurrentAsync(long fallback, CancellationToken stopping)
    {
        try
        {
            return await store.GetCurrentRevisionAsync(stopping);
        }
        catch (StoreUnavailableException error)
        {
            Log.CompactionFailed(logger, error, fallback);
            return fallback;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2100, Level = LogLevel.Debug, Message = "History begins at revision {Revision}; compacting took {ElapsedMs} ms")]
        public static partial void Compacted(ILogger logger, long revision, long elapsedMs);

        [LoggerMessage(EventId = 2101, Level = LogLevel.Warning, Message = "Could not compact the store to revision {Revision}; trying again a period later")]
        public static partial void CompactionFailed(ILogger logger, Exception error, long revision);
    }
}
