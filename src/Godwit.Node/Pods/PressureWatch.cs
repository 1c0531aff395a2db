using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Base;
using Godwit.Client;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Pods;

/// <summary>What the watch over a node's memory and disk looks at and acts by.</summary>
internal sealed record PressureParts
{
    public required Func<long> MemoryAvailableBytes { get; init; }

    public required Func<long> DiskAvailableBytes { get; init; }

    /// <summary>Pods that run here, with what each uses of a resource.</summary>
    public required Func<string, CancellationToken, Task<IReadOnlyList<PodStanding>>> Standings { get; init; }

    /// <summary>Whether something of the pod of this uid runs.</summary>
    public required Func<string, bool> Runs { get; init; }

    /// <summary>Ends a pod for good, and says so.</summary>
    public required Action<Pod, PodVerdict> Evict { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }
}

/// <summary>
/// Ends pods when the node runs out of memory or disk, before the kernel ends whatever it finds, a guest among it. One pod at a time: the next is chosen when nothing of the last one runs any more, or when
/// its time for that is over.
/// </summary>
internal sealed partial class PressureWatch(PressureParts parts)
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>A pod that has not ended by then holds the next eviction up no longer.</summary>
    public static readonly TimeSpan EndBound = TimeSpan.FromSeconds(30);

    private (string Uid, long Since)? last;

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await LookAsync(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error) // Whatever cannot be read now: pods are run on, and it is looked at again.
            {
                Log.CannotLook(parts.Logger, ErrorChain.Describe(error));
            }

            await Task.Delay(Interval, parts.Time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    internal async Task LookAsync(CancellationToken stopping)
    {
        if (NodeShortage.Find(parts.MemoryAvailableBytes(), parts.DiskAvailableBytes()) is not { } shortage)
        {
            last = null;
            return;
        }

        if (last is { } ending && parts.Runs(ending.Uid) && parts.Time.GetElapsedTime(ending.Since) < EndBound)
        {
            return;
        }

        var standings = (await parts.Standings(shortage.Resource, stopping)).Where(each => each.Pod.Metadata.Uid != last?.Uid);
        if (PressurePlan.Choose(shortage, standings) is not { } eviction)
        {
            Log.NobodyToEvict(parts.Logger, shortage.Resource);
            return;
        }

        last = (eviction.Pod.Metadata.Uid, parts.Time.GetTimestamp());
        Log.Evicted(parts.Logger, ResourceKey.Of(eviction.Pod), eviction.Verdict.Message);
        parts.Evict(eviction.Pod, eviction.Verdict);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2504, Level = LogLevel.Warning, Message = "Pod {Pod} is evicted: {Reason}")]
        public static partial void Evicted(ILogger logger, ResourceKey pod, string reason);

        [LoggerMessage(EventId = 2505, Level = LogLevel.Warning, Message = "The node is short of {Resource}, and no pod runs whose end would help")]
        public static partial void NobodyToEvict(ILogger logger, string resource);

        [LoggerMessage(EventId = 2506, Level = LogLevel.Warning, Message = "Cannot read what the node has left and its pods use; it is tried again: {Reason}")]
        public static partial void CannotLook(ILogger logger, string reason);
    }
}
