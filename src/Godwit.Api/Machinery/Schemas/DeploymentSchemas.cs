using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of deployments and replica sets. Numbers: Kubernetes' <c>api/apps/v1/generated.proto</c>.</summary>
internal static class DeploymentSchemas
{
    private const string Prefix = "io.k8s.api.apps.v1.";

    public static ObjectSchema DeploymentCondition { get; } = new(
        Prefix + "DeploymentCondition",
        "One observed fact about a deployment.",
        Field(1, "type", Text, "What is observed.").Required(),
        Field(2, "status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field(6, "lastUpdateTime", Time, "When it was last found to be so."),
        Field(7, "lastTransitionTime", Time, "When the status last changed."),
        Field(4, "reason", Text, "Why, as one word in CamelCase."),
        Field(5, "message", Text, "Why, in words."));

    public static ObjectSchema RollingUpdateDeployment { get; } = new(
        Prefix + "RollingUpdateDeployment",
        "How far a rolling update goes at once.",
        Field(1, "maxUnavailable", IntOrText, "How many pods may be missing: a number or a percentage; 25% when not said."),
        Field(2, "maxSurge", IntOrText, "How many pods there may be beyond those wanted: a number or a percentage; 25% when not said."));

    public static ObjectSchema DeploymentStrategy { get; } = new(
        Prefix + "DeploymentStrategy",
        "How old pods are replaced by new ones.",
        Field(1, "type", OneOf("Recreate", "RollingUpdate"), "RollingUpdate when not said."),
        Field(2, "rollingUpdate", RollingUpdateDeployment, "How far a rolling update goes at once."));

    public static ObjectSchema DeploymentSpec { get; } = new(
        Prefix + "DeploymentSpec",
        "How many pods, of what, and how they are renewed.",
        Field(1, "replicas", Integer32, "How many pods; 1 when not said.").ZeroIsAValue(),
        Field(2, "selector", SelectorSchemas.LabelSelector, "Labels of its pods. Cannot be changed.").Required(),
        Field(3, "template", PodSchemas.PodTemplateSpec, "What its pods are made from.").Required(),
        Field(4, "strategy", DeploymentStrategy, "How old pods are replaced.").RetainsKeys(),
        Field(5, "minReadySeconds", Integer32, "How long a pod must be ready to count as available."),
        Field(6, "revisionHistoryLimit", Integer32, "How many old ReplicaSets are kept to go back to; 10 when not said.").ZeroIsAValue(),
        Field(7, "paused", Flag, "True: changes of the template wait."),
        Field(9, "progressDeadlineSeconds", Integer32, "After how long without progress it counts as failed; 600 when not said."));

    public static ObjectSchema DeploymentStatus { get; } = new(
        Prefix + "DeploymentStatus",
        "What a deployment has.",
        Field(1, "observedGeneration", Integer64, "The generation that was acted on."),
        Field(2, "replicas", Integer32, "Its pods."),
        Field(3, "updatedReplicas", Integer32, "Those made from the template of now."),
        Field(7, "readyReplicas", Integer32, "Those that are ready."),
        Field(4, "availableReplicas", Integer32, "Those that have been ready long enough."),
        Field(5, "unavailableReplicas", Integer32, "Those still missing."),
        Field(9, "terminatingReplicas", Integer32, "Those that end."),
        Field(6, "conditions", ListByKey(DeploymentCondition, "type"), "Observed facts.").Merged("type"),
        Field(8, "collisionCount", Integer32, "Names of ReplicaSets that were taken."));

    public static ObjectSchema Deployment { get; } = Kind(
        Prefix + "Deployment",
        "Keeps pods alike running, and renews them step by step.",
        Field(2, "spec", DeploymentSpec, "How many pods, of what."),
        Field(3, "status", DeploymentStatus, "What it has."));

    public static ObjectSchema ReplicaSetCondition { get; } = new(
        Prefix + "ReplicaSetCondition",
        "One observed fact about a replica set.",
        Field(1, "type", Text, "What is observed.").Required(),
        Field(2, "status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field(3, "lastTransitionTime", Time, "When the status last changed."),
        Field(4, "reason", Text, "Why, as one word in CamelCase."),
        Field(5, "message", Text, "Why, in words."));

    public static ObjectSchema ReplicaSetSpec { get; } = new(
        Prefix + "ReplicaSetSpec",
        "How many pods, and of what.",
        Field(1, "replicas", Integer32, "How many pods; 1 when not said.").ZeroIsAValue(),
        Field(4, "minReadySeconds", Integer32, "How long a pod must be ready to count as available."),
        Field(2, "selector", SelectorSchemas.LabelSelector, "Labels of its pods. Cannot be changed.").Required(),
        Field(3, "template", PodSchemas.PodTemplateSpec, "What new pods are made from."));

    public static ObjectSchema ReplicaSetStatus { get; } = new(
        Prefix + "ReplicaSetStatus",
        "What a replica set has.",
        Field(1, "replicas", Integer32, "Its pods.").Required().ZeroIsAValue(),
        Field(2, "fullyLabeledReplicas", Integer32, "Those with all labels of the template."),
        Field(4, "readyReplicas", Integer32, "Those that are ready."),
        Field(5, "availableReplicas", Integer32, "Those that have been ready long enough."),
        Field(7, "terminatingReplicas", Integer32, "Those that end."),
        Field(3, "observedGeneration", Integer64, "The generation that was acted on."),
        Field(6, "conditions", ListByKey(ReplicaSetCondition, "type"), "Observed facts.").Merged("type"));

    public static ObjectSchema ReplicaSet { get; } = Kind(
        Prefix + "ReplicaSet",
        "Keeps a number of pods alike running.",
        Field(2, "spec", ReplicaSetSpec, "How many pods, and of what."),
        Field(3, "status", ReplicaSetStatus, "What it has."));
}
