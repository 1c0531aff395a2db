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

    internal static RuntimeBlockIo? BuildBlockIo(ResourceSpec resources, IReadOnlyDictionary<string, (long Major, long Minor)> devices)
    {
        var some = resources.BlockIoWeight is not null
            || resources.ReadBytesPerSecond.Count + resources.WriteBytesPerSecond.Count + resources.ReadOperationsPerSecond.Count + resources.WriteOperationsPerSecond.Count > 0;
        return !some ? null : new RuntimeBlockIo
        {
            Weight = (ushort?)resources.BlockIoWeight,
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

    private static long? Swap(ResourceSpec resources, HostAbilities host) => !host.CountsSwap
        ? null
        : resources.MemoryAndSwapBytes ?? (resources.MemoryBytes is { } memory and > 0 and < long.MaxValue / SwapFactor ? memory * SwapFactor : null);
}
