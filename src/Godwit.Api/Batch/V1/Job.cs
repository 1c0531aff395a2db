using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Batch.V1;

/// <summary>One observed fact about a job.</summary>
public sealed record JobCondition
{
    public string Type { get; init => field = value ?? ""; } = "";

    public string Status { get; init => field = value ?? ""; } = "";

    public DateTimeOffset? LastProbeTime { get; init; }

    public DateTimeOffset? LastTransitionTime { get; init; }

    public string? Reason { get; init; }

    public string? Message { get; init; }
}

/// <summary>Pods that have ended and are not counted yet.</summary>
public sealed record UncountedTerminatedPods
{
    public IReadOnlyList<string> Succeeded { get; init => field = value ?? []; } = [];

    public IReadOnlyList<string> Failed { get; init => field = value ?? []; } = [];
}

/// <summary>Exit codes that a rule is about.</summary>
public sealed record PodFailurePolicyOnExitCodesRequirement
{
    public string? ContainerName { get; init; }

    public string Operator { get; init => field = value ?? ""; } = "";

    public IReadOnlyList<int> Values { get; init => field = value ?? []; } = [];
}

/// <summary>A condition of the pod that a rule is about.</summary>
public sealed record PodFailurePolicyOnPodConditionsPattern
{
    public string Type { get; init => field = value ?? ""; } = "";

    public string? Status { get; init; }
}

/// <summary>What a failed pod means.</summary>
public sealed record PodFailurePolicyRule
{
    public string Action { get; init => field = value ?? ""; } = "";

    public PodFailurePolicyOnExitCodesRequirement? OnExitCodes { get; init; }

    public IReadOnlyList<PodFailurePolicyOnPodConditionsPattern> OnPodConditions { get; init => field = value ?? []; } = [];
}

/// <summary>What failed pods mean; the first rule that fits counts.</summary>
public sealed record PodFailurePolicy
{
    public IReadOnlyList<PodFailurePolicyRule> Rules { get; init => field = value ?? []; } = [];
}

/// <summary>When enough has succeeded.</summary>
public sealed record SuccessPolicyRule
{
    public string? SucceededIndexes { get; init; }

    public int? SucceededCount { get; init; }
}

/// <summary>When an indexed job has succeeded; any rule is enough.</summary>
public sealed record SuccessPolicy
{
    public IReadOnlyList<SuccessPolicyRule> Rules { get; init => field = value ?? []; } = [];
}

/// <summary>What is to be done, how often and how.</summary>
public sealed record JobSpec
{
    public int? Parallelism { get; init; }

    public int? Completions { get; init; }

    public long? ActiveDeadlineSeconds { get; init; }

    public PodFailurePolicy? PodFailurePolicy { get; init; }

    public SuccessPolicy? SuccessPolicy { get; init; }

    public int? BackoffLimit { get; init; }

    public int? BackoffLimitPerIndex { get; init; }

    public int? MaxFailedIndexes { get; init; }

    public LabelSelectorSpec? Selector { get; init; }

    public bool? ManualSelector { get; init; }

    public PodTemplate Template { get; init => field = value ?? new(); } = new();

    public int? TtlSecondsAfterFinished { get; init; }

    public string? CompletionMode { get; init; }

    public bool? Suspend { get; init; }

    public string? PodReplacementPolicy { get; init; }

    public string? ManagedBy { get; init; }
}

/// <summary>What of a job is done.</summary>
public sealed record JobStatus
{
    public IReadOnlyList<JobCondition> Conditions { get; init => field = value ?? []; } = [];

    public DateTimeOffset? StartTime { get; init; }

    public DateTimeOffset? CompletionTime { get; init; }

    public int Active { get; init; }

    public int Succeeded { get; init; }

    public int Failed { get; init; }

    public int? Terminating { get; init; }

    public string? CompletedIndexes { get; init; }

    public string? FailedIndexes { get; init; }

    public UncountedTerminatedPods? UncountedTerminatedPods { get; init; }

    public int? Ready { get; init; }
}

/// <summary>Work that comes to an end.</summary>
public sealed record Job() : Resource(Type), IResource<Job>
{
    public static ResourceType Type { get; } = new("batch", "v1", "Job", "jobs", Namespaced: true);

    public JobSpec Spec { get; init => field = value ?? new(); } = new();

    public JobStatus Status { get; init => field = value ?? new(); } = new();
}
