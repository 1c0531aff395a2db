using System.Text.Json.Serialization;

namespace Godwit.Oci;

/// <summary>What an image consists of: a configuration, and layers from the bottom up. OCI manifests and Docker's schema 2 are the same shape.</summary>
public sealed record ImageManifest
{
    /// <summary>More than this many layers is refused: overlayfs and the kernel's page of mount options hold no more.</summary>
    public const int LayersMax = 127;

    [JsonPropertyName("schemaVersion")]
    public int SchemaVersion { get; init; } = 2;

    [JsonPropertyName("mediaType")]
    public string? MediaType { get; init; }

    [JsonPropertyName("artifactType")]
    public string? ArtifactType { get; init; }

    [JsonPropertyName("config")]
    public required Descriptor Config { get; init; }

    [JsonPropertyName("layers")]
    public required IReadOnlyList<Descriptor> Layers { get; init; }

    [JsonPropertyName("annotations")]
    public IReadOnlyDictionary<string, string>? Annotations { get; init; }
}

/// <summary>One image for several platforms, or a list of images: OCI index and Docker's manifest list.</summary>
public sealed record ImageIndex
{
    public const int ManifestsMax = 1024;

    [JsonPropertyName("schemaVersion")]
    public int SchemaVersion { get; init; } = 2;

    [JsonPropertyName("mediaType")]
    public string? MediaType { get; init; }

    [JsonPropertyName("manifests")]
    public required IReadOnlyList<Descriptor> Manifests { get; init; }

    [JsonPropertyName("annotations")]
    public IReadOnlyDictionary<string, string>? Annotations { get; init; }

    /// <summary>The manifest that serves this platform best, the first of equals; null when none does. One without a platform serves any.</summary>
    public Descriptor? Select(Platform wanted) => Manifests
        .Where(manifest => MediaTypes.IsManifest(manifest.MediaType) || MediaTypes.IsIndex(manifest.MediaType))
        .Select(manifest => (Manifest: manifest, Rank: manifest.Platform is null ? 1 : wanted.Rank(manifest.Platform)))
        .Where(entry => entry.Rank > 0)
        .OrderByDescending(entry => entry.Rank) // Stable: the first of equals stays first.
        .Select(entry => entry.Manifest)
        .FirstOrDefault();
}
