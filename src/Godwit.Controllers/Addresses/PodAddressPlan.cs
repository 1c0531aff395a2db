namespace Godwit.Controllers.Addresses;

/// <summary>What a pod gets, or why it gets nothing now.</summary>
internal abstract record PodAddressPlan
{
    private PodAddressPlan()
    {
    }

    /// <summary>Write this into <c>status.podIP</c>.</summary>
    public sealed record Assign(string Address) : PodAddressPlan;

    /// <summary>It has to wait; the reason is one word for programs.</summary>
    public sealed record Wait(string Reason, string Message) : PodAddressPlan;
}

/// <summary>
/// Gives a pod its address before it has a node, from the network of the guests. It is the pod's until the pod has ended or its
/// object is gone. An address is drawn from the pod's uid, which no other pod has, so one just given back is not at once another's.
/// </summary>
internal static class PodAddressPlanner
{
    /// <summary>True for a pod that is to have an address of its own and has none.</summary>
    public static bool IsWanting(Pod pod) =>
        pod.Spec.HostNetwork != true && string.IsNullOrEmpty(pod.Status.PodIP) && pod.Metadata.DeletionTimestamp is null && !PodPhases.IsFinal(pod.Status.Phase);

    public static bool Holds(Pod pod) => pod.Spec.HostNetwork != true && !string.IsNullOrEmpty(pod.Status.PodIP) && !PodPhases.IsFinal(pod.Status.Phase);

    public static IEnumerable<string> TakenBy(IEnumerable<Pod> pods) => pods.Where(Holds).Select(pod => pod.Status.PodIP!);

    /// <summary>Decides for many at once, one after the other, each from what those before it leave.</summary>
    /// <param name="pods">Those that are <see cref="IsWanting"/>.</param>
    /// <param name="taken">Addresses of all guests, pods and nodes; those that are given here are added.</param>
    /// <param name="givenByUid">What pods were given whose objects do not show it yet: each keeps it.</param>
    /// <param name="settings">The ConfigMap of the network; null when there is none.</param>
    public static IReadOnlyList<(Pod Pod, PodAddressPlan Plan)> ForAll(
        IReadOnlyCollection<Pod> pods, HashSet<string> taken, IReadOnlyDictionary<string, string> givenByUid, ConfigMap? settings)
    {
        if (!AddressPool.TryRead(settings, out var pool, out var error))
        {
            return [.. pods.Select(pod => (pod, (PodAddressPlan)new PodAddressPlan.Wait(AddressPlanner.PoolMissing, error)))];
        }

        taken.UnionWith(givenByUid.Values);
        return [.. pods.Select(pod => (pod, For(pod, pool, taken, givenByUid)))];
    }

    private static PodAddressPlan For(Pod pod, AddressPool pool, HashSet<string> taken, IReadOnlyDictionary<string, string> givenByUid)
    {
        if (givenByUid.TryGetValue(pod.Metadata.Uid, out var given) && pool.Contains(given))
        {
            return new PodAddressPlan.Assign(given);
        }

        if (pool.FindFree(pod.Metadata.Uid, taken.Contains) is not { } address)
        {
            return new PodAddressPlan.Wait(AddressPlanner.PoolExhausted, $"all {pool.Capacity} addresses of the pods' network are in use");
        }

        taken.Add(address);
        return new PodAddressPlan.Assign(address);
    }
}
