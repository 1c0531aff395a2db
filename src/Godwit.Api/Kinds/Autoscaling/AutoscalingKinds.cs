using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Autoscaling.V1;
using Godwit.Api.Autoscaling.V2;
using Godwit.Api.Kinds.Workloads;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;
using Godwit.Base;

namespace Godwit.Api.Kinds.Autoscaling;

/// <summary>What changes the number of pods by what they use: stored in <c>autoscaling/v2</c>, and served in v1 too.</summary>
internal static class AutoscalingKinds
{
    private const string Unknown = "<unknown>";
    private const int MetricsShownMax = 2;

    public static ResourceDefinition HorizontalPodAutoscalerDefinition { get; } = new()
    {
        Group = HorizontalPodAutoscaler.Type.Group,
        Version = HorizontalPodAutoscaler.Type.Version,
        Kind = HorizontalPodAutoscaler.Type.Kind,
        Plural = HorizontalPodAutoscaler.Type.Plural,
        Singular = "horizontalpodautoscaler",
        ShortNames = ["hpa"],
        Categories = ["all"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = AutoscalingSchemas.HorizontalPodAutoscaler,
        Strategy = new AutoscalerRules(),
        Columns = ColumnsOf(resource => resource),
    };

    public static ResourceDefinition HorizontalPodAutoscalerV1Definition { get; } = HorizontalPodAutoscalerDefinition with
    {
        Version = HorizontalPodAutoscalerV1.Type.Version,
        Schema = AutoscalingSchemas.HorizontalPodAutoscalerV1,
        Strategy = new AutoscalerV1Rules(),
        Columns = ColumnsOf(AutoscalerConversion.AsStored),
        Conversion = new VersionConversion(HorizontalPodAutoscalerDefinition, AutoscalerConversion.ToStored, AutoscalerConversion.FromStored),
    };

    private static IReadOnlyList<TableColumn> ColumnsOf(Func<JsonObject, JsonObject> stored) =>
    [
        Columns.Computed("Reference", "Whose pods.", resource => $"{resource.TextAt("spec", "scaleTargetRef", "kind")}/{resource.TextAt("spec", "scaleTargetRef", "name")}"),
        Columns.Computed("Targets", "What is measured, and what it should be.", resource => TargetsOf(stored(resource))),
        Columns.Computed("MinPods", "At least so many.", resource => JsonAccess.AsInt64(resource.At("spec", "minReplicas"))?.ToString(CultureInfo.InvariantCulture) ?? "<unset>"),
        WorkloadColumns.Count("MaxPods", "At most so many.", "spec", "maxReplicas"),
        WorkloadColumns.Count("Replicas", "How many there are.", "status", "currentReplicas"),
        Columns.Age(),
    ];

    private static string TargetsOf(JsonObject resource)
    {
        var autoscaler = GodwitJson.FromNode<HorizontalPodAutoscaler>(resource);
        var shown = autoscaler.Spec.Metrics.Select((metric, index) => Describe(metric, autoscaler.Status.CurrentMetrics.ElementAtOrDefault(index))).ToList();
        return shown.Count == 0 ? WorkloadColumns.None
            : shown.Count <= MetricsShownMax ? string.Join(", ", shown)
            : string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", shown.Take(MetricsShownMax))} + {shown.Count - MetricsShownMax} more...");
    }

    private static string Describe(MetricSpec metric, MetricStatus? status) => metric switch
    {
        { Resource: { } resource } => $"{resource.Name}: {Describe(resource.Target, status?.Resource?.Current)}",
        { ContainerResource: { } resource } => $"{resource.Name}: {Describe(resource.Target, status?.ContainerResource?.Current)}",
        { Pods.Target: { } target } => Describe(target, status?.Pods?.Current),
        { Object.Target: { } target } => Describe(target, status?.Object?.Current),
        { External.Target: { } target } => Describe(target, status?.External?.Current),
        _ => Unknown,
    };

    private static string Describe(MetricTarget target, MetricValue? current)
    {
        static string Percent(int? number) => number is { } known ? string.Create(CultureInfo.InvariantCulture, $"{known}%") : Unknown;
        static string Amount(Quantity? amount) => amount?.ToString() ?? Unknown;

        return target switch
        {
            { AverageValue: { } average } => $"{Amount(current?.AverageValue)}/{average}{(target.Type == TargetTypes.Value ? " (avg)" : "")}",
            { Value: { } value } => $"{Amount(current?.Value)}/{value}",
            _ => $"{Percent(current?.AverageUtilization)}/{Percent(target.AverageUtilization)}",
        };
    }
}
