using System.Collections.Concurrent;

namespace Godwit.Controllers.Addresses;

/// <summary>
/// Gives all pods that want an address one of their own, in one round: what is taken is read once, and the writes go side by side.
/// <para><b>An address is given once.</b> A write that had no answer may have been done, so what was given stays that pod's until the cache shows the pod with an address, or without an
/// object: nobody else gets it meanwhile, and the pod itself gets the same again. Not for use by several at a time.</para>
/// </summary>
internal sealed class PodAddresses(ClusterView cluster)
{
    /// <summary>So many pods a round: guests and nodes, whose turn comes between rounds, are not to wait for thousands of writes.</summary>
    public const int PodsMax = 500;

    /// <summary>So many writes are under way at a time.</summary>
    private const int WritesMax = 16;

    private readonly ResourceClient<Pod> pods = cluster.ClientOf<Pod>();
    private readonly ConcurrentDictionary<string, string> givenByUid = new(StringComparer.Ordinal);

    /// <summary>Why a pod waits, as it was last said: once for each reason.</summary>
    private readonly Dictionary<string, string> toldByUid = new(StringComparer.Ordinal);

    /// <summary>Addresses of all pods, those included whose objects do not show them yet.</summary>
    public IEnumerable<string> Taken() => PodAddressPlanner.TakenBy(cluster.Pods.Current.Items).Concat(givenByUid.Values);

    /// <param name="taken">Addresses of all guests, pods and nodes.</param>
    /// <param name="settings">The ConfigMap of the network; null when there is none.</param>
    /// <param name="stopping">Cut off between any two writes the next round goes on from what it then finds.</param>
    /// <returns>False when more pods wait than one round takes.</returns>
    public async Task<bool> ServeAsync(HashSet<string> taken, ConfigMap? settings, CancellationToken stopping)
    {
        var wanting = cluster.Pods.Current.Items.Where(PodAddressPlanner.IsWanting).ToList();
        Forget(wanting);
        var plans = PodAddressPlanner.ForAll([.. wanting.Take(PodsMax)], taken, givenByUid, settings);
        foreach (var (pod, plan) in plans)
        {
            if (plan is PodAddressPlan.Wait wait && toldByUid.GetValueOrDefault(pod.Metadata.Uid) != wait.Message)
            {
                toldByUid[pod.Metadata.Uid] = wait.Message;
                cluster.Events.Record(pod, EventTypes.Warning, wait.Reason, wait.Message);
            }
        }

        await Parallel.ForEachAsync(
            plans.Where(each => each.Plan is PodAddressPlan.Assign),
            new ParallelOptions { MaxDegreeOfParallelism = WritesMax, TaskScheduler = TaskScheduler.Current, CancellationToken = stopping }, // The caller's scheduler, and not always the thread pool's.
            async (each, cancelled) => await AssignAsync(each.Pod, ((PodAddressPlan.Assign)each.Plan).Address, cancelled));
        return wanting.Count <= PodsMax;
    }

    private async Task AssignAsync(Pod pod, string address, CancellationToken stopping)
    {
        givenByUid[pod.Metadata.Uid] = address;
        try
        {
            var status = pod.Status with { PodIP = address, PodIPs = [new PodIP { Ip = address }], Phase = pod.Status.Phase ?? PodPhases.Pending };
            cluster.Pods.Observe(await pods.ChangeStatusAsync(pod, pod with { Status = status }, stopping));
        }
        catch (ApiException error) when (error.IsConflict || error.IsNotFound)
        {
            // Changed or deleted meanwhile: the watch tells, and the next round sees it.
        }
    }

    /// <summary>What a pod was given is its own, or nobody's, when it is not seen to want one any more.</summary>
    private void Forget(IEnumerable<Pod> wanting)
    {
        var uids = wanting.Select(pod => pod.Metadata.Uid).ToHashSet(StringComparer.Ordinal);
        foreach (var uid in givenByUid.Keys.Where(uid => !uids.Contains(uid)))
        {
            givenByUid.TryRemove(uid, out _);
        }

        foreach (var uid in toldByUid.Keys.Where(uid => !uids.Contains(uid)).ToList())
        {
            toldByUid.Remove(uid);
        }
    }
}
