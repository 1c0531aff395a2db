using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.Api.Machinery.Schemas;

namespace Godwit.Api.Kinds.Storage;

/// <summary>Storage that outlives pods: volumes, claims on them, and their classes.</summary>
internal static class StorageKinds
{
    private const string Unset = "<unset>";

    public static ResourceDefinition PersistentVolumeDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "PersistentVolume",
        Plural = "persistentvolumes",
        Singular = "persistentvolume",
        ShortNames = ["pv"],
        Namespaced = false,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = StorageSchemas.PersistentVolume,
        Strategy = new PersistentVolumeRules(),
        Columns =
        [
            Columns.Text("Capacity", "How much it holds.", "spec", "capacity", "storage"),
            Columns.Computed("Access Modes", "How it can be mounted.", volume => Modes(volume.ArrayAt("spec", "accessModes"))),
            Columns.Text("Reclaim Policy", "What becomes of it when its claim is gone.", "spec", "persistentVolumeReclaimPolicy"),
            Columns.Computed("Status", "Where it stands.", Phase),
            Columns.Computed("Claim", "The claim that it is given to.", ClaimOf),
            Columns.Text("StorageClass", "Of which class.", "spec", "storageClassName"),
            AttributesClass(),
            Columns.Text("Reason", "Why it stands there.", "status", "reason"),
            Columns.Age(),
            Mode(),
        ],
        // What a node may list is its own: the volumes that Godwit made there.
        SelectableFields = Fields.Of((AnnotationNames.VolumeNode, ["metadata", "annotations", AnnotationNames.VolumeNode])),
    };

    public static ResourceDefinition PersistentVolumeClaimDefinition { get; } = new()
    {
        Group = "",
        Version = "v1",
        Kind = "PersistentVolumeClaim",
        Plural = "persistentvolumeclaims",
        Singular = "persistentvolumeclaim",
        ShortNames = ["pvc"],
        Namespaced = true,
        HasStatus = true,
        RefusesUnknownFields = true,
        Schema = ClaimSchemas.PersistentVolumeClaim,
        Strategy = new ClaimStrategy(),
        Columns =
        [
            Columns.Computed("Status", "Where it stands.", Phase),
            Columns.Text("Volume", "The volume that it has.", "spec", "volumeName"),
            Columns.Computed("Capacity", "How much it was given.", claim => HasVolume(claim) ? claim.TextAt("status", "capacity", "storage") ?? "0" : ""),
            Columns.Computed("Access Modes", "How it can be mounted.", claim => HasVolume(claim) ? Modes(claim.ArrayAt("status", "accessModes")) : ""),
            Columns.Text("StorageClass", "Of which class.", "spec", "storageClassName"),
            AttributesClass(),
            Columns.Age(),
            Mode(),
        ],
    };

    public static ResourceDefinition StorageClassDefinition { get; } = new()
    {
        Group = "storage.k8s.io",
        Version = "v1",
        Kind = "StorageClass",
        Plural = "storageclasses",
        Singular = "storageclass",
        ShortNames = ["sc"],
        Namespaced = false,
        RefusesUnknownFields = true,
        Schema = StorageSchemas.StorageClass,
        Strategy = new StorageClassRules(),
        NameColumnFirst = false,
        Columns =
        [
            Columns.Computed("Name", "Its name, and whether claims that name none are of it.", NameOfClass) with { Format = "name" },
            Columns.Text("Provisioner", "Who makes its volumes.", "provisioner"),
            Columns.Text("ReclaimPolicy", "What becomes of a volume when its claim is gone.", "reclaimPolicy"),
            Columns.Text("VolumeBindingMode", "When a claim gets its volume.", "volumeBindingMode"),
            new("AllowVolumeExpansion", "string", "Whether claims may ask for more later.", (kind, _) => JsonAccess.AsBoolean(kind["allowVolumeExpansion"]) == true),
            Columns.Age(),
        ],
    };

    private static TableColumn AttributesClass() => Columns.Computed("VolumeAttributesClass", "Not used here.", _ => Unset);

    private static TableColumn Mode() => Columns.Computed("VolumeMode", "Whether it is a file system or a device.", resource => resource.TextAt("spec", "volumeMode") ?? Unset, priority: 1);

    private static bool HasVolume(JsonObject claim) => !string.IsNullOrEmpty(claim.TextAt("spec", "volumeName"));

    private static string? Phase(JsonObject resource) => resource.At("metadata", "deletionTimestamp") is not null ? "Terminating" : resource.TextAt("status", "phase");

    private static string ClaimOf(JsonObject volume) => volume.ObjectAt("spec", "claimRef") is { } claim ? $"{claim.TextAt("namespace")}/{claim.TextAt("name")}" : "";

    private static string? NameOfClass(JsonObject kind) =>
        kind.TextAt("metadata", "annotations", AnnotationNames.DefaultClass) == "true" ? $"{kind.TextAt("metadata", "name")} (default)" : kind.TextAt("metadata", "name");

    /// <summary>As kubectl abbreviates them, each once, in its order.</summary>
    private static string Modes(JsonArray? modes)
    {
        var said = (modes ?? []).Select(JsonAccess.AsText).ToHashSet(StringComparer.Ordinal);
        return string.Join(',', AccessModeRules.ShortNames.Where(each => said.Contains(each.Mode)).Select(each => each.Short));
    }
}
