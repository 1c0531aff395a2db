using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Apps.V1;

/// <summary>How far a rolling update goes at once.</summary>
public sealed record RollingUpdateDaemonSet
{
    public IntOrText? MaxUnavailable { get; init; }

    public IntOrText? MaxSurge { get; init; }
}

/// <summary>How old pods are replaced by new ones.</summary>
public sealed record DaemonSetUpdateStrategy
{
    public string? Type { get; init; }

    public RollingUpdateDaemonSet? RollingUpdate { get; init; }
}

/// <summary>What runs on every node.</summary>
public sealed record DaemonSetSpec
{
    public LabelSelectorSpec Selector { get; init => field = value ?? new(); } = new();

    public PodTemplate Template { get; init => field = value ?? new(); } = new();

    public DaemonSetUpdateStrategy? UpdateStrategy { get; init; }

    public int? MinReadySeconds { get; init; }

    public int? RevisionHistoryLimit { get; init; }
}

/// <summary>What a daemon set has.</summary>
public sealed record DaemonSetStatus
{
    public int CurrentNumberScheduled { get; init; }

    public int NumberMisscheduled { get; init; }

    public int DesiredNumberScheduled { get; init; }

    public int NumberReady { get; init; }

    public long ObservedGeneration { get; init; }

    public int UpdatedNumberScheduled { get; init; }

    public int NumberAvailable { get; init; }

    public int NumberUnavailable { get; init; }

    public int? CollisionCount { get; init; }

    public IReadOnlyList<WorkloadCondition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>Keeps a pod running on every node that fits.</summary>
public sealed record DaemonSet() : Resource(Type), IResource<DaemonSet>
{
    public static ResourceType Type { get; } = new("apps", "v1", "DaemonSet", "daemonsets", Namespaced: true);

    public DaemonSetSpec Spec { get; init => field = value ?? new(); } = new();

    public DaemonSetStatus Status { get; init => field = value ?? new(); } = new();
}
