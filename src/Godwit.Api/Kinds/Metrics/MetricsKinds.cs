using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;
using Godwit.Api.Metrics.V1Beta1;
using Godwit.Base;

namespace Godwit.Api.Kinds.Metrics;

/// <summary>What nodes and pods use: measured when asked for, so they can be read and nothing else.</summary>
internal static class MetricsKinds
{
    public static ResourceDefinition NodeMetricsDefinition { get; } = Make(NodeMetrics.Type, MetricsSchemas.NodeMetrics, metrics => [metrics.ObjectAt("usage")]);

    public static ResourceDefinition PodMetricsDefinition { get; } = Make(
        PodMetrics.Type, MetricsSchemas.PodMetrics, metrics => (metrics.ArrayAt("containers") ?? []).Select(container => container.ObjectAt("usage")));

    private static ResourceDefinition Make(ResourceType type, ObjectSchema schema, Func<JsonObject, IEnumerable<JsonObject?>> usages) => new()
    {
        Group = type.Group,
        Version = type.Version,
        Kind = type.Kind,
        Plural = type.Plural,
        Singular = "",
        Namespaced = type.Namespaced,
        IsMeasured = true,
        Schema = schema,
        Strategy = new MeasuredRules(),
        Columns =
        [
            Columns.Computed("CPU", "Thousandths of a core.", metrics => $"{Sum(usages(metrics), "cpu").ToMilli().ToString(CultureInfo.InvariantCulture)}m"),
            Columns.Computed("Memory", "The working set.", metrics => $"{(Sum(usages(metrics), "memory").ToInt64() >> 20).ToString(CultureInfo.InvariantCulture)}Mi"),
            Columns.Text("Window", "Over how long.", "window"),
        ],
    };

    private static Quantity Sum(IEnumerable<JsonObject?> usages, string resource) =>
        new(usages.Sum(usage => Quantity.TryParse(usage?.TextAt(resource), out var amount) ? amount.Value : 0), QuantityFormat.DecimalSI);

    private sealed class MeasuredRules : ResourceStrategy;
}
