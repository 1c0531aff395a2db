using System.Text.Json.Serialization;

namespace Godwit.Oci;

/// <summary>A pointer to content: its type, its digest and its length. Source: OCI image specification, descriptor.</summary>
public sealed record Descriptor
{
    [JsonPropertyName("mediaType")]
    public required string MediaType { get; init; }

    [JsonPropertyName("digest")]
    public required Digest Digest { get; init; }

    /// <summary>Length of the content in bytes; more or fewer is an error.</summary>
    [JsonPropertyName("size")]
    public required long SizeBytes { get; init; }

    [JsonPropertyName("platform")]
    public Platform? Platform { get; init; }

    [JsonPropertyName("annotations")]
    public IReadOnlyDictionary<string, string>? Annotations { get; init; }

    /// <summary>What an artifact is, where it is no image to run.</summary>
    [JsonPropertyName("artifactType")]
    public string? ArtifactType { get; init; }
}

/// <summary>The annotations that are read or written here.</summary>
public static class Annotations
{
    /// <summary>In an archive's index: the tag, or the whole name, of that image.</summary>
    public const string ReferenceName = "org.opencontainers.image.ref.name";

    /// <summary>In an archive's index: the whole name of that image, as containerd writes it.</summary>
    public const string ContainerdImageName = "io.containerd.image.name";
}
