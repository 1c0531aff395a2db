using System.Collections.Concurrent;

namespace Godwit.Controllers.Placements;

/// <summary>
/// Where pods are to run that wait for their volumes: the room there is theirs until they are bound. It is the leader's memory alone: a new leader finds the same nodes by what the
/// claims say, in its first round, and promises them anew.
/// </summary>
internal sealed class PromisedNodes(TimeProvider clock)
{
    /// <summary>Beyond that the room is anybody's again, and the pod waits by its priority: a volume that nobody makes must not block a node for ever. Kubernetes waits as long for volumes.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromMinutes(10);

    /// <summary>So many pods at a time: each is planned anew in each round.</summary>
    public const int CountMax = 2000;

    private readonly ConcurrentDictionary<string, (string NodeName, long Since)> byUid = new(StringComparer.Ordinal);

    /// <summary>Null when nothing is promised to it, or not any more.</summary>
    public string? NodeOf(Pod pod) => byUid.TryGetValue(pod.Metadata.Uid, out var promise) && clock.GetElapsedTime(promise.Since) < KeptFor ? promise.NodeName : null;

    /// <summary>A promise that is repeated keeps its beginning; one for another node begins anew.</summary>
    public void Promise(Pod pod, string nodeName)
    {
        var known = byUid.TryGetValue(pod.Metadata.Uid, out var before);
        if (known ? before.NodeName != nodeName : byUid.Count < CountMax)
        {
            byUid[pod.Metadata.Uid] = (nodeName, clock.GetTimestamp());
        }
    }

    public void TakeBack(Pod pod) => byUid.TryRemove(pod.Metadata.Uid, out _);

    /// <summary>Forgets those that wait no longer.</summary>
    public void Keep(IEnumerable<Pod> pods)
    {
        if (byUid.IsEmpty)
        {
            return;
        }

        var waiting = pods.Where(PodRoundPlanner.IsWaiting).Select(pod => pod.Metadata.Uid).ToHashSet(StringComparer.Ordinal);
        foreach (var uid in byUid.Keys.Where(uid => !waiting.Contains(uid)))
        {
            byUid.TryRemove(uid, out _);
        }
    }
}
