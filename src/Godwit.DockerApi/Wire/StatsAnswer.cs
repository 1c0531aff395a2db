using System.Text.Json.Serialization;

namespace Godwit.DockerApi.Wire;

/// <summary>One sample of <c>containers/{id}/stats</c>, with the one before it: clients compute rates from the two.</summary>
internal sealed record StatsAnswer
{
    [JsonPropertyName("name")]
    public required string Name { get; init; }

    [JsonPropertyName("id")]
    public required string Id { get; init; }

    [JsonPropertyName("read")]
    public required string Read { get; init; }

    [JsonPropertyName("preread")]
    public required string PreviousRead { get; init; }

    [JsonPropertyName("pids_stats")]
    public required TaskStats Tasks { get; init; }

    [JsonPropertyName("blkio_stats")]
    public required BlockStats Block { get; init; }

    [JsonPropertyName("num_procs")]
    public int ProcessCount { get; init; }

    [JsonPropertyName("cpu_stats")]
    public required CpuStats Cpu { get; init; }

    [JsonPropertyName("precpu_stats")]
    public required CpuStats PreviousCpu { get; init; }

    [JsonPropertyName("memory_stats")]
    public required MemoryStats Memory { get; init; }

    [JsonPropertyName("networks")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, InterfaceStats>? Networks { get; init; }
}

internal sealed record TaskStats
{
    [JsonPropertyName("current")]
    public long Current { get; init; }

    [JsonPropertyName("limit")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Limit { get; init; }
}

internal sealed record BlockStats([property: JsonPropertyName("io_service_bytes_recursive")] IReadOnlyList<BlockEntry> Bytes);

internal sealed record BlockEntry(
    [property: JsonPropertyName("major")] int Major,
    [property: JsonPropertyName("minor")] int Minor,
    [property: JsonPropertyName("op")] string Operation,
    [property: JsonPropertyName("value")] long Value);

internal sealed record CpuStats
{
    [JsonPropertyName("cpu_usage")]
    public CpuUsage Usage { get; init; } = new();

    [JsonPropertyName("system_cpu_usage")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long HostNanoseconds { get; init; }

    [JsonPropertyName("online_cpus")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int CpuCount { get; init; }

    [JsonPropertyName("throttling_data")]
    public Throttling Throttling { get; init; } = new();
}

internal sealed record CpuUsage
{
    [JsonPropertyName("total_usage")]
    public long TotalNanoseconds { get; init; }

    [JsonPropertyName("usage_in_kernelmode")]
    public long KernelNanoseconds { get; init; }

    [JsonPropertyName("usage_in_usermode")]
    public long UserNanoseconds { get; init; }
}

internal sealed record Throttling
{
    [JsonPropertyName("periods")]
    public long Periods { get; init; }

    [JsonPropertyName("throttled_periods")]
    public long ThrottledPeriods { get; init; }

    [JsonPropertyName("throttled_time")]
    public long ThrottledNanoseconds { get; init; }
}

internal sealed record MemoryStats
{
    [JsonPropertyName("usage")]
    public long UsageBytes { get; init; }

    [JsonPropertyName("max_usage")]
    public long PeakBytes { get; init; }

    [JsonPropertyName("stats")]
    public IReadOnlyDictionary<string, long> Details { get; init; } = new Dictionary<string, long>(StringComparer.Ordinal);

    [JsonPropertyName("limit")]
    public long LimitBytes { get; init; }
}

internal sealed record InterfaceStats
{
    [JsonPropertyName("rx_bytes")]
    public long ReceivedBytes { get; init; }

    [JsonPropertyName("rx_packets")]
    public long ReceivedPackets { get; init; }

    [JsonPropertyName("rx_errors")]
    public long ReceiveErrors { get; init; }

    [JsonPropertyName("rx_dropped")]
    public long ReceiveDropped { get; init; }

    [JsonPropertyName("tx_bytes")]
    public long SentBytes { get; init; }

    [JsonPropertyName("tx_packets")]
    public long SentPackets { get; init; }

    [JsonPropertyName("tx_errors")]
    public long SendErrors { get; init; }

    [JsonPropertyName("tx_dropped")]
    public long SendDropped { get; init; }
}

/// <summary>A path in a container, in the header <c>X-Docker-Container-Path-Stat</c>.</summary>
internal sealed record PathStat
{
    [JsonPropertyName("name")]
    public required string Name { get; init; }

    [JsonPropertyName("size")]
    public required long SizeBytes { get; init; }

    /// <summary>As Go's os.FileMode counts.</summary>
    [JsonPropertyName("mode")]
    public required uint Mode { get; init; }

    [JsonPropertyName("mtime")]
    public required string ChangedAt { get; init; }

    [JsonPropertyName("linkTarget")]
    public required string LinkTarget { get; init; }
}
