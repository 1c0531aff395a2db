using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of pods' volumes. Numbers: Kubernetes' <c>api/core/v1/generated.proto</c>.</summary>
internal static class VolumeSchemas
{
    private const string Prefix = "io.k8s.api.core.v1.";

    public static ObjectSchema LocalObjectReference { get; } = new(
        Prefix + "LocalObjectReference",
        "Names an object of the same namespace.",
        Field(1, "name", Text, "The object's name.").Required());

    public static ObjectSchema ObjectFieldSelector { get; } = new(
        Prefix + "ObjectFieldSelector",
        "A field of the pod.",
        Field(1, "apiVersion", Text, "In whose terms the path is written; v1."),
        Field(2, "fieldPath", Text, "The field, for example metadata.name or status.podIP.").Required());

    public static ObjectSchema ResourceFieldSelector { get; } = new(
        Prefix + "ResourceFieldSelector",
        "A request or limit of a container.",
        Field(1, "containerName", Text, "The container; needed in volumes."),
        Field(2, "resource", Text, "Which one, for example limits.memory.").Required(),
        Field(3, "divisor", Quantity, "The unit; 1 when not said."));

    public static ObjectSchema KeyToPath { get; } = new(
        Prefix + "KeyToPath",
        "One value as a file.",
        Field(1, "key", Text, "The value's key.").Required(),
        Field(2, "path", Text, "The file, below the volume's root.").Required(),
        Field(3, "mode", Integer32, "The file's mode bits, 0 to 511.").ZeroIsAValue());

    public static ObjectSchema ConfigMapVolumeSource { get; } = new(
        Prefix + "ConfigMapVolumeSource",
        "The values of a ConfigMap as files.",
        Field(1, "name", Text, "The ConfigMap.").Within(1),
        Field(2, "items", ListOf(KeyToPath), "Only these values, under these names."),
        Field(3, "defaultMode", Integer32, "Mode bits of the files; 420 (0644) when not said.").ZeroIsAValue(),
        Field(4, "optional", Flag, "True: it need not exist."));

    public static ObjectSchema SecretVolumeSource { get; } = new(
        Prefix + "SecretVolumeSource",
        "The values of a Secret as files, kept in memory.",
        Field(1, "secretName", Text, "The Secret."),
        Field(2, "items", ListOf(KeyToPath), "Only these values, under these names."),
        Field(3, "defaultMode", Integer32, "Mode bits of the files; 420 (0644) when not said.").ZeroIsAValue(),
        Field(4, "optional", Flag, "True: it need not exist."));

    public static ObjectSchema DownwardAPIVolumeFile { get; } = new(
        Prefix + "DownwardAPIVolumeFile",
        "One fact about the pod as a file.",
        Field(1, "path", Text, "The file, below the volume's root.").Required(),
        Field(2, "fieldRef", ObjectFieldSelector, "A field of the pod."),
        Field(3, "resourceFieldRef", ResourceFieldSelector, "A container's request or limit."),
        Field(4, "mode", Integer32, "The file's mode bits, 0 to 511.").ZeroIsAValue());

    public static ObjectSchema DownwardAPIVolumeSource { get; } = new(
        Prefix + "DownwardAPIVolumeSource",
        "Facts about the pod as files.",
        Field(1, "items", ListOf(DownwardAPIVolumeFile), "The files."),
        Field(2, "defaultMode", Integer32, "Mode bits of the files; 420 (0644) when not said.").ZeroIsAValue());

    public static ObjectSchema HostPathVolumeSource { get; } = new(
        Prefix + "HostPathVolumeSource",
        "A file or folder of the node.",
        Field(1, "path", Text, "Where it is on the node.").Required(),
        Field(2, "type", Text, "What must be there: nothing said, DirectoryOrCreate, Directory, FileOrCreate, File, Socket, CharDevice or BlockDevice."));

    public static ObjectSchema EmptyDirVolumeSource { get; } = new(
        Prefix + "EmptyDirVolumeSource",
        "An empty folder that lives as long as the pod.",
        Field(1, "medium", OneOf("Memory"), "Memory: kept in memory."),
        Field(2, "sizeLimit", Quantity, "How large it may become."));

    public static ObjectSchema PersistentVolumeClaimVolumeSource { get; } = new(
        Prefix + "PersistentVolumeClaimVolumeSource",
        "A claimed volume.",
        Field(1, "claimName", Text, "The claim.").Required(),
        Field(2, "readOnly", Flag, "True: it cannot be written."));

    public static ObjectSchema ConfigMapProjection { get; } = new(
        Prefix + "ConfigMapProjection",
        "Values of a ConfigMap among others.",
        Field(1, "name", Text, "The ConfigMap.").Within(1),
        Field(2, "items", ListOf(KeyToPath), "Only these values, under these names."),
        Field(4, "optional", Flag, "True: it need not exist."));

    public static ObjectSchema SecretProjection { get; } = new(
        Prefix + "SecretProjection",
        "Values of a Secret among others.",
        Field(1, "name", Text, "The Secret.").Within(1),
        Field(2, "items", ListOf(KeyToPath), "Only these values, under these names."),
        Field(4, "optional", Flag, "True: it need not exist."));

    public static ObjectSchema DownwardAPIProjection { get; } = new(
        Prefix + "DownwardAPIProjection",
        "Facts about the pod among others.",
        Field(1, "items", ListOf(DownwardAPIVolumeFile), "The files."));

    public static ObjectSchema ServiceAccountTokenProjection { get; } = new(
        Prefix + "ServiceAccountTokenProjection",
        "A token of the pod's service account as a file, renewed before it ends.",
        Field(1, "audience", Text, "Whom it is for; the API server when not said."),
        Field(2, "expirationSeconds", Integer64, "How long it is good for; 3600 when not said, at least 600."),
        Field(3, "path", Text, "The file, below the volume's root.").Required());

    public static ObjectSchema VolumeProjection { get; } = new(
        Prefix + "VolumeProjection",
        "One source of a projected volume.",
        Field(1, "secret", SecretProjection, "A Secret."),
        Field(2, "downwardAPI", DownwardAPIProjection, "Facts about the pod."),
        Field(3, "configMap", ConfigMapProjection, "A ConfigMap."),
        Field(4, "serviceAccountToken", ServiceAccountTokenProjection, "A token."));

    public static ObjectSchema ProjectedVolumeSource { get; } = new(
        Prefix + "ProjectedVolumeSource",
        "Several sources in one folder.",
        Field(1, "sources", ListOf(VolumeProjection), "The sources."),
        Field(2, "defaultMode", Integer32, "Mode bits of the files; 420 (0644) when not said.").ZeroIsAValue());

    public static ObjectSchema Volume { get; } = new(
        Prefix + "Volume",
        "Something that containers of a pod can mount; exactly one source.",
        Field(1, "name", Text, "Unique in the pod.").Required(),
        Field(1, "hostPath", HostPathVolumeSource, "A file or folder of the node.").Within(2),
        Field(2, "emptyDir", EmptyDirVolumeSource, "An empty folder.").Within(2),
        Field(6, "secret", SecretVolumeSource, "A Secret.").Within(2),
        Field(10, "persistentVolumeClaim", PersistentVolumeClaimVolumeSource, "A claim.").Within(2),
        Field(16, "downwardAPI", DownwardAPIVolumeSource, "Facts about the pod.").Within(2),
        Field(19, "configMap", ConfigMapVolumeSource, "A ConfigMap.").Within(2),
        Field(26, "projected", ProjectedVolumeSource, "Several sources in one folder.").Within(2));

    public static ObjectSchema VolumeMount { get; } = new(
        Prefix + "VolumeMount",
        "Where a container sees a volume.",
        Field(1, "name", Text, "The volume.").Required(),
        Field(2, "readOnly", Flag, "True: it cannot be written."),
        Field(3, "mountPath", Text, "Where in the container; no colon.").Required(),
        Field(4, "subPath", Text, "The part of the volume that is mounted, from its root."),
        Field(5, "mountPropagation", OneOf("None", "HostToContainer", "Bidirectional"), "How later mounts below it are shared; None when not said."),
        Field(6, "subPathExpr", Text, "As subPath, with $(VARIABLES) of the container's environment."));
}
