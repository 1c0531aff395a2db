namespace Godwit.Containers;

/// <summary>Bounds on what a container may use. Null sets none.</summary>
public sealed record ResourceSpec
{
    /// <summary>Memory, page cache included; above it the kernel reclaims, then kills inside the container.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Memory and swap together; -1 is swap without bound; null is twice the memory.</summary>
    public long? MemoryAndSwapBytes { get; init; }

    /// <summary>What the kernel reclaims down to when the host is short.</summary>
    public long? MemoryReservationBytes { get; init; }

    /// <summary>Relative weight: 2 to 262144, where 1024 is what a container without a setting has.</summary>
    public long? CpuShares { get; init; }

    /// <summary>CPU time per <see cref="CpuPeriodMicroseconds"/>.</summary>
    public long? CpuQuotaMicroseconds { get; init; }

    public long? CpuPeriodMicroseconds { get; init; }

    /// <summary>CPUs it may run on, such as <c>0-2,5</c>.</summary>
    public string? CpuSet { get; init; }

    /// <summary>Memory nodes it may use.</summary>
    public string? MemoryNodeSet { get; init; }

    /// <summary>Processes and threads.</summary>
    public long? TasksMax { get; init; }

    /// <summary>Relative weight of its block I/O: 10 to 1000.</summary>
    public int? BlockIoWeight { get; init; }

    public IReadOnlyList<DeviceThrottle> ReadBytesPerSecond { get; init; } = [];

    public IReadOnlyList<DeviceThrottle> WriteBytesPerSecond { get; init; } = [];

    public IReadOnlyList<DeviceThrottle> ReadOperationsPerSecond { get; init; } = [];

    public IReadOnlyList<DeviceThrottle> WriteOperationsPerSecond { get; init; } = [];

    public IReadOnlyList<ResourceLimitSpec> Limits { get; init; } = [];

    /// <summary>-1000 to 1000: how gladly the kernel ends it when the host runs out of memory.</summary>
    public int? OutOfMemoryScoreAdjustment { get; init; }
}

/// <summary>A bound on one block device.</summary>
/// <param name="Path">The device's path on the host.</param>
/// <param name="Rate">Bytes or operations per second.</param>
public sealed record DeviceThrottle(string Path, ulong Rate);

/// <summary>A limit of setrlimit(2), never above what the engine itself may give.</summary>
/// <param name="Name">Without its prefix, in small letters: <c>nofile</c>.</param>
public sealed record ResourceLimitSpec(string Name, ulong Soft, ulong Hard);

/// <summary>What changes in a container that exists; null leaves as it is.</summary>
public sealed record ContainerUpdate
{
    /// <summary>Its values that are not null take the place of those before.</summary>
    public ResourceSpec? Resources { get; init; }

    public RestartPolicy? Restart { get; init; }
}
