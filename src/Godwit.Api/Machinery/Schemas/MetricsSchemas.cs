using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of measurements. Numbers: <c>k8s.io/metrics/pkg/apis/metrics/v1beta1/generated.proto</c>.</summary>
internal static class MetricsSchemas
{
    private const string Prefix = "io.k8s.metrics.pkg.apis.metrics.v1beta1.";

    public static ObjectSchema NodeMetrics { get; } = Kind(
        Prefix + "NodeMetrics",
        "What a node uses.",
        Field(2, "timestamp", Time, "When it was read."),
        Field(3, "window", Text, "Over how long."),
        Field(4, "usage", QuantityMap, "cpu in cores, memory in bytes."));

    public static ObjectSchema PodMetrics { get; } = Kind(
        Prefix + "PodMetrics",
        "What the containers of a pod use.",
        Field(2, "timestamp", Time, "When it was read."),
        Field(3, "window", Text, "Over how long."),
        Field(4, "containers", ListByKey(
            new ObjectSchema(
                Prefix + "ContainerMetrics",
                "What one container uses.",
                Field(1, "name", Text, "The container.").Required(),
                Field(2, "usage", QuantityMap, "cpu in cores, memory in bytes.")),
            "name"), "One for each container."));
}
