using Godwit.Linux.ControlGroups;
using Godwit.Oci.Runtime;

namespace Godwit.Containers.Runtime;

/// <summary>A container's bounds in the runtime's words.</summary>
internal static class ResourcePlan
{
    private const int SwapFactor = 2;

    internal static RuntimeResources Build(ResourceSpec resources, HostAbilities host) => new()
    {
        Memory = resources is { MemoryBytes: null, MemoryReservationBytes: null, MemoryAndSwapBytes: null }
            ? null
            : new RuntimeMemory { Limit = resources.MemoryBytes, Reservation = resources.MemoryReservationBytes, Swap = Swap(resources, host) },
        Cpu = resources is { CpuShares: null, CpuQuotaMicroseconds: null, CpuPeriodMicroseconds: null, CpuSet: null, MemoryNodeSet: null }
            ? null
            : new RuntimeCpu
            {
                Shares = (ulong?)resources.CpuShares,
                Quota = resources.CpuQuotaMicroseconds,
                Period = (ulong?)resources.CpuPeriodMicroseconds,
                Cpus = resources.CpuSet,
                Mems = resources.MemoryNodeSet,
            },
        Pids = resources.TasksMax is { } tasks ? new RuntimePids(tasks) : null,
    };

    /// <summary>
    /// Without the weight, which is told by <see cref="ControlGroupHost.SetBlockIoWeight"/>: crun (1.8) knows none of bfq's files on version 1 of cgroups, and starts nothing
    /// where there are none at all.
    /// </summary>
    internal static RuntimeBlockIo? BuildBlockIo(ResourceSpec resources, IReadOnlyDictionary<string, (long Major, long Minor)> devices)
    {
        var some = resources.ReadBytesPerSecond.Count + resources.WriteBytesPerSecond.Count + resources.ReadOperationsPerSecond.Count + resources.WriteOperationsPerSecond.Count > 0;
        return !some ? null : new RuntimeBlockIo
        {
            ThrottleReadBpsDevice = Throttles(resources.ReadBytesPerSecond),
            ThrottleWriteBpsDevice = Throttles(resources.WriteBytesPerSecond),
            ThrottleReadIopsDevice = Throttles(resources.ReadOperationsPerSecond),
            ThrottleWriteIopsDevice = Throttles(resources.WriteOperationsPerSecond),
        };

        IReadOnlyList<RuntimeThrottle>? Throttles(IReadOnlyList<DeviceThrottle> throttles) => throttles.Count == 0
            ? null
            : [.. throttles.Select(throttle => devices.TryGetValue(throttle.Path, out var device)
                ? new RuntimeThrottle(device.Major, device.Minor, throttle.Rate)
                : throw new InvalidRequestException($"cannot bound the I/O of {throttle.Path}: the host has no such device"))];
    }

    /// <summary>Limits as asked for, but none above what the engine itself has: raising one needs CAP_SYS_RESOURCE, which not every root has.</summary>
    internal static IReadOnlyList<RuntimeRlimit> BuildLimits(IReadOnlyList<ResourceLimitSpec> limits, IReadOnlyDictionary<string, ulong> hardest) =>
    [
        .. limits.Select(limit =>
        {
            var bound = hardest.TryGetValue(limit.Name, out var known) ? known : throw new InvalidRequestException($"there is no limit '{limit.Name}': see getrlimit(2)");
            var hard = Math.Min(limit.Hard, bound);
            return new RuntimeRlimit("RLIMIT_" + limit.Name.ToUpperInvariant(), Math.Min(limit.Soft, hard), hard);
        }),
    ];

    internal static ResourceSpec Merge(ResourceSpec before, ResourceSpec change) => before with
    {
        MemoryBytes = change.MemoryBytes ?? before.MemoryBytes,
        MemoryAndSwapBytes = change.MemoryAndSwapBytes ?? before.MemoryAndSwapBytes,
        MemoryReservationBytes = change.MemoryReservationBytes ?? before.MemoryReservationBytes,
        CpuShares = change.CpuShares ?? before.CpuShares,
        CpuQuotaMicroseconds = change.CpuQuotaMicroseconds ?? before.CpuQuotaMicroseconds,
        CpuPeriodMicroseconds = change.CpuPeriodMicroseconds ?? before.CpuPeriodMicroseconds,
        CpuSet = change.CpuSet ?? before.CpuSet,
        MemoryNodeSet = change.MemoryNodeSet ?? before.MemoryNodeSet,
        TasksMax = change.TasksMax ?? before.TasksMax,
        BlockIoWeight = change.BlockIoWeight ?? before.BlockIoWeight,
    };

    /// <summary>What is asked for and cannot be held on this host, in words for people that clients know from Docker where it has them.</summary>
    /// <param name="resources">What is asked for.</param>
    /// <param name="host">What it is asked of.</param>
    /// <param name="weightsDecide">Whether a disk has a scheduler that knows weights, now.</param>
    internal static IReadOnlyList<string> FindUnheld(ResourceSpec resources, HostAbilities host, bool weightsDecide)
    {
        var unheld = new List<string>();
        if (resources.MemoryAndSwapBytes is not null && !host.CountsSwap)
        {
            unheld.Add("Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.");
        }

        if (resources.BlockIoWeight is not null && !weightsDecide)
        {
            unheld.Add("No disk of this host has a scheduler that knows weights (bfq): the block I/O weight decides nothing.");
        }

        return unheld;
    }

    private static long? Swap(ResourceSpec resources, HostAbilities host) => !host.CountsSwap
        ? null
        : resources.MemoryAndSwapBytes ?? (resources.MemoryBytes is { } memory and > 0 and < long.MaxValue / SwapFactor ? memory * SwapFactor : null);
}
