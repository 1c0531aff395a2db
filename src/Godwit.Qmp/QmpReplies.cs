using System.Text.Json.Serialization;

namespace Godwit.Qmp;

/// <summary>The answer of a command that has nothing to say.</summary>
public sealed record QmpNothing;

/// <summary>QEMU's RunState: <c>prelaunch</c>, <c>running</c>, <c>paused</c>, <c>inmigrate</c>, <c>postmigrate</c>, <c>shutdown</c>, <c>guest-panicked</c>…</summary>
public sealed record QmpStatus
{
    public required string Status { get; init; }

    /// <summary>The guest's CPUs execute.</summary>
    public required bool Running { get; init; }
}

/// <summary><c>query-migrate</c>. Empty before the first migration; QEMU fills more as it goes on.</summary>
public sealed record QmpMigration
{
    public string? Status { get; init; }

    [JsonPropertyName("error-desc")]
    public string? ErrorDescription { get; init; }

    /// <summary>Milliseconds.</summary>
    public double? TotalTime { get; init; }

    /// <summary>Milliseconds.</summary>
    public double? Downtime { get; init; }

    /// <summary>Milliseconds.</summary>
    public double? ExpectedDowntime { get; init; }

    /// <summary>Milliseconds.</summary>
    public double? SetupTime { get; init; }

    public int? CpuThrottlePercentage { get; init; }

    public QmpMigrationRam? Ram { get; init; }

    public IReadOnlyList<string>? BlockedReasons { get; init; }
}

/// <summary>The memory part of <c>query-migrate</c>; sizes in bytes, counts in pages.</summary>
public sealed record QmpMigrationRam
{
    public long Transferred { get; init; }

    public long Remaining { get; init; }

    public long Total { get; init; }

    /// <summary>Pages that held one repeated byte (zero pages) and cost almost nothing.</summary>
    public long Duplicate { get; init; }

    public long Normal { get; init; }

    /// <summary>Pages a second.</summary>
    public long DirtyPagesRate { get; init; }

    public double Mbps { get; init; }

    public long DirtySyncCount { get; init; }

    public long PostcopyRequests { get; init; }

    public int PageSize { get; init; }
}

public sealed record QmpDirtyRate
{
    /// <summary><c>unstarted</c>, <c>measuring</c> or <c>measured</c>.</summary>
    public required string Status { get; init; }

    /// <summary>MiB a second; present once measured.</summary>
    [JsonPropertyName("dirty-rate")]
    public long? DirtyRateMiBPerSecond { get; init; }
}

public sealed record QmpCpu
{
    public required int CpuIndex { get; init; }

    /// <summary>The host thread that runs this CPU.</summary>
    public required int ThreadId { get; init; }
}

public sealed record QmpBlockDevice
{
    /// <summary>The device's id path when it has no block backend name.</summary>
    public string? Qdev { get; init; }

    public string? NodeName { get; init; }

    public required QmpBlockStatistics Stats { get; init; }
}

public sealed record QmpBlockStatistics
{
    [JsonPropertyName("rd_bytes")]
    public long ReadBytes { get; init; }

    [JsonPropertyName("wr_bytes")]
    public long WrittenBytes { get; init; }
}

/// <summary><c>query-block-jobs</c>, one of it.</summary>
public sealed record QmpBlockJob
{
    /// <summary>The job's name.</summary>
    public required string Device { get; init; }

    /// <summary><c>running</c>, <c>ready</c>, <c>concluded</c>…</summary>
    public required string Status { get; init; }

    /// <summary>Bytes of <see cref="Len"/> that are done.</summary>
    public long Offset { get; init; }

    /// <summary>Bytes in all as known now; it grows with the guest's writes.</summary>
    public long Len { get; init; }

    /// <summary>A mirror: all was copied once.</summary>
    public bool Ready { get; init; }

    /// <summary>A mirror: both sides are alike, and stay so.</summary>
    public bool? ActivelySynced { get; init; }

    /// <summary>Why it failed, once it has ended.</summary>
    public string? Error { get; init; }
}

public sealed record QmpMachineType
{
    public required string Name { get; init; }

    /// <summary><c>q35</c> or <c>pc</c> on the newest version of that family.</summary>
    public string? Alias { get; init; }

    public int CpuMax { get; init; }

    public bool Deprecated { get; init; }
}

public sealed record QmpCpuDefinition
{
    public required string Name { get; init; }

    /// <summary>Features of the model that this host and accelerator do not give; empty: it runs. Null: QEMU does not know.</summary>
    public IReadOnlyList<string>? UnavailableFeatures { get; init; }
}

public sealed record QmpVersion
{
    public required QmpVersionNumber Qemu { get; init; }

    public string Package { get; init; } = "";
}

public sealed record QmpVersionNumber
{
    public required int Major { get; init; }

    public required int Minor { get; init; }

    public required int Micro { get; init; }
}

public sealed record QmpBalloon
{
    /// <summary>Bytes that the guest has left.</summary>
    public required long Actual { get; init; }
}

/// <summary>An object that <c>yank</c> can cut: <c>migration</c>, or a named chardev or block node.</summary>
public sealed record QmpYankInstance
{
    public required string Type { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.KebabCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, MaxDepth = QmpMessage.DepthMax)]
[JsonSerializable(typeof(QmpNothing))]
[JsonSerializable(typeof(QmpStatus))]
[JsonSerializable(typeof(QmpMigration))]
[JsonSerializable(typeof(QmpDirtyRate))]
[JsonSerializable(typeof(IReadOnlyList<QmpCpu>))]
[JsonSerializable(typeof(IReadOnlyList<QmpBlockDevice>))]
[JsonSerializable(typeof(IReadOnlyList<QmpMachineType>))]
[JsonSerializable(typeof(IReadOnlyList<QmpCpuDefinition>))]
[JsonSerializable(typeof(IReadOnlyList<QmpYankInstance>))]
[JsonSerializable(typeof(QmpVersion))]
[JsonSerializable(typeof(QmpBalloon))]
[JsonSerializable(typeof(QmpArguments.Capabilities))]
[JsonSerializable(typeof(QmpArguments.MigrationCapabilities))]
[JsonSerializable(typeof(QmpMigrationParameters))]
[JsonSerializable(typeof(QmpArguments.Migrate))]
[JsonSerializable(typeof(QmpArguments.MigrateIncoming))]
[JsonSerializable(typeof(QmpArguments.MigrateContinue))]
[JsonSerializable(typeof(QmpArguments.MigrateRecover))]
[JsonSerializable(typeof(QmpArguments.Yank))]
[JsonSerializable(typeof(QmpArguments.Announce))]
[JsonSerializable(typeof(QmpArguments.CalculateDirtyRate))]
[JsonSerializable(typeof(QmpArguments.Balloon))]
[JsonSerializable(typeof(IReadOnlyList<QmpBlockJob>))]
[JsonSerializable(typeof(QmpArguments.NbdServer))]
[JsonSerializable(typeof(QmpArguments.BlockExport))]
[JsonSerializable(typeof(QmpArguments.NbdNode))]
[JsonSerializable(typeof(QmpArguments.Node))]
[JsonSerializable(typeof(QmpArguments.BlockMirror))]
[JsonSerializable(typeof(QmpArguments.BlockJobChange))]
[JsonSerializable(typeof(QmpArguments.BlockJobSpeed))]
[JsonSerializable(typeof(QmpArguments.BlockActivation))]
[JsonSerializable(typeof(QmpArguments.BlockJobCancel))]
[JsonSerializable(typeof(QmpArguments.Job))]
[JsonSerializable(typeof(QmpArguments.AddTlsCredentials))]
[JsonSerializable(typeof(QmpArguments.DeleteObject))]
[JsonSerializable(typeof(QmpArguments.RingBufferRead))]
[JsonSerializable(typeof(QmpArguments.HumanMonitorCommand))]
[JsonSerializable(typeof(string))]
internal sealed partial class QmpJson : JsonSerializerContext;
