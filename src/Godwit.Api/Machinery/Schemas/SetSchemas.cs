using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of stateful and daemon sets and their revisions. Numbers: Kubernetes' <c>api/apps/v1/generated.proto</c>.</summary>
internal static class SetSchemas
{
    private const string Prefix = "io.k8s.api.apps.v1.";

    public static ObjectSchema StatefulSetCondition { get; } = new(
        Prefix + "StatefulSetCondition",
        "One observed fact about a stateful set.",
        Field(1, "type", Text, "What is observed.").Required(),
        Field(2, "status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field(3, "lastTransitionTime", Time, "When the status last changed."),
        Field(4, "reason", Text, "Why, as one word in CamelCase."),
        Field(5, "message", Text, "Why, in words."));

    public static ObjectSchema RollingUpdateStatefulSetStrategy { get; } = new(
        Prefix + "RollingUpdateStatefulSetStrategy",
        "How far a rolling update goes.",
        Field(1, "partition", Integer32, "Pods with a lower number are left as they are; 0 when not said.").ZeroIsAValue(),
        Field(2, "maxUnavailable", IntOrText, "How many pods may be missing; 1 when not said."));

    public static ObjectSchema StatefulSetUpdateStrategy { get; } = new(
        Prefix + "StatefulSetUpdateStrategy",
        "How old pods are replaced by new ones.",
        Field(1, "type", OneOf("RollingUpdate", "OnDelete"), "RollingUpdate when not said."),
        Field(2, "rollingUpdate", RollingUpdateStatefulSetStrategy, "How far it goes."));

    public static ObjectSchema StatefulSetPersistentVolumeClaimRetentionPolicy { get; } = new(
        Prefix + "StatefulSetPersistentVolumeClaimRetentionPolicy",
        "What becomes of its claims.",
        Field(1, "whenDeleted", OneOf("Retain", "Delete"), "When the set goes; Retain when not said."),
        Field(2, "whenScaled", OneOf("Retain", "Delete"), "When a pod is no longer wanted; Retain when not said."));

    public static ObjectSchema StatefulSetOrdinals { get; } = new(
        Prefix + "StatefulSetOrdinals",
        "How its pods are numbered.",
        Field(1, "start", Integer32, "The first number; 0 when not said."));

    public static ObjectSchema StatefulSetSpec { get; } = new(
        Prefix + "StatefulSetSpec",
        "How many pods, of what, and in which order.",
        Field(1, "replicas", Integer32, "How many pods; 1 when not said.").ZeroIsAValue(),
        Field(2, "selector", SelectorSchemas.LabelSelector, "Labels of its pods. Cannot be changed.").Required(),
        Field(3, "template", PodSchemas.PodTemplateSpec, "What its pods are made from.").Required(),
        Field(4, "volumeClaimTemplates", ListOf(ClaimSchemas.PersistentVolumeClaim), "Claims that each pod has of its own."),
        Field(5, "serviceName", Text, "The headless service below which its pods have names."),
        Field(6, "podManagementPolicy", OneOf("OrderedReady", "Parallel"), "OrderedReady, one after another, when not said."),
        Field(7, "updateStrategy", StatefulSetUpdateStrategy, "How old pods are replaced."),
        Field(8, "revisionHistoryLimit", Integer32, "How many old revisions are kept; 10 when not said.").ZeroIsAValue(),
        Field(9, "minReadySeconds", Integer32, "How long a pod must be ready to count as available."),
        Field(10, "persistentVolumeClaimRetentionPolicy", StatefulSetPersistentVolumeClaimRetentionPolicy, "What becomes of its claims."),
        Field(11, "ordinals", StatefulSetOrdinals, "How its pods are numbered."));

    public static ObjectSchema StatefulSetStatus { get; } = new(
        Prefix + "StatefulSetStatus",
        "What a stateful set has.",
        Field(1, "observedGeneration", Integer64, "The generation that was acted on."),
        Field(2, "replicas", Integer32, "Its pods.").Required().ZeroIsAValue(),
        Field(3, "readyReplicas", Integer32, "Those that are ready."),
        Field(4, "currentReplicas", Integer32, "Those of the revision before."),
        Field(5, "updatedReplicas", Integer32, "Those of the revision that is wanted."),
        Field(6, "currentRevision", Text, "The revision before."),
        Field(7, "updateRevision", Text, "The revision that is wanted."),
        Field(9, "collisionCount", Integer32, "Names of revisions that were taken."),
        Field(10, "conditions", ListByKey(StatefulSetCondition, "type"), "Observed facts.").Merged("type"),
        Field(11, "availableReplicas", Integer32, "Those that have been ready long enough."));

    public static ObjectSchema StatefulSet { get; } = Kind(
        Prefix + "StatefulSet",
        "Keeps pods with names and storage of their own, in order.",
        Field(2, "spec", StatefulSetSpec, "How many pods, of what."),
        Field(3, "status", StatefulSetStatus, "What it has."));

    public static ObjectSchema DaemonSetCondition { get; } = new(
        Prefix + "DaemonSetCondition",
        "One observed fact about a daemon set.",
        Field(1, "type", Text, "What is observed.").Required(),
        Field(2, "status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field(3, "lastTransitionTime", Time, "When the status last changed."),
        Field(4, "reason", Text, "Why, as one word in CamelCase."),
        Field(5, "message", Text, "Why, in words."));

    public static ObjectSchema RollingUpdateDaemonSet { get; } = new(
        Prefix + "RollingUpdateDaemonSet",
        "How far a rolling update goes at once.",
        Field(1, "maxUnavailable", IntOrText, "On how many nodes the pod may be missing; 1 when not said."),
        Field(2, "maxSurge", IntOrText, "On how many nodes there may be a second one; 0 when not said."));

    public static ObjectSchema DaemonSetUpdateStrategy { get; } = new(
        Prefix + "DaemonSetUpdateStrategy",
        "How old pods are replaced by new ones.",
        Field(1, "type", OneOf("RollingUpdate", "OnDelete"), "RollingUpdate when not said."),
        Field(2, "rollingUpdate", RollingUpdateDaemonSet, "How far it goes at once."));

    public static ObjectSchema DaemonSetSpec { get; } = new(
        Prefix + "DaemonSetSpec",
        "What runs on every node.",
        Field(1, "selector", SelectorSchemas.LabelSelector, "Labels of its pods. Cannot be changed.").Required(),
        Field(2, "template", PodSchemas.PodTemplateSpec, "What its pods are made from.").Required(),
        Field(3, "updateStrategy", DaemonSetUpdateStrategy, "How old pods are replaced."),
        Field(4, "minReadySeconds", Integer32, "How long a pod must be ready to count as available."),
        Field(6, "revisionHistoryLimit", Integer32, "How many old revisions are kept; 10 when not said.").ZeroIsAValue());

    public static ObjectSchema DaemonSetStatus { get; } = new(
        Prefix + "DaemonSetStatus",
        "What a daemon set has.",
        Field(1, "currentNumberScheduled", Integer32, "Nodes that have its pod and should.").Required().ZeroIsAValue(),
        Field(2, "numberMisscheduled", Integer32, "Nodes that have it and should not.").Required().ZeroIsAValue(),
        Field(3, "desiredNumberScheduled", Integer32, "Nodes that should have it.").Required().ZeroIsAValue(),
        Field(4, "numberReady", Integer32, "Nodes where it is ready.").Required().ZeroIsAValue(),
        Field(5, "observedGeneration", Integer64, "The generation that was acted on."),
        Field(6, "updatedNumberScheduled", Integer32, "Nodes where it is of the template of now."),
        Field(7, "numberAvailable", Integer32, "Nodes where it has been ready long enough."),
        Field(8, "numberUnavailable", Integer32, "Nodes where it is missing."),
        Field(9, "collisionCount", Integer32, "Names of revisions that were taken."),
        Field(10, "conditions", ListByKey(DaemonSetCondition, "type"), "Observed facts.").Merged("type"));

    public static ObjectSchema DaemonSet { get; } = Kind(
        Prefix + "DaemonSet",
        "Keeps a pod running on every node that fits.",
        Field(2, "spec", DaemonSetSpec, "What runs on every node."),
        Field(3, "status", DaemonSetStatus, "What it has."));

    public static ObjectSchema ControllerRevision { get; } = Kind(
        Prefix + "ControllerRevision",
        "What a controller wanted at one time, to go back to. Cannot be changed.",
        Field(2, "data", FreeForm, "What was wanted, in the words of the controller."),
        Field(3, "revision", Integer64, "Its number.").Required().ZeroIsAValue());
}
