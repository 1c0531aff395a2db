using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of volumes and their classes. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c> and <c>api/storage/v1/generated.proto</c>.</summary>
internal static class StorageSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    /// <summary>The field of <c>spec</c> in which the source of a volume lies, of which JSON knows nothing.</summary>
    private const int Source = 2;

    public static ObjectSchema LocalVolumeSource { get; } = new(
        Prefix + "LocalVolumeSource",
        "A folder of a node that is there already.",
        Field(1, "path", Text, "Where it is on the node.").Required());

    public static ObjectSchema VolumeNodeAffinity { get; } = new(
        Prefix + "VolumeNodeAffinity",
        "From which nodes a volume can be reached.",
        Field(1, "required", SchedulingSchemas.NodeSelector, "What the node must meet."));

    public static ObjectSchema PersistentVolumeSpec { get; } = new(
        Prefix + "PersistentVolumeSpec",
        "What a volume is, how large, and whose.",
        Field(1, "capacity", QuantityMap, "How much it holds; storage."),
        Field(3, "hostPath", VolumeSchemas.HostPathVolumeSource, "A file or folder of the node.").Within(Source),
        Field(20, "local", LocalVolumeSource, "A folder of the nodes that nodeAffinity names.").Within(Source),
        Field(3, "accessModes", ListOf(Text), "How it can be mounted: ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod."),
        Field(4, "claimRef", CoreSchemas.ObjectReference, "The claim that it is given to."),
        Field(5, "persistentVolumeReclaimPolicy", OneOf("Retain", "Delete"), "What becomes of it when its claim is gone; Retain when not said."),
        Field(6, "storageClassName", Text, "Of which class; none when not said."),
        Field(8, "volumeMode", OneOf("Filesystem", "Block"), "Filesystem when not said."),
        Field(9, "nodeAffinity", VolumeNodeAffinity, "From which nodes it can be reached; all when not said."));

    public static ObjectSchema PersistentVolumeStatus { get; } = new(
        Prefix + "PersistentVolumeStatus",
        "Where a volume stands.",
        Field(1, "phase", OneOf("Pending", "Available", "Bound", "Released", "Failed"), "Where it stands."),
        Field(2, "message", Text, "Why, in words."),
        Field(3, "reason", Text, "Why, as one word in CamelCase."),
        Field(4, "lastPhaseTransitionTime", Time, "When the phase last changed."));

    public static ObjectSchema PersistentVolume { get; } = Kind(
        Prefix + "PersistentVolume",
        "Storage that there is, for claims to be given.",
        Field(2, "spec", PersistentVolumeSpec, "What it is, and whose."),
        Field(3, "status", PersistentVolumeStatus, "Where it stands."));

    public static ObjectSchema StorageClass { get; } = Kind(
        "io.k8s.api.storage.v1.StorageClass",
        "A kind of storage: who makes its volumes, when a claim gets one, and what becomes of it.",
        Field(2, "provisioner", Text, "Who makes its volumes: godwit.dev/local, kubernetes.io/no-provisioner, or somebody outside.").Required(),
        Field(3, "parameters", TextMap, "What the provisioner is told; godwit.dev/local takes none."),
        Field(4, "reclaimPolicy", OneOf("Retain", "Delete"), "What becomes of a volume when its claim is gone; Delete when not said."),
        Field(6, "allowVolumeExpansion", Flag, "True: claims may ask for more later."),
        Field(7, "volumeBindingMode", OneOf("Immediate", "WaitForFirstConsumer"), "When a claim gets its volume; Immediate when not said."));
}
