using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of claims on storage. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c>.</summary>
internal static class ClaimSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    public static ObjectSchema VolumeResourceRequirements { get; } = new(
        Prefix + "VolumeResourceRequirements",
        "How much storage is asked for.",
        Field(1, "limits", QuantityMap, "At most so much."),
        Field(2, "requests", QuantityMap, "At least so much; storage."));

    public static ObjectSchema PersistentVolumeClaimSpec { get; } = new(
        Prefix + "PersistentVolumeClaimSpec",
        "The storage that is asked for.",
        Field(1, "accessModes", ListOf(Text), "How it is to be mounted: ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod."),
        Field(4, "selector", SelectorSchemas.LabelSelector, "Labels of the volume."),
        Field(2, "resources", VolumeResourceRequirements, "How much; requests.storage."),
        Field(3, "volumeName", Text, "The volume that it has."),
        Field(5, "storageClassName", Text, "Of which class; empty for none.").ZeroIsAValue(),
        Field(6, "volumeMode", OneOf("Filesystem", "Block"), "Filesystem when not said."));

    public static ObjectSchema PersistentVolumeClaimCondition { get; } = new(
        Prefix + "PersistentVolumeClaimCondition",
        "One observed fact about a claim.",
        Field(1, "type", Text, "What is observed.").Required(),
        Field(2, "status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field(3, "lastProbeTime", Time, "When it was last looked at."),
        Field(4, "lastTransitionTime", Time, "When the status last changed."),
        Field(5, "reason", Text, "Why, as one word in CamelCase."),
        Field(6, "message", Text, "Why, in words."));

    public static ObjectSchema PersistentVolumeClaimStatus { get; } = new(
        Prefix + "PersistentVolumeClaimStatus",
        "What was given.",
        Field(1, "phase", OneOf("Pending", "Bound", "Lost"), "Where it stands."),
        Field(2, "accessModes", ListOf(Text), "How it can be mounted."),
        Field(3, "capacity", QuantityMap, "How much it holds."),
        Field(4, "conditions", ListByKey(PersistentVolumeClaimCondition, "type"), "Observed facts.").Merged("type"));

    public static ObjectSchema PersistentVolumeClaim { get; } = Kind(
        Prefix + "PersistentVolumeClaim",
        "Storage that a pod asks for and keeps beyond its life.",
        Field(2, "spec", PersistentVolumeClaimSpec, "What is asked for."),
        Field(3, "status", PersistentVolumeClaimStatus, "What was given."));
}
