namespace Godwit.Api.Metrics;

/// <summary>What an agent answers at <c>/usage</c>: its host, and what runs on it. No object of the API; the server makes those of it, for pods that it knows to be there.</summary>
public sealed record UsageReport
{
    /// <summary>The host; null before the second reading.</summary>
    public UsageFigures? Node { get; init; }

    public IReadOnlyList<PodUsage> Pods { get; init => field = value ?? []; } = [];
}

/// <summary>What a pod's containers use, or a virtual machine, whose one container is called <c>compute</c>.</summary>
public sealed record PodUsage
{
    /// <summary>The pod's, or the VirtualMachineInstance's.</summary>
    public string Uid { get; init => field = value ?? ""; } = "";

    public IReadOnlyList<ContainerUsageFigures> Containers { get; init => field = value ?? []; } = [];
}

public sealed record ContainerUsageFigures
{
    public string Name { get; init => field = value ?? ""; } = "";

    public UsageFigures Figures { get; init => field = value ?? new(); } = new();
}

/// <summary>Two readings' difference.</summary>
public sealed record UsageFigures
{
    /// <summary>A core for a second is a billion.</summary>
    public long CpuNanocores { get; init; }

    /// <summary>Without what the kernel could drop at once: the working set.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>When the later reading was made.</summary>
    public DateTimeOffset? ReadAt { get; init; }

    /// <summary>Between the two, in milliseconds.</summary>
    public long WindowMs { get; init; }
}
