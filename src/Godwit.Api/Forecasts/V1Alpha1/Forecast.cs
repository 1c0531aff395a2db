using Godwit.Api.Meta.V1;

namespace Godwit.Api.Forecasts.V1Alpha1;

/// <summary>The question what a move would take. The guest's node measures and answers in the status.</summary>
public sealed record Forecast() : Resource(Type), IResource<Forecast>
{
    public static ResourceType Type { get; } = new(GroupName.Godwit, "v1alpha1", "Forecast", "forecasts", Namespaced: true);

    public ForecastSpec Spec { get; init => field = value ?? new(); } = new();

    public ForecastStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record ForecastSpec
{
    public string VmiName { get; init => field = value ?? ""; } = "";

    /// <summary>Chosen by the scheduler when absent.</summary>
    public string? TargetNode { get; init; }

    /// <summary>Which of <see cref="MigrationModes"/> to compare; all when empty.</summary>
    public IReadOnlyList<string> Modes { get; init => field = value ?? []; } = [];
}

/// <summary>The ways to move a guest.</summary>
public static class MigrationModes
{
    /// <summary>The planner chooses.</summary>
    public const string Auto = "auto";
    public const string Cold = "cold";
    public const string Precopy = "precopy";
    public const string Postcopy = "postcopy";
    public const string Hybrid = "hybrid";
}

public sealed record ForecastStatus
{
    /// <summary>One of <see cref="ForecastPhases"/>.</summary>
    public string? Phase { get; init; }

    public string? SourceNode { get; init; }

    public string? TargetNode { get; init; }

    /// <summary>What the forecasts were made from.</summary>
    public ForecastInputs? Observed { get; init; }

    public IReadOnlyList<ModeComparison> Modes { get; init => field = value ?? []; } = [];

    public string? RecommendedMode { get; init; }

    /// <summary>Why that mode, or why it failed; in words.</summary>
    public string? Reason { get; init; }

    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];
}

public static class ForecastPhases
{
    public const string Pending = "Pending";

    /// <summary>Checked, target chosen: the source's agent measures.</summary>
    public const string Scheduled = "Scheduled";
    public const string Measuring = "Measuring";
    public const string Completed = "Completed";
    public const string Failed = "Failed";

    public static bool IsFinal(string? phase) => phase is Completed or Failed;
}

public sealed record ForecastInputs
{
    public DateTimeOffset? MeasuredTimestamp { get; init; }

    public long? MemoryBytes { get; init; }

    /// <summary>Memory that holds something: zero pages cost next to nothing.</summary>
    public long? NonZeroBytes { get; init; }

    /// <summary>Of the disks that go along, what has to be copied; absent when none does.</summary>
    public long? DiskBytes { get; init; }

    /// <summary>What the guest writes to its disks; absent when none goes along, or it is not known.</summary>
    public long? DiskWrittenBytesPerSecond { get; init; }

    /// <summary>What the link between the two nodes gave, measured.</summary>
    public long? LinkBytesPerSecond { get; init; }

    public long? DirtyBytesPerSecond { get; init; }

    /// <summary>Unique memory dirtied within each window, windows growing.</summary>
    public IReadOnlyList<DirtyCurvePoint> DirtyCurve { get; init => field = value ?? []; } = [];

    public FixedCosts? FixedCosts { get; init; }
}

public sealed record DirtyCurvePoint
{
    public long WindowMs { get; init; }

    public long UniqueBytes { get; init; }
}

/// <summary>What a move takes that does not depend on memory, measured on earlier ones.</summary>
public sealed record FixedCosts
{
    /// <summary>From the request to a target that is ready to receive.</summary>
    public long? PreparingMs { get; init; }

    /// <summary>State of CPUs and devices, while the guest stands still.</summary>
    public long? DeviceStateMs { get; init; }

    /// <summary>From the last byte to the guest running on the target.</summary>
    public long? ActivatingMs { get; init; }

    /// <summary>From running to being found by the network.</summary>
    public long? AnnouncingMs { get; init; }
}

/// <summary>One mode, by both models.</summary>
public sealed record ModeComparison
{
    /// <summary>One of <see cref="MigrationModes"/>.</summary>
    public string Mode { get; init => field = value ?? ""; } = "";

    public TextbookForecast? Textbook { get; init; }

    public ModeForecast? Forecast { get; init; }

    /// <summary>Whether and why it will converge, in words.</summary>
    public string? Reason { get; init; }
}

/// <summary>What the textbook formulas say: a constant dirty rate, nothing fixed, nothing measured but the rates.</summary>
public sealed record TextbookForecast
{
    /// <summary>Absent when the formula diverges.</summary>
    public double? TotalMs { get; init; }

    public double? DowntimeMs { get; init; }

    public int? Rounds { get; init; }

    public bool Converges { get; init; }
}

/// <summary>What the working-set model expects of a move in one mode.</summary>
public sealed record ModeForecast
{
    public string? Mode { get; init; }

    public ForecastRange? TotalMs { get; init; }

    public ForecastRange? DowntimeMs { get; init; }

    public ForecastRange? Bytes { get; init; }

    /// <summary>From 0 to 1: how often such a forecast held.</summary>
    public double? Confidence { get; init; }

    public bool? Converges { get; init; }

    /// <summary>In words.</summary>
    public string? Reason { get; init; }
}

/// <summary>Both ends included.</summary>
public sealed record ForecastRange
{
    public long Low { get; init; }

    public long High { get; init; }

    /// <summary>The likeliest value between them, which need not be their middle; null: none is known.</summary>
    public long? Likely { get; init; }
}
