using Godwit.Base;

namespace Godwit.Api.Metrics.V1Beta1;

/// <summary>What a node uses, as two readings tell. Made when it is asked for, and stored nowhere.</summary>
public sealed record NodeMetrics() : Resource(Type), IResource<NodeMetrics>
{
    public static ResourceType Type { get; } = new(MetricsGroup.Name, MetricsGroup.Version, "NodeMetrics", "nodes", Namespaced: false);

    /// <summary>Of the later reading.</summary>
    public DateTimeOffset? Timestamp { get; init; }

    /// <summary>Between the two readings, as Kubernetes writes a duration: <c>10.2s</c>.</summary>
    public string? Window { get; init; }

    /// <summary><c>cpu</c> in cores, <c>memory</c> in bytes.</summary>
    public IReadOnlyDictionary<string, Quantity> Usage { get; init => field = value ?? MetricsGroup.Nothing; } = MetricsGroup.Nothing;
}

/// <summary>What the containers of a pod use.</summary>
public sealed record PodMetrics() : Resource(Type), IResource<PodMetrics>
{
    public static ResourceType Type { get; } = new(MetricsGroup.Name, MetricsGroup.Version, "PodMetrics", "pods", Namespaced: true);

    /// <inheritdoc cref="NodeMetrics.Timestamp"/>
    public DateTimeOffset? Timestamp { get; init; }

    /// <inheritdoc cref="NodeMetrics.Window"/>
    public string? Window { get; init; }

    public IReadOnlyList<ContainerMetrics> Containers { get; init => field = value ?? []; } = [];
}

/// <summary>What one container uses.</summary>
public sealed record ContainerMetrics
{
    public string Name { get; init => field = value ?? ""; } = "";

    /// <inheritdoc cref="NodeMetrics.Usage"/>
    public IReadOnlyDictionary<string, Quantity> Usage { get; init => field = value ?? MetricsGroup.Nothing; } = MetricsGroup.Nothing;
}

/// <summary>The group's words.</summary>
public static class MetricsGroup
{
    public const string Name = "metrics.k8s.io";
    public const string Version = "v1beta1";

    internal static readonly IReadOnlyDictionary<string, Quantity> Nothing = new Dictionary<string, Quantity>(StringComparer.Ordinal);
}
