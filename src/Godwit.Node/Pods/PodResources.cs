using Godwit.Api.Core.V1;
using Godwit.Base;
using Godwit.Containers;
using Godwit.Linux.ControlGroups;

namespace Godwit.Node.Pods;

/// <summary>Requests and limits as the kernel is told them, and the classes of service that follow from them. Pure.</summary>
internal static class PodResources
{
    public const string Guaranteed = "Guaranteed";
    public const string Burstable = "Burstable";
    public const string BestEffort = "BestEffort";

    private const long PeriodMicroseconds = 100_000;
    private const long SharesPerCpu = 1024;
    private const long SharesMin = 2;
    private const long SharesMax = 262_144;
    private const long MemoryBytesMin = 6L << 20;
    private const int GuaranteedScore = -997;
    private const int BestEffortScore = 1000;

    /// <summary>Guaranteed: every container's limits of CPU and memory are its requests. BestEffort: nobody asks for anything. Else Burstable.</summary>
    public static string QualityOf(Pod pod)
    {
        var all = pod.Spec.Containers.Concat(pod.Spec.InitContainers).ToList();
        if (all.TrueForAll(container => Amounts(container).All(pair => pair.Value.Value == 0)))
        {
            return BestEffort;
        }

        return all.TrueForAll(container => IsSame(container, Quantities.Cpu) && IsSame(container, Quantities.Memory)) ? Guaranteed : Burstable;
    }

    /// <summary>What one container may use.</summary>
    /// <param name="pod">The container's pod.</param>
    /// <param name="container">The container.</param>
    /// <param name="hostMemoryBytes">The host's memory, against which requests are weighed when the kernel has to end something.</param>
    public static ResourceSpec ForContainer(Pod pod, Container container, long hostMemoryBytes)
    {
        var memory = Limit(container, Quantities.Memory);
        var cpu = Limit(container, Quantities.Cpu);
        return new ResourceSpec
        {
            MemoryBytes = memory is null ? null : Math.Max(MemoryBytesMin, (long)memory.Value),
            MemoryAndSwapBytes = memory is null ? null : Math.Max(MemoryBytesMin, (long)memory.Value), // No swap: what does not fit is ended, not slowed down.
            CpuShares = Shares(Request(container, Quantities.Cpu)),
            CpuPeriodMicroseconds = cpu is null ? null : PeriodMicroseconds,
            CpuQuotaMicroseconds = cpu is null ? null : Math.Max(1000, (long)(cpu.Value * PeriodMicroseconds)),
            OutOfMemoryScoreAdjustment = Score(pod, container, hostMemoryBytes),
        };
    }

    /// <summary>What all containers together may use: bounded where each of them is.</summary>
    public static ControlGroupLimits ForPod(Pod pod)
    {
        var requested = pod.Spec.Containers.Sum(container => Request(container, Quantities.Cpu) ?? 0);
        return new ControlGroupLimits
        {
            MemoryBytes = Bound(pod, Quantities.Memory) is { } bytes ? Math.Max(MemoryBytesMin, (long)bytes) : null,
            CpuCount = (double?)Bound(pod, Quantities.Cpu),
            CpuWeight = Math.Clamp((int)((Shares(requested) ?? SharesMin) * 100 / SharesPerCpu), 1, 10_000),
        };
    }

    /// <summary>The sum of the containers' limits, or the largest of an init container's; null when one has none.</summary>
    private static decimal? Bound(Pod pod, string resource)
    {
        var (main, init) = (pod.Spec.Containers.Select(each => Limit(each, resource)).ToList(), pod.Spec.InitContainers.Select(each => Limit(each, resource)).ToList());
        var sidecars = pod.Spec.InitContainers.Where(each => PodPlan.IsSidecar(pod, each)).Sum(each => Limit(each, resource) ?? 0);
        return main.Concat(init).Any(each => each is null) ? null : Math.Max(main.Sum(each => each!.Value) + sidecars, init.Select(each => each!.Value).DefaultIfEmpty().Max() + sidecars);
    }

    /// <summary>The request, or the limit where only that is given.</summary>
    public static decimal? Request(Container container, string resource) =>
        container.Resources?.Requests is { } requests && requests.TryGetValue(resource, out var asked) ? asked.Value : Limit(container, resource);

    public static decimal? Limit(Container container, string resource) => container.Resources?.Limits is { } limits && limits.TryGetValue(resource, out var limit) && limit.Value > 0 ? limit.Value : null;

    private static long? Shares(decimal? cpus) => Math.Clamp((long)((cpus ?? 0) * SharesPerCpu), SharesMin, SharesMax);

    /// <summary>As the real kubelet weighs: the more of the host's memory a container asked for, the later it is ended.</summary>
    private static int Score(Pod pod, Container container, long hostMemoryBytes) => QualityOf(pod) switch
    {
        Guaranteed => GuaranteedScore,
        BestEffort => BestEffortScore,
        _ => (int)Math.Clamp(1000 - (long)(1000 * (Request(container, Quantities.Memory) ?? 0) / Math.Max(1, hostMemoryBytes)), 3, 999),
    };

    private static bool IsSame(Container container, string resource) => Limit(container, resource) is { } limit && Request(container, resource) == limit;

    private static IEnumerable<KeyValuePair<string, Quantity>> Amounts(Container container) =>
        (container.Resources?.Requests ?? Quantities.None).Concat(container.Resources?.Limits ?? Quantities.None).Where(pair => pair.Key is Quantities.Cpu or Quantities.Memory);
}
