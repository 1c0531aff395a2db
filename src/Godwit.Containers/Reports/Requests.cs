using Godwit.Oci;

namespace Godwit.Containers;

public enum WaitCondition
{
    /// <summary>It has no processes (at once, if it has none now).</summary>
    NotRunning,

    /// <summary>It ends after this moment.</summary>
    NextExit,

    /// <summary>It is removed.</summary>
    Removed,
}

/// <param name="Force">A running one is ended first, by SIGKILL.</param>
/// <param name="Volumes">Its anonymous volumes go too.</param>
public readonly record struct RemoveOptions(bool Force = false, bool Volumes = false);

/// <summary>A program to execute in a running container.</summary>
public sealed record ExecutionSpec
{
    /// <summary>An empty user or working directory is that of the container; the environment is added to the container's.</summary>
    public required ProcessSpec Process { get; init; }

    public bool Privileged { get; init; }

    public bool AttachesOutput { get; init; } = true;

    public bool AttachesError { get; init; } = true;
}

/// <summary>An execution at one moment.</summary>
/// <param name="ProcessId">Null before it runs.</param>
/// <param name="ExitCode">Null before it has ended.</param>
public sealed record ExecutionSnapshot(string Id, ContainerId Container, ExecutionSpec Spec, int? ProcessId, int? ExitCode)
{
    public bool Running => ProcessId is not null && ExitCode is null;
}

/// <summary>What ps(1) says of a container's processes.</summary>
public sealed record ProcessTable(IReadOnlyList<string> Titles, IReadOnlyList<IReadOnlyList<string>> Processes);

/// <summary>What a container uses at one moment; counters begin with its start.</summary>
public sealed record ContainerUsage
{
    public required DateTimeOffset ReadAt { get; init; }

    public required ContainerId Id { get; init; }

    public required string Name { get; init; }

    public long CpuNanoseconds { get; init; }

    public long CpuUserNanoseconds { get; init; }

    public long CpuKernelNanoseconds { get; init; }

    public long ThrottledPeriods { get; init; }

    public long ThrottledNanoseconds { get; init; }

    /// <summary>CPU time of the whole host, for ratios.</summary>
    public long HostCpuNanoseconds { get; init; }

    public int CpuCount { get; init; }

    public long MemoryBytes { get; init; }

    public long MemoryPeakBytes { get; init; }

    /// <summary>Of <see cref="MemoryBytes"/>: file pages that could be given back at once.</summary>
    public long InactiveFileBytes { get; init; }

    /// <summary>The host's memory where the container has no bound.</summary>
    public long MemoryLimitBytes { get; init; }

    public long TaskCount { get; init; }

    /// <summary>Null without a bound.</summary>
    public long? TasksMax { get; init; }

    public long BlockReadBytes { get; init; }

    public long BlockWriteBytes { get; init; }

    /// <summary>By the interface's name in the container.</summary>
    public IReadOnlyDictionary<string, InterfaceUsage> Interfaces { get; init; } = new Dictionary<string, InterfaceUsage>(StringComparer.Ordinal);
}

/// <summary>As the container sees it.</summary>
public sealed record InterfaceUsage(long ReceivedBytes, long ReceivedPackets, long ReceiveErrors, long ReceiveDropped, long SentBytes, long SentPackets, long SendErrors, long SendDropped);

/// <summary>A file in a container.</summary>
/// <param name="Mode">Kind and permission bits (inode(7)).</param>
/// <param name="LinkTarget">Empty for what is no symbolic link.</param>
public sealed record PathFacts(string Name, long SizeBytes, uint Mode, DateTimeOffset ChangedAt, string LinkTarget);

/// <param name="RefuseKindChange">A folder never takes the place of a file, nor a file that of a folder.</param>
/// <param name="KeepOwners">Owners are as in the archive, else the container's root.</param>
public readonly record struct CopyInOptions(bool RefuseKindChange = false, bool KeepOwners = true);

/// <param name="Pause">Freezes the container meanwhile, so that its files belong together.</param>
public sealed record CommitRequest(string Author = "", string Comment = "", bool Pause = true)
{
    /// <summary>The new image's name; null leaves it without.</summary>
    public ImageReference? Name { get; init; }

    /// <summary>The new image's configuration; null is the container's own (<see cref="SpecDefaults.ToImage"/>).</summary>
    public ImageDefaults? Config { get; init; }
}

/// <summary>What pruning took away.</summary>
public sealed record PruneReport(IReadOnlyList<string> Removed, long ReclaimedBytes);
