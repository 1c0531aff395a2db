using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Policy.V1;

/// <summary>How many pods must stay.</summary>
public sealed record PodDisruptionBudgetSpec
{
    public IntOrText? MinAvailable { get; init; }

    public LabelSelectorSpec? Selector { get; init; }

    public IntOrText? MaxUnavailable { get; init; }

    public string? UnhealthyPodEvictionPolicy { get; init; }
}

/// <summary>How many pods may go now.</summary>
public sealed record PodDisruptionBudgetStatus
{
    private static readonly IReadOnlyDictionary<string, DateTimeOffset> NoTimes = new Dictionary<string, DateTimeOffset>(StringComparer.Ordinal);

    public long ObservedGeneration { get; init; }

    public IReadOnlyDictionary<string, DateTimeOffset> DisruptedPods { get; init => field = value ?? NoTimes; } = NoTimes;

    public int DisruptionsAllowed { get; init; }

    public int CurrentHealthy { get; init; }

    public int DesiredHealthy { get; init; }

    public int ExpectedPods { get; init; }

    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>Holds evictions back so that enough pods stay.</summary>
public sealed record PodDisruptionBudget() : Resource(Type), IResource<PodDisruptionBudget>
{
    public static ResourceType Type { get; } = new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", Namespaced: true);

    public PodDisruptionBudgetSpec Spec { get; init => field = value ?? new(); } = new();

    public PodDisruptionBudgetStatus Status { get; init => field = value ?? new(); } = new();
}
