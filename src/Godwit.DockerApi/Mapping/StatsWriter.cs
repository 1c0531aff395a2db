using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Mapping;

/// <summary>What a container uses, as clients compute with it.</summary>
internal static class StatsWriter
{
    /// <param name="now">This sample.</param>
    /// <param name="before">The one before; null for the first.</param>
    public static StatsAnswer Write(ContainerUsage now, ContainerUsage? before) => new()
    {
        Name = "/" + now.Name,
        Id = now.Id.Value,
        Read = Moments.Write(now.ReadAt),
        PreviousRead = Moments.Write(before?.ReadAt),
        Tasks = new TaskStats { Current = now.TaskCount, Limit = now.TasksMax },
        Block = new BlockStats([new BlockEntry(0, 0, "read", now.BlockReadBytes), new BlockEntry(0, 0, "write", now.BlockWriteBytes)]),
        Cpu = WriteCpu(now),
        PreviousCpu = before is null ? new CpuStats() : WriteCpu(before),
        Memory = new MemoryStats
        {
            UsageBytes = now.MemoryBytes,
            PeakBytes = now.MemoryPeakBytes,
            LimitBytes = now.MemoryLimitBytes,
            Details = new Dictionary<string, long>(StringComparer.Ordinal) { ["inactive_file"] = now.InactiveFileBytes, ["total_inactive_file"] = now.InactiveFileBytes },
        },
        Networks = now.Interfaces.Count == 0 ? null : now.Interfaces.ToDictionary(pair => pair.Key, pair => Write(pair.Value), StringComparer.Ordinal),
    };

    private static CpuStats WriteCpu(ContainerUsage usage) => new()
    {
        Usage = new CpuUsage { TotalNanoseconds = usage.CpuNanoseconds, KernelNanoseconds = usage.CpuKernelNanoseconds, UserNanoseconds = usage.CpuUserNanoseconds },
        HostNanoseconds = usage.HostCpuNanoseconds,
        CpuCount = usage.CpuCount,
        Throttling = new Throttling { ThrottledPeriods = usage.ThrottledPeriods, ThrottledNanoseconds = usage.ThrottledNanoseconds },
    };

    private static InterfaceStats Write(InterfaceUsage usage) => new()
    {
        ReceivedBytes = usage.ReceivedBytes,
        ReceivedPackets = usage.ReceivedPackets,
        ReceiveErrors = usage.ReceiveErrors,
        ReceiveDropped = usage.ReceiveDropped,
        SentBytes = usage.SentBytes,
        SentPackets = usage.SentPackets,
        SendErrors = usage.SendErrors,
        SendDropped = usage.SendDropped,
    };
}
