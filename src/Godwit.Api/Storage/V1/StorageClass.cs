using Godwit.Api.Meta.V1;

namespace Godwit.Api.Storage.V1;

/// <summary>A kind of storage: who makes its volumes, when a claim gets one, and what becomes of it.</summary>
public sealed record StorageClass() : Resource(Type), IResource<StorageClass>
{
    public static ResourceType Type { get; } = new("storage.k8s.io", "v1", "StorageClass", "storageclasses", Namespaced: false);

    /// <summary>Who makes volumes: <see cref="StorageClassNames.LocalProvisioner"/>, <see cref="StorageClassNames.NoProvisioner"/>, or somebody outside.</summary>
    public string Provisioner { get; init => field = value ?? ""; } = "";

    public IReadOnlyDictionary<string, string> Parameters { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;

    public string? ReclaimPolicy { get; init; }

    public bool? AllowVolumeExpansion { get; init; }

    /// <summary>One of <see cref="VolumeBindingModes"/>.</summary>
    public string? VolumeBindingMode { get; init; }

    /// <summary>True for the class of claims that name none.</summary>
    public bool IsDefault() => Metadata.Annotations.GetValueOrDefault(AnnotationNames.DefaultClass) == "true";

    /// <summary>The class of claims that name none: of several the newest, and of these the first by name. Null: there is none.</summary>
    public static StorageClass? DefaultOf(IEnumerable<StorageClass> classes) => classes
        .Where(each => each.IsDefault() && each.Metadata.DeletionTimestamp is null)
        .OrderByDescending(each => each.Metadata.CreationTimestamp)
        .ThenBy(each => each.Metadata.Name, StringComparer.Ordinal)
        .FirstOrDefault();
}

/// <summary>When a claim gets its volume.</summary>
public static class VolumeBindingModes
{
    public const string Immediate = "Immediate";

    /// <summary>Once the node of the first pod that uses it is chosen.</summary>
    public const string WaitForFirstConsumer = "WaitForFirstConsumer";
}

/// <summary>Provisioners and the class that Godwit knows.</summary>
public static class StorageClassNames
{
    /// <summary>The class that a server makes, with <see cref="LocalProvisioner"/>.</summary>
    public const string Local = "local";

    /// <summary>A folder on one node for each claim.</summary>
    public const string LocalProvisioner = "godwit.dev/local";

    /// <summary>Nobody: volumes are made by people.</summary>
    public const string NoProvisioner = "kubernetes.io/no-provisioner";
}
