using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Mapping;

/// <summary>Bounds on what a container may use. In Docker's words zero sets none.</summary>
internal static class ResourceReader
{
    private const long NanosPerCpu = 1_000_000_000;
    private const long PeriodMicroseconds = 100_000;

    public static ResourceSpec Read(HostConfig host)
    {
        if (host.NanoCpus > 0 && (host.CpuQuota != 0 || host.CpuPeriod != 0))
        {
            throw DockerException.Invalid("Conflicting options: Nano CPUs and CPU quota or period cannot both be set");
        }

        return new ResourceSpec
        {
            MemoryBytes = Positive(host.Memory, "memory"),
            MemoryAndSwapBytes = Swap(host.Memory, host.MemorySwap),
            MemoryReservationBytes = Positive(host.MemoryReservation, "memory reservation"),
            CpuShares = Positive(host.CpuShares, "CPU shares"),
            CpuQuotaMicroseconds = Quota(host.NanoCpus, host.CpuQuota),
            CpuPeriodMicroseconds = host.NanoCpus > 0 ? PeriodMicroseconds : Positive(host.CpuPeriod, "CPU period"),
            CpuSet = Text(host.CpusetCpus),
            MemoryNodeSet = Text(host.CpusetMems),
            TasksMax = host.PidsLimit is > 0 and var tasks ? tasks : null,
            BlockIoWeight = host.BlkioWeight == 0 ? null : host.BlkioWeight,
            ReadBytesPerSecond = Throttles(host.BlkioDeviceReadBps),
            WriteBytesPerSecond = Throttles(host.BlkioDeviceWriteBps),
            ReadOperationsPerSecond = Throttles(host.BlkioDeviceReadIops),
            WriteOperationsPerSecond = Throttles(host.BlkioDeviceWriteIops),
            Limits = [.. (host.Ulimits ?? []).Select(Limit)],
            OutOfMemoryScoreAdjustment = host.OomScoreAdj == 0 ? null : host.OomScoreAdj,
        };
    }

    /// <summary>What an update changes; null when nothing.</summary>
    public static ResourceSpec? ReadUpdate(UpdateContainerBody body)
    {
        var changed = Read(new HostConfig
        {
            Memory = body.Memory,
            MemorySwap = body.MemorySwap,
            MemoryReservation = body.MemoryReservation,
            CpuShares = body.CpuShares,
            NanoCpus = body.NanoCpus,
            CpuPeriod = body.CpuPeriod,
            CpuQuota = body.CpuQuota,
            CpusetCpus = body.CpusetCpus,
            CpusetMems = body.CpusetMems,
            PidsLimit = body.PidsLimit,
            BlkioWeight = body.BlkioWeight,
        });
        return body == new UpdateContainerBody { RestartPolicy = body.RestartPolicy } ? null : changed;
    }

    private static long? Quota(long nanoCpus, long quota)
    {
        const long nanoCpusMin = 10_000_000;
        if (nanoCpus is 0)
        {
            return quota is > 0 ? quota : null;
        }

        var most = Environment.ProcessorCount * NanosPerCpu;
        return nanoCpus is >= nanoCpusMin && nanoCpus <= most
            ? nanoCpus * PeriodMicroseconds / NanosPerCpu
            : throw DockerException.Invalid($"range of CPUs is from 0.01 to {Environment.ProcessorCount}.00, as there are only {Environment.ProcessorCount} CPUs available");
    }

    private static long? Swap(long memory, long both)
    {
        if (both > 0 && memory is 0)
        {
            throw DockerException.Invalid("You should always set the Memory limit when using Memoryswap limit, see usage");
        }

        return both switch
        {
            0 => null,
            -1 => -1,
            > 0 when both >= memory => both,
            _ => throw DockerException.Invalid("Minimum memoryswap limit should be larger than memory limit, see usage"),
        };
    }

    private static List<DeviceThrottle> Throttles(IReadOnlyList<ThrottleDeviceBody>? bodies) =>
        [.. (bodies ?? []).Select(body => new DeviceThrottle(body.Path is ['/', ..] path ? path : throw DockerException.Invalid($"bad device path: '{body.Path}'"), body.Rate))];

    private static ResourceLimitSpec Limit(UlimitBody body)
    {
        if (string.IsNullOrEmpty(body.Name) || !body.Name.All(char.IsAsciiLetterLower))
        {
            throw DockerException.Invalid($"invalid ulimit type: '{body.Name}'");
        }

        // -1 is without a bound.
        var (soft, hard) = (unchecked((ulong)body.Soft), unchecked((ulong)body.Hard));
        return soft <= hard ? new ResourceLimitSpec(body.Name, soft, hard) : throw DockerException.Invalid($"ulimit soft limit must be less than or equal to hard limit: {body.Soft} > {body.Hard}");
    }

    private static long? Positive(long value, string what) => value switch
    {
        0 => null,
        > 0 => value,
        _ => throw DockerException.Invalid($"the {what} cannot be negative: {value}"),
    };

    private static string? Text(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
