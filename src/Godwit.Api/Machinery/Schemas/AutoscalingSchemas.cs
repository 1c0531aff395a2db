using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of autoscalers. Numbers: Kubernetes' <c>api/autoscaling/v2/generated.proto</c> and <c>v1</c>.</summary>
internal static class AutoscalingSchemas
{
    private const string Prefix = "io.k8s.api.autoscaling.v2.";
    private const string PrefixV1 = "io.k8s.api.autoscaling.v1.";

    private static readonly ObjectSchema Reference = ReferenceOf(Prefix);

    private static readonly ObjectSchema Target = new(
        Prefix + "MetricTarget",
        "What a metric should be.",
        Field(1, "type", Text, "Utilization, Value or AverageValue.").Required(),
        Field(2, "value", Quantity, "The whole."),
        Field(3, "averageValue", Quantity, "Of a pod, on average."),
        Field(4, "averageUtilization", Integer32, "Percent of what the pods request."));

    private static readonly ObjectSchema Value = new(
        Prefix + "MetricValueStatus",
        "What a metric is.",
        Field(1, "value", Quantity, "The whole."),
        Field(2, "averageValue", Quantity, "Of a pod, on average."),
        Field(3, "averageUtilization", Integer32, "Percent of what the pods request."));

    private static readonly ObjectSchema Identifier = new(
        Prefix + "MetricIdentifier",
        "A metric that an adapter measures.",
        Field(1, "name", Text, "Its name.").Required(),
        Field(2, "selector", SelectorSchemas.LabelSelector, "Which of its series."));

    private static readonly ObjectSchema Rules = new(
        Prefix + "HPAScalingRules",
        "How fast the number may change in one direction.",
        Field(1, "selectPolicy", OneOf("Max", "Min", "Disabled"), "Which of the policies counts; Max when not said."),
        Field(2, "policies", ListOf(new ObjectSchema(
            Prefix + "HPAScalingPolicy",
            "By how much it may change in a time.",
            Field(1, "type", OneOf("Pods", "Percent"), "What value counts.").Required(),
            Field(2, "value", Integer32, "At most so much.").Required(),
            Field(3, "periodSeconds", Integer32, "In so long.").Required())), "Bounds."),
        Field(3, "stabilizationWindowSeconds", Integer32, "For so long the most cautious recommendation holds; 0 growing and 300 shrinking when not said.").ZeroIsAValue(),
        Field(4, "tolerance", Quantity, "A ratio this near to 1 changes nothing; 0.1 when not said."));

    public static ObjectSchema HorizontalPodAutoscaler { get; } = SchemaTable.Kind(
        Prefix + "HorizontalPodAutoscaler",
        "Keeps the number of a workload's pods by what they use.",
        Field(2, "spec", new ObjectSchema(
            Prefix + "HorizontalPodAutoscalerSpec",
            "How many there may be, and by which measure.",
            Field(1, "scaleTargetRef", Reference, "Whose pods.").Required(),
            Field(2, "minReplicas", Integer32, "At least so many; 1 when not said."),
            Field(3, "maxReplicas", Integer32, "At most so many.").Required(),
            Field(4, "metrics", ListOf(MetricSpec()), "What is measured: the largest number that one of them asks for counts."),
            Field(5, "behavior", new ObjectSchema(
                Prefix + "HorizontalPodAutoscalerBehavior",
                "How fast the number changes.",
                Field(1, "scaleUp", Rules, "When it grows."),
                Field(2, "scaleDown", Rules, "When it shrinks.")), "How fast the number changes.")), "What is wanted."),
        Field(3, "status", new ObjectSchema(
            Prefix + "HorizontalPodAutoscalerStatus",
            "What was found and done.",
            Field(1, "observedGeneration", Integer64, "The generation that was acted on."),
            Field(2, "lastScaleTime", Time, "When the number was last changed."),
            Field(3, "currentReplicas", Integer32, "How many there are."),
            Field(4, "desiredReplicas", Integer32, "How many there are to be.").Required().ZeroIsAValue(),
            Field(5, "currentMetrics", ListOf(MetricStatus()), "What was measured."),
            Field(6, "conditions", ListByKey(Condition(), "type"), "Observed facts.").Merged("type")), "What was found and done."));

    public static ObjectSchema HorizontalPodAutoscalerV1 { get; } = SchemaTable.Kind(
        PrefixV1 + "HorizontalPodAutoscaler",
        "Keeps the number of a workload's pods by the CPU that they use.",
        Field(2, "spec", new ObjectSchema(
            PrefixV1 + "HorizontalPodAutoscalerSpec",
            "How many there may be.",
            Field(1, "scaleTargetRef", ReferenceOf(PrefixV1), "Whose pods.").Required(),
            Field(2, "minReplicas", Integer32, "At least so many; 1 when not said."),
            Field(3, "maxReplicas", Integer32, "At most so many.").Required(),
            Field(4, "targetCPUUtilizationPercentage", Integer32, "Percent of the CPU that the pods request.")), "What is wanted."),
        Field(3, "status", new ObjectSchema(
            PrefixV1 + "HorizontalPodAutoscalerStatus",
            "What was found and done.",
            Field(1, "observedGeneration", Integer64, "The generation that was acted on."),
            Field(2, "lastScaleTime", Time, "When the number was last changed."),
            Field(3, "currentReplicas", Integer32, "How many there are.").Required().ZeroIsAValue(),
            Field(4, "desiredReplicas", Integer32, "How many there are to be.").Required().ZeroIsAValue(),
            Field(5, "currentCPUUtilizationPercentage", Integer32, "Percent of the CPU that the pods request.")), "What was found and done."));

    private static ObjectSchema ReferenceOf(string prefix) => new(
        prefix + "CrossVersionObjectReference",
        "An object of the same namespace.",
        Field(1, "kind", Text, "Its kind.").Required(),
        Field(2, "name", Text, "Its name.").Required(),
        Field(3, "apiVersion", Text, "Its group and version."));

    private static ObjectSchema MetricSpec() => new(
        Prefix + "MetricSpec",
        "What is measured, and what it should be.",
        Field(1, "type", Text, "Which of the fields is set.").Required(),
        Field(2, "object", Source("ObjectMetricSource", Field(1, "describedObject", Reference, "The object.").Required(), Field(2, "target", Target, "What it should be.").Required(), Field(3, "metric", Identifier, "The metric.").Required()), "A metric of one object; needs an adapter."),
        Field(3, "pods", Source("PodsMetricSource", Field(1, "metric", Identifier, "The metric.").Required(), Field(2, "target", Target, "What it should be.").Required()), "A metric of each pod; needs an adapter."),
        Field(4, "resource", Source("ResourceMetricSource", Field(1, "name", Text, "cpu or memory.").Required(), Field(2, "target", Target, "What it should be.").Required()), "What the pods use."),
        Field(5, "external", Source("ExternalMetricSource", Field(1, "metric", Identifier, "The metric.").Required(), Field(2, "target", Target, "What it should be.").Required()), "A metric of something outside; needs an adapter."),
        Field(7, "containerResource", Source("ContainerResourceMetricSource", Field(1, "name", Text, "cpu or memory.").Required(), Field(2, "target", Target, "What it should be.").Required(), Field(3, "container", Text, "The container.").Required()), "What one container of each pod uses."));

    private static ObjectSchema MetricStatus() => new(
        Prefix + "MetricStatus",
        "What was measured.",
        Field(1, "type", Text, "Which of the fields is set.").Required(),
        Field(2, "object", Source("ObjectMetricStatus", Field(1, "metric", Identifier, "The metric.").Required(), Field(2, "current", Value, "What it is.").Required(), Field(3, "describedObject", Reference, "The object.").Required()), "A metric of one object."),
        Field(3, "pods", Source("PodsMetricStatus", Field(1, "metric", Identifier, "The metric.").Required(), Field(2, "current", Value, "What it is.").Required()), "A metric of each pod."),
        Field(4, "resource", Source("ResourceMetricStatus", Field(1, "name", Text, "cpu or memory.").Required(), Field(2, "current", Value, "What it is.").Required()), "What the pods use."),
        Field(5, "external", Source("ExternalMetricStatus", Field(1, "metric", Identifier, "The metric.").Required(), Field(2, "current", Value, "What it is.").Required()), "A metric of something outside."),
        Field(7, "containerResource", Source("ContainerResourceMetricStatus", Field(1, "name", Text, "cpu or memory.").Required(), Field(2, "current", Value, "What it is.").Required(), Field(3, "container", Text, "The container.").Required()), "What one container of each pod uses."));

    private static ObjectSchema Source(string name, params SchemaField[] fields) => new(Prefix + name, "One kind of metric.", fields);

    private static ObjectSchema Condition() => new(
        Prefix + "HorizontalPodAutoscalerCondition",
        "An observed fact.",
        Field(1, "type", Text, "Which fact.").Required(),
        Field(2, "status", Text, "True, False or Unknown.").Required(),
        Field(3, "lastTransitionTime", Time, "When status last changed."),
        Field(4, "reason", Text, "One word for programs."),
        Field(5, "message", Text, "For people."));
}
