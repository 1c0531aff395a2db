using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Apps.V1;

/// <summary>One observed fact about a deployment.</summary>
public sealed record DeploymentCondition
{
    public string Type { get; init => field = value ?? ""; } = "";

    public string Status { get; init => field = value ?? ""; } = "";

    public DateTimeOffset? LastUpdateTime { get; init; }

    public DateTimeOffset? LastTransitionTime { get; init; }

    public string? Reason { get; init; }

    public string? Message { get; init; }
}

/// <summary>How far a rolling update goes at once.</summary>
public sealed record RollingUpdateDeployment
{
    public IntOrText? MaxUnavailable { get; init; }

    public IntOrText? MaxSurge { get; init; }
}

/// <summary>How old pods are replaced by new ones.</summary>
public sealed record DeploymentStrategy
{
    public string? Type { get; init; }

    public RollingUpdateDeployment? RollingUpdate { get; init; }
}

/// <summary>How many pods, of what, and how they are renewed.</summary>
public sealed record DeploymentSpec
{
    public int? Replicas { get; init; }

    public LabelSelectorSpec Selector { get; init => field = value ?? new(); } = new();

    public PodTemplate Template { get; init => field = value ?? new(); } = new();

    public DeploymentStrategy? Strategy { get; init; }

    public int? MinReadySeconds { get; init; }

    public int? RevisionHistoryLimit { get; init; }

    public bool? Paused { get; init; }

    public int? ProgressDeadlineSeconds { get; init; }
}

/// <summary>What a deployment has.</summary>
public sealed record DeploymentStatus
{
    public long ObservedGeneration { get; init; }

    public int Replicas { get; init; }

    public int UpdatedReplicas { get; init; }

    public int ReadyReplicas { get; init; }

    public int AvailableReplicas { get; init; }

    public int UnavailableReplicas { get; init; }

    public int? TerminatingReplicas { get; init; }

    public IReadOnlyList<DeploymentCondition> Conditions { get; init => field = value ?? []; } = [];

    public int? CollisionCount { get; init; }
}

/// <summary>Keeps pods alike running, and renews them step by step.</summary>
public sealed record Deployment() : Resource(Type), IResource<Deployment>
{
    public static ResourceType Type { get; } = new("apps", "v1", "Deployment", "deployments", Namespaced: true);

    public DeploymentSpec Spec { get; init => field = value ?? new(); } = new();

    public DeploymentStatus Status { get; init => field = value ?? new(); } = new();
}
