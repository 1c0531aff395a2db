using Godwit.Api.Apps.V1;
using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Api.Autoscaling.V2;

/// <summary>Keeps the number of a workload's pods by what they use.</summary>
public sealed record HorizontalPodAutoscaler() : Resource(Type), IResource<HorizontalPodAutoscaler>
{
    public static ResourceType Type { get; } = new("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Namespaced: true);

    public AutoscalerSpec Spec { get; init => field = value ?? new(); } = new();

    public AutoscalerStatus Status { get; init => field = value ?? new(); } = new();
}

/// <summary>An object of the same namespace, by kind and name.</summary>
public sealed record CrossVersionReference
{
    public string Kind { get; init => field = value ?? ""; } = "";

    public string Name { get; init => field = value ?? ""; } = "";

    public string? ApiVersion { get; init; }
}

public sealed record AutoscalerSpec
{
    public CrossVersionReference ScaleTargetRef { get; init => field = value ?? new(); } = new();

    public int? MinReplicas { get; init; }

    public int MaxReplicas { get; init; }

    public IReadOnlyList<MetricSpec> Metrics { get; init => field = value ?? []; } = [];

    public AutoscalerBehavior? Behavior { get; init; }
}

public sealed record AutoscalerBehavior
{
    public ScalingRules? ScaleUp { get; init; }

    public ScalingRules? ScaleDown { get; init; }
}

/// <summary>How fast the number may change in one direction.</summary>
public sealed record ScalingRules
{
    /// <summary><c>Max</c>, <c>Min</c> or <c>Disabled</c>.</summary>
    public string? SelectPolicy { get; init; }

    public IReadOnlyList<ScalingPolicy> Policies { get; init => field = value ?? []; } = [];

    /// <summary>For so long the most cautious of the recommendations holds.</summary>
    public int? StabilizationWindowSeconds { get; init; }

    /// <summary>A ratio this near to 1 changes nothing.</summary>
    public Quantity? Tolerance { get; init; }
}

public sealed record ScalingPolicy
{
    /// <summary><c>Pods</c> or <c>Percent</c>.</summary>
    public string Type { get; init => field = value ?? ""; } = "";

    public int Value { get; init; }

    public int PeriodSeconds { get; init; }
}

/// <summary>What is measured, and what it should be. Exactly the field that <see cref="Type"/> names is set.</summary>
public sealed record MetricSpec
{
    /// <summary>One of <see cref="MetricTypes"/>.</summary>
    public string Type { get; init => field = value ?? ""; } = "";

    public ObjectMetric? Object { get; init; }

    public NamedMetric? Pods { get; init; }

    public ResourceMetric? Resource { get; init; }

    public NamedMetric? External { get; init; }

    public ContainerResourceMetric? ContainerResource { get; init; }
}

public static class MetricTypes
{
    public const string Resource = "Resource";
    public const string ContainerResource = "ContainerResource";
    public const string Pods = "Pods";
    public const string Object = "Object";
    public const string External = "External";

    internal static readonly string[] All = [ContainerResource, External, Object, Pods, Resource];
}

public sealed record ResourceMetric
{
    public string Name { get; init => field = value ?? ""; } = "";

    public MetricTarget Target { get; init => field = value ?? new(); } = new();
}

public sealed record ContainerResourceMetric
{
    public string Name { get; init => field = value ?? ""; } = "";

    public MetricTarget Target { get; init => field = value ?? new(); } = new();

    public string Container { get; init => field = value ?? ""; } = "";
}

/// <summary>A metric that an adapter measures, of pods or of something outside.</summary>
public sealed record NamedMetric
{
    public MetricIdentifier Metric { get; init => field = value ?? new(); } = new();

    public MetricTarget Target { get; init => field = value ?? new(); } = new();
}

/// <summary>A metric that an adapter measures, of one object.</summary>
public sealed record ObjectMetric
{
    public CrossVersionReference DescribedObject { get; init => field = value ?? new(); } = new();

    public MetricTarget Target { get; init => field = value ?? new(); } = new();

    public MetricIdentifier Metric { get; init => field = value ?? new(); } = new();
}

public sealed record MetricIdentifier
{
    public string Name { get; init => field = value ?? ""; } = "";

    public LabelSelectorSpec? Selector { get; init; }
}

public sealed record MetricTarget
{
    /// <summary>One of <see cref="TargetTypes"/>.</summary>
    public string Type { get; init => field = value ?? ""; } = "";

    public Quantity? Value { get; init; }

    /// <summary>Of a pod, on average.</summary>
    public Quantity? AverageValue { get; init; }

    /// <summary>Percent of what the pods request.</summary>
    public int? AverageUtilization { get; init; }
}

public static class TargetTypes
{
    public const string Utilization = "Utilization";
    public const string Value = "Value";
    public const string AverageValue = "AverageValue";
}

public sealed record AutoscalerStatus
{
    public long? ObservedGeneration { get; init; }

    public DateTimeOffset? LastScaleTime { get; init; }

    public int CurrentReplicas { get; init; }

    public int DesiredReplicas { get; init; }

    public IReadOnlyList<MetricStatus> CurrentMetrics { get; init => field = value ?? []; } = [];

    public IReadOnlyList<WorkloadCondition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>What was measured, in the order of the specification's metrics.</summary>
public sealed record MetricStatus
{
    public string Type { get; init => field = value ?? ""; } = "";

    public ObjectMetricStatus? Object { get; init; }

    public NamedMetricStatus? Pods { get; init; }

    public ResourceMetricStatus? Resource { get; init; }

    public NamedMetricStatus? External { get; init; }

    public ContainerResourceMetricStatus? ContainerResource { get; init; }
}

public sealed record ResourceMetricStatus
{
    public string Name { get; init => field = value ?? ""; } = "";

    public MetricValue Current { get; init => field = value ?? new(); } = new();
}

public sealed record ContainerResourceMetricStatus
{
    public string Name { get; init => field = value ?? ""; } = "";

    public MetricValue Current { get; init => field = value ?? new(); } = new();

    public string Container { get; init => field = value ?? ""; } = "";
}

public sealed record NamedMetricStatus
{
    public MetricIdentifier Metric { get; init => field = value ?? new(); } = new();

    public MetricValue Current { get; init => field = value ?? new(); } = new();
}

public sealed record ObjectMetricStatus
{
    public MetricIdentifier Metric { get; init => field = value ?? new(); } = new();

    public MetricValue Current { get; init => field = value ?? new(); } = new();

    public CrossVersionReference DescribedObject { get; init => field = value ?? new(); } = new();
}

public sealed record MetricValue
{
    public Quantity? Value { get; init; }

    public Quantity? AverageValue { get; init; }

    public int? AverageUtilization { get; init; }
}
