using Godwit.Migration.Convergence;
using Godwit.Migration.Models;

namespace Godwit.Migration.Protocol;

/// <summary>Why a move was turned back, as a word for machines.</summary>
public enum TurnBackKind
{
    Cancelled,
    TargetRefused,
    TargetSilent,
    TargetDead,
    LinkDead,
    SwitchoverStalled,
    StreamFailed,
    JournalFailed,
    AgentRestarted,
    NotConverging,
    DisksFailed,

    /// <summary>All guests of its service stay where they were.</summary>
    ServiceReturns,

    /// <summary>The other guests of its service did not come so far in time.</summary>
    ServiceIncomplete,
}

/// <summary>Why a move was turned back: the word, and the story for people.</summary>
public sealed record TurnBackReason(TurnBackKind Kind, string Text);

/// <summary>What has happened so far, for the report. Times of things that have not happened are null.</summary>
public sealed record MoveTrace(DateTimeOffset BeganAt)
{
    /// <summary>Null when no disk goes along.</summary>
    public DateTimeOffset? DisksStartedAt { get; init; }

    public DateTimeOffset? DisksInStepAt { get; init; }

    public long DiskCopiedBytes { get; init; }

    public long DiskTotalBytes { get; init; }

    public DateTimeOffset? StreamStartedAt { get; init; }

    /// <summary>For so long the last of a round was held back for a target that was not ready.</summary>
    public TimeSpan HeldBackFor { get; init; }

    /// <summary>The guest stopped for the move: by QEMU's own word, or else when the source saw it stand still.</summary>
    public DateTimeOffset? PausedAt { get; init; }

    /// <summary>The source saw that QEMU had come to the barrier: in post-copy some time after the guest was stopped, by order.</summary>
    public DateTimeOffset? BarrierAt { get; init; }

    /// <summary>The stop as the source's QEMU counts it: from its own pause to the last byte, or to the hand-over in post-copy.</summary>
    public double? QemuDowntimeMs { get; init; }

    /// <summary>From the stream's begin to its end, as the source's QEMU counts it.</summary>
    public double QemuStreamMs { get; init; }

    public DateTimeOffset? RunOrderedAt { get; init; }

    /// <summary>The source learned that the guest runs on the target.</summary>
    public DateTimeOffset? RunningAt { get; init; }

    public DateTimeOffset? CompletedAt { get; init; }

    public TerminationRule? EndedBy { get; init; }

    public bool Postcopy { get; init; }

    public int RecoveryCount { get; init; }

    /// <summary>The newest reading of the source's QEMU that showed a stream; its rounds and bytes.</summary>
    public long Rounds { get; init; }

    public long TransferredBytes { get; init; }

    public long RemainingBytes { get; init; }

    /// <summary>The guest's, as QEMU counts it; zero before the first reading of a stream.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>What was left to send when the guest was stopped.</summary>
    public long RestBytes { get; init; }

    /// <summary>What had been sent when the first pass was over.</summary>
    public long FirstPassBytes { get; init; }

    public double BytesPerSecond { get; init; }

    public double DirtyBytesPerSecond { get; init; }

    /// <summary>How long each round of pre-copy took, and what the guest dirtied meanwhile.</summary>
    public IReadOnlyList<DirtyPoint> RoundsSeen { get; init; } = [];

    /// <summary>A guest that was stopped before its stream began was not stopped for the move.</summary>
    internal DateTimeOffset PausedSince(QemuReading reading, DateTimeOffset now) =>
        PausedAt ?? (reading.StoppedAt is { } stopped && stopped >= StreamStartedAt && stopped <= now ? stopped : now);

    internal MoveTrace With(DiskReading reading) => this with
    {
        DiskCopiedBytes = Math.Max(DiskCopiedBytes, reading.CopiedBytes),
        DiskTotalBytes = Math.Max(DiskTotalBytes, reading.TotalBytes),
    };

    internal MoveTrace With(QemuReading reading) => reading.Stream == StreamStatus.None ? this : this with
    {
        Rounds = Math.Max(Rounds, reading.Round),
        FirstPassBytes = reading.Round <= 1 ? Math.Max(FirstPassBytes, reading.TransferredBytes) : FirstPassBytes,
        TransferredBytes = Math.Max(TransferredBytes, reading.TransferredBytes),
        RemainingBytes = reading.RemainingBytes,
        MemoryBytes = Math.Max(MemoryBytes, reading.MemoryBytes),
        QemuDowntimeMs = reading.DowntimeMs ?? QemuDowntimeMs,
        QemuStreamMs = Math.Max(QemuStreamMs, reading.StreamMs),
    };
}

/// <summary>The plan and what came of it so far: what every phase of a move carries.</summary>
public sealed record Move(MigrationPlan Plan, MoveTrace Trace)
{
    internal Move Note(Func<MoveTrace, MoveTrace> change) => this with { Trace = change(Trace) };

    internal Move Expecting(DirtyCurve dirty) => this with { Plan = Plan with { Convergence = Plan.Convergence with { ExpectedDirty = dirty } } };
}

/// <summary>When something last moved: a progress watchdog as a value.</summary>
internal readonly record struct ProgressWatch(long Bytes, StreamStatus Status, DateTimeOffset MovedAt)
{
    public ProgressWatch Saw(QemuReading reading, DateTimeOffset now) =>
        reading.TransferredBytes > Bytes || reading.Stream != Status
            ? new(Math.Max(Bytes, reading.TransferredBytes), reading.Stream, now)
            : this;

    public ProgressWatch Saw(long bytes, DateTimeOffset now) => bytes > Bytes ? this with { Bytes = bytes, MovedAt = now } : this;

    /// <summary>The one who watches was not awake for so long: that nothing moved meanwhile says nothing.</summary>
    public ProgressWatch Slept(TimeSpan time) => this with { MovedAt = MovedAt + time };

    public bool Stands(DateTimeOffset now, TimeSpan patience) => now - MovedAt > patience;
}
