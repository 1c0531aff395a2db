using Godwit.Api.Autoscaling.V2;

namespace Godwit.Api.Autoscaling.V1;

/// <summary>The older version of <see cref="HorizontalPodAutoscaler"/>, which knows use of CPU alone; what else there is stands in annotations.</summary>
public sealed record HorizontalPodAutoscalerV1() : Resource(Type), IResource<HorizontalPodAutoscalerV1>
{
    public static ResourceType Type { get; } = new("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Namespaced: true);

    public AutoscalerSpecV1 Spec { get; init => field = value ?? new(); } = new();

    public AutoscalerStatusV1 Status { get; init => field = value ?? new(); } = new();
}

public sealed record AutoscalerSpecV1
{
    public CrossVersionReference ScaleTargetRef { get; init => field = value ?? new(); } = new();

    public int? MinReplicas { get; init; }

    public int MaxReplicas { get; init; }

    /// <summary>Percent of what the pods request.</summary>
    public int? TargetCPUUtilizationPercentage { get; init; }
}

public sealed record AutoscalerStatusV1
{
    public long? ObservedGeneration { get; init; }

    public DateTimeOffset? LastScaleTime { get; init; }

    public int CurrentReplicas { get; init; }

    public int DesiredReplicas { get; init; }

    /// <summary>Percent of what the pods request.</summary>
    public int? CurrentCPUUtilizationPercentage { get; init; }
}
