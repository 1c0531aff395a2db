namespace Godwit.Oci;

/// <summary>How a tar is compressed: a layer's, or one that a user brings.</summary>
public enum Compression
{
    None,
    Gzip,
    Zstd,

    /// <summary>Of users' archives only; no layer's media type says this.</summary>
    Xz,

    /// <summary>Of users' archives only, too.</summary>
    Bzip2,
}

/// <summary>The media types of the OCI image specification and of Docker's manifest schema 2, and what they mean.</summary>
public static class MediaTypes
{
    public const string OciIndex = "application/vnd.oci.image.index.v1+json";
    public const string OciManifest = "application/vnd.oci.image.manifest.v1+json";
    public const string OciConfig = "application/vnd.oci.image.config.v1+json";
    public const string OciLayer = "application/vnd.oci.image.layer.v1.tar";
    public const string OciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    public const string OciLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
    public const string DockerIndex = "application/vnd.docker.distribution.manifest.list.v2+json";
    public const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
    public const string DockerConfig = "application/vnd.docker.container.image.v1+json";
    public const string DockerLayer = "application/vnd.docker.image.rootfs.diff.tar";
    public const string DockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";

    private const string OciLayerNotDistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar";

    /// <summary>The manifests that a client asks a registry for, in the order of preference.</summary>
    public static IReadOnlyList<string> Manifests { get; } = [OciIndex, DockerIndex, OciManifest, DockerManifest];

    public static bool IsIndex(string mediaType) => mediaType is OciIndex or DockerIndex;

    public static bool IsManifest(string mediaType) => mediaType is OciManifest or DockerManifest;

    public static bool IsConfig(string mediaType) => mediaType is OciConfig or DockerConfig;

    /// <summary>The name that an OCI manifest has for a layer of this type: the same bytes, whoever named them first.</summary>
    public static string OciLayerOf(string mediaType) => mediaType switch
    {
        DockerLayer => OciLayer,
        DockerLayerGzip => OciLayerGzip,
        DockerLayer + ".zstd" => OciLayerZstd,
        _ => mediaType,
    };

    /// <summary>How a layer of this type is compressed; null when the type is no layer that can be unpacked.</summary>
    public static Compression? CompressionOf(string mediaType) => mediaType switch
    {
        OciLayer or DockerLayer or OciLayerNotDistributable => Compression.None,
        OciLayerGzip or DockerLayerGzip or OciLayerNotDistributable + "+gzip" => Compression.Gzip,
        OciLayerZstd or OciLayerNotDistributable + "+zstd" or DockerLayer + ".zstd" => Compression.Zstd,
        _ => null,
    };
}
