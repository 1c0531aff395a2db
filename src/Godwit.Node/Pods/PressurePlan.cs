using System.Globalization;
using Godwit.Api;
using Godwit.Api.Core.V1;

namespace Godwit.Node.Pods;

/// <summary>What the node is short of.</summary>
/// <param name="Resource">As requests name it: <c>memory</c> or <c>ephemeral-storage</c>.</param>
/// <param name="AvailableBytes">What there is of it.</param>
/// <param name="ThresholdBytes">Less than this is too little.</param>
internal sealed record NodeShortage(string Resource, long AvailableBytes, long ThresholdBytes)
{
    /// <summary>Below these the node says that it is under pressure, and pods are evicted.</summary>
    public const long MemoryBytesMin = 128L << 20;
    public const long DiskBytesMin = 256L << 20;

    /// <summary>Memory first: the kernel does not wait. Null when there is enough of both.</summary>
    public static NodeShortage? Find(long memoryAvailableBytes, long diskAvailableBytes) =>
        memoryAvailableBytes < MemoryBytesMin ? new NodeShortage(Quantities.Memory, memoryAvailableBytes, MemoryBytesMin)
        : diskAvailableBytes < DiskBytesMin ? new NodeShortage(Quantities.EphemeralStorage, diskAvailableBytes, DiskBytesMin)
        : null;

    /// <summary>Whether the node says that it is under pressure. It stays so until there is twice as much, so that the word does not change with every byte.</summary>
    public static bool IsPressed(long availableBytes, long thresholdBytes, bool wasPressed) => availableBytes < (wasPressed ? thresholdBytes * 2 : thresholdBytes);
}

/// <summary>A pod that may be ended, and how much its containers use of what the node is short of.</summary>
internal sealed record PodStanding(Pod Pod, IReadOnlyList<(string Container, long Bytes)> Uses)
{
    public long UsedBytes => Uses.Sum(use => use.Bytes);
}

/// <summary>
/// Which pod has to go when the node is short of something. Those that use more than they asked for go first, the less important of these before the others, and of equals the one that uses most beyond
/// its request; what the system cannot do without stays. Guests are no pods and never go.
/// Source of the order and of the words: Kubernetes documentation, "Node-pressure Eviction".
/// </summary>
internal static class PressurePlan
{
    public const string Evicted = "Evicted";

    /// <summary>That of <c>system-cluster-critical</c>: from there on nothing is evicted.</summary>
    private const int CriticalPriority = 2_000_000_000;

    /// <summary>Null when there is nobody whose going would help.</summary>
    public static (Pod Pod, PodVerdict Verdict)? Choose(NodeShortage shortage, IEnumerable<PodStanding> pods)
    {
        var chosen = pods
            .Where(each => (each.Pod.Spec.Priority ?? 0) < CriticalPriority && each.UsedBytes > 0)
            .OrderByDescending(each => each.UsedBytes > Requested(each.Pod, shortage.Resource))
            .ThenBy(each => each.Pod.Spec.Priority ?? 0)
            .ThenByDescending(each => each.UsedBytes - Requested(each.Pod, shortage.Resource))
            .ThenBy(each => each.Pod.Metadata.Uid, StringComparer.Ordinal)
            .FirstOrDefault();
        return chosen is null ? null : (chosen.Pod, new PodVerdict(Evicted, Explain(shortage, chosen)) { Grace = TimeSpan.Zero });
    }

    private static string Explain(NodeShortage shortage, PodStanding pod)
    {
        var words = $"The node was low on resource: {shortage.Resource}. Threshold quantity: {Mebibytes(shortage.ThresholdBytes)}, available: {Mebibytes(shortage.AvailableBytes)}.";
        foreach (var (name, bytes) in pod.Uses.OrderByDescending(use => use.Bytes))
        {
            var requested = pod.Pod.Spec.Containers.Where(container => container.Name == name).Sum(container => (long)(PodResources.Request(container, shortage.Resource) ?? 0));
            if (bytes > requested)
            {
                words += $" Container {name} was using {Mebibytes(bytes)}, request is {(requested == 0 ? "0" : Mebibytes(requested))}, has larger consumption of {shortage.Resource}.";
            }
        }

        return words;
    }

    private static long Requested(Pod pod, string resource) => pod.Spec.Containers.Sum(container => (long)(PodResources.Request(container, resource) ?? 0));

    private static string Mebibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes >> 20}Mi");
}
