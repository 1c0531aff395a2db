using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of replication controllers. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c>.</summary>
internal static class ReplicationSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    public static ObjectSchema ReplicationControllerCondition { get; } = new(
        Prefix + "ReplicationControllerCondition",
        "One observed fact about a replication controller.",
        Field(1, "type", Text, "What is observed.").Required(),
        Field(2, "status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field(3, "lastTransitionTime", Time, "When the status last changed."),
        Field(4, "reason", Text, "Why, as one word in CamelCase."),
        Field(5, "message", Text, "Why, in words."));

    public static ObjectSchema ReplicationControllerSpec { get; } = new(
        Prefix + "ReplicationControllerSpec",
        "How many pods, and of what.",
        Field(1, "replicas", Integer32, "How many pods; 1 when not said.").ZeroIsAValue(),
        Field(4, "minReadySeconds", Integer32, "How long a pod must be ready to count as available."),
        Field(2, "selector", TextMap, "Labels of its pods; those of the template when not said."),
        Field(3, "template", PodSchemas.PodTemplateSpec, "What new pods are made from."));

    public static ObjectSchema ReplicationControllerStatus { get; } = new(
        Prefix + "ReplicationControllerStatus",
        "What a replication controller has.",
        Field(1, "replicas", Integer32, "Its pods.").Required().ZeroIsAValue(),
        Field(2, "fullyLabeledReplicas", Integer32, "Those with all labels of the template."),
        Field(4, "readyReplicas", Integer32, "Those that are ready."),
        Field(5, "availableReplicas", Integer32, "Those that have been ready long enough."),
        Field(3, "observedGeneration", Integer64, "The generation that was acted on."),
        Field(6, "conditions", ListByKey(ReplicationControllerCondition, "type"), "Observed facts.").Merged("type"));

    public static ObjectSchema ReplicationController { get; } = Kind(
        Prefix + "ReplicationController",
        "Keeps a number of pods alike running; ReplicaSet is its successor.",
        Field(2, "spec", ReplicationControllerSpec, "How many pods, and of what."),
        Field(3, "status", ReplicationControllerStatus, "What it has."));
}
