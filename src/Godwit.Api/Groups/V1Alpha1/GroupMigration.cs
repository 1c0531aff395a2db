using System.Text.Json.Serialization;
using Godwit.Api.Forecasts.V1Alpha1;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Groups.V1Alpha1;

/// <summary>
/// Several guests that are to move, by one plan: those that are named, those with certain labels, or all of a node that is
/// emptied. Each is moved by a VirtualMachineInstanceMigration of its own. Deleting it while it runs cancels it: what has
/// arrived stays where it is, what is under way turns back, what waits is not begun.
/// </summary>
public sealed record GroupMigration() : Resource(Type), IResource<GroupMigration>
{
    public static ResourceType Type { get; } = new(GroupName.Godwit, "v1alpha1", "GroupMigration", "groupmigrations", Namespaced: false);

    public GroupMigrationSpec Spec { get; init => field = value ?? new(); } = new();

    public GroupMigrationStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record GroupMigrationSpec
{
    /// <summary>Guests by name; beside those that <see cref="Selector"/> picks.</summary>
    public IReadOnlyList<GroupMemberReference> Members { get; init => field = value ?? []; } = [];

    public GroupSelector? Selector { get; init; }

    /// <summary>Where all go; the scheduler chooses for each when absent.</summary>
    public string? TargetNode { get; init; }

    /// <summary>One of <see cref="GroupStrategies"/>; <c>auto</c> when absent.</summary>
    public string? Strategy { get; init; }

    /// <summary>One of <see cref="GroupPromises"/>; <c>independent</c> when absent.</summary>
    public string? Promise { get; init; }

    /// <summary>How many move at a time, where the strategy has several do so.</summary>
    public int? ParallelMax { get; init; }

    /// <summary>One of <see cref="MigrationModes"/>: how each guest moves.</summary>
    public string? Mode { get; init; }

    /// <summary>True: the plan is made and nothing is moved.</summary>
    public bool? PlanOnly { get; init; }

    /// <summary>True: a node is emptied. Each guest that moves keeps a note of where its home is, and its evictionStrategy is heeded.</summary>
    public bool? KeepHome { get; init; }

    /// <summary>How often the move of one guest is tried.</summary>
    public int? AttemptsMax { get; init; }
}

/// <summary>All that are given must hold.</summary>
public sealed record GroupSelector
{
    /// <summary>Guests that run on this node.</summary>
    public string? NodeName { get; init; }

    /// <summary>Guests whose home is this node and that are elsewhere, because it was emptied.</summary>
    public string? HomeNode { get; init; }

    /// <summary>Guests of this namespace.</summary>
    public string? Namespace { get; init; }

    /// <summary>Guests with these labels.</summary>
    public IReadOnlyDictionary<string, string> MatchLabels { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;
}

public sealed record GroupMemberReference
{
    public string Namespace { get; init => field = value ?? ""; } = "";

    public string Name { get; init => field = value ?? ""; } = "";
}

/// <summary>In which order, and how many at a time.</summary>
public static class GroupStrategies
{
    /// <summary>The planner chooses by the forecasts, and says why.</summary>
    public const string Auto = "auto";

    /// <summary>One after the other.</summary>
    public const string Serial = "serial";

    /// <summary>As many at a time as <c>parallelMax</c> and the cluster's limits allow.</summary>
    public const string Parallel = "parallel";

    /// <summary>The first <c>parallelMax</c> at a time by pre-copy, then the others one after the other by post-copy.</summary>
    public const string Mixed = "mixed";
}

/// <summary>What the guests of a group are to each other.</summary>
public static class GroupPromises
{
    /// <summary>Each arrives or stays by itself.</summary>
    public const string Independent = "independent";

    /// <summary>All are stopped together and run at their targets, or all stay where they are: see docs/decisions/0008.</summary>
    public const string OneService = "one-service";
}

public sealed record GroupMigrationStatus
{
    /// <summary>One of <see cref="GroupPhases"/>.</summary>
    public string? Phase { get; init; }

    /// <summary>Which of <see cref="GroupStrategies"/> it is, once chosen.</summary>
    public string? Strategy { get; init; }

    /// <summary>Why that strategy, or why it failed; in words.</summary>
    public string? Reason { get; init; }

    /// <summary>In the order in which they move; those that cannot come last.</summary>
    public IReadOnlyList<GroupMember> Members { get; init => field = value ?? []; } = [];

    /// <summary>Each strategy, by both models.</summary>
    public IReadOnlyList<StrategyForecast> Forecasts { get; init => field = value ?? []; } = [];

    /// <summary>The range in which it is expected to end, by the chosen strategy's forecast.</summary>
    public DateTimeOffset? EndEarliestTimestamp { get; init; }

    public DateTimeOffset? EndLatestTimestamp { get; init; }

    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? StartTimestamp { get; init; }

    public DateTimeOffset? EndTimestamp { get; init; }

    /// <summary>Of guests that are one service: what is decided for all of them.</summary>
    public GroupService? Service { get; init; }

    /// <summary>What it took.</summary>
    public GroupMeasurement? Measurement { get; init; }
}

/// <summary>
/// The one record that decides for all guests of a service. Written by the group controller alone, by compare-and-swap. A decision is never changed; after one that all return
/// the next attempt may begin, whose number says that it is another one.
/// </summary>
public sealed record GroupService
{
    /// <summary>Which attempt this decides for, from 1; absent in the first.</summary>
    public int? Attempt { get; init; }

    /// <summary>When this attempt began; absent in the first, which begins with the group.</summary>
    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? AttemptTimestamp { get; init; }

    /// <summary>When all guests were in their last rounds and were told to stop.</summary>
    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? SwitchoverTimestamp { get; init; }

    /// <summary>One of <see cref="GroupDecisions"/>; absent while nothing is decided.</summary>
    public string? Decision { get; init; }

    /// <summary>Why, in words.</summary>
    public string? Reason { get; init; }

    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? DecisionTimestamp { get; init; }
}

public static class GroupDecisions
{
    /// <summary>Every guest had arrived: each runs at its target.</summary>
    public const string RunAll = "RunAll";

    /// <summary>Each stays at its source.</summary>
    public const string ReturnAll = "ReturnAll";
}

public static class GroupPhases
{
    /// <summary>The guests' nodes measure for the forecasts.</summary>
    public const string Planning = "Planning";

    /// <summary>Only a plan was asked for, and here it is.</summary>
    public const string Planned = "Planned";
    public const string Running = "Running";

    /// <summary>Every guest is where it should be.</summary>
    public const string Succeeded = "Succeeded";

    /// <summary>Some guest is not; its member says why.</summary>
    public const string Failed = "Failed";

    public static bool IsFinal(string? phase) => phase is Planned or Succeeded or Failed;
}

public sealed record GroupMember
{
    public string Namespace { get; init => field = value ?? ""; } = "";

    public string Name { get; init => field = value ?? ""; } = "";

    /// <summary>The incarnation that is meant; another one is left alone.</summary>
    public string? Uid { get; init; }

    /// <summary>One of <see cref="GroupMemberPhases"/>.</summary>
    public string? Phase { get; init; }

    public string? SourceNode { get; init; }

    public string? TargetNode { get; init; }

    /// <summary>How it moves: one of <see cref="MigrationModes"/>.</summary>
    public string? Mode { get; init; }

    /// <summary>Why it cannot move, why the last try failed, or why it goes elsewhere than planned; in words.</summary>
    public string? Reason { get; init; }

    /// <summary>Tries that were begun.</summary>
    public int? Attempts { get; init; }

    /// <summary>The migration object of the last try.</summary>
    public string? Migration { get; init; }

    /// <summary>After a failed try: not again before this.</summary>
    public DateTimeOffset? NotBeforeTimestamp { get; init; }

    /// <summary>Of its move alone, with the whole link.</summary>
    public ModeForecast? Forecast { get; init; }

    /// <summary>What its move took.</summary>
    public long? TotalMs { get; init; }

    /// <summary>How long it stood still.</summary>
    public long? DowntimeMs { get; init; }
}

public static class GroupMemberPhases
{
    public const string Waiting = "Waiting";
    public const string Moving = "Moving";
    public const string Moved = "Moved";

    /// <summary>It cannot move; nothing was tried.</summary>
    public const string Refused = "Refused";

    /// <summary>It was tried as often as allowed.</summary>
    public const string Failed = "Failed";

    /// <summary>It ended, or left its node by another way, before its turn: there is nothing to move.</summary>
    public const string Gone = "Gone";

    public static bool IsFinal(string? phase) => phase is Moved or Refused or Failed or Gone;
}

/// <summary>What one strategy would take.</summary>
public sealed record StrategyForecast
{
    /// <summary>One of <see cref="GroupStrategies"/>, but not <c>auto</c>.</summary>
    public string Strategy { get; init => field = value ?? ""; } = "";

    /// <summary>How many would move at a time.</summary>
    public int? Parallel { get; init; }

    /// <summary>From the first start to the last end; working-set model.</summary>
    public ForecastRange? TotalMs { get; init; }

    /// <summary>
    /// How long the guest stands still that does so longest; of guests that are one service, from the first that stands still to
    /// the last that runs. Working-set model.
    /// </summary>
    public ForecastRange? DowntimeMs { get; init; }

    /// <summary>By the textbook's formula for equal guests; absent when it diverges.</summary>
    public double? TextbookTotalMs { get; init; }

    public double? TextbookDowntimeMs { get; init; }

    /// <summary>Why it is not to be used, with the numbers; absent when it can be.</summary>
    public string? Refusal { get; init; }
}

public sealed record GroupMeasurement
{
    /// <summary>From the first move's start to the last one's end.</summary>
    public long? TotalMs { get; init; }

    /// <summary>
    /// How long the guest stood still that did so longest; of guests that are one service, from the first that stood still to the
    /// last that ran, by the clocks of their sources.
    /// </summary>
    public long? DowntimeMs { get; init; }

    /// <summary>All that went over the wire.</summary>
    public long? Bytes { get; init; }

    public int? Moved { get; init; }

    /// <summary>Tries that failed.</summary>
    public int? Retries { get; init; }
}
