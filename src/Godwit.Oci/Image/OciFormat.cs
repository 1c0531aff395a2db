using System.Text.Json;
using System.Text.Json.Serialization;

namespace Godwit.Oci;

/// <summary>
/// Reads and writes the JSON of images. Whatever is read is hostile until it has come through here: sizes, counts and
/// depth are bounded, and what does not add up is an <see cref="OciException"/>, never a half-read value.
/// </summary>
public static class OciFormat
{
    /// <summary>The largest manifest or index that is looked at (what registries accept).</summary>
    public const int ManifestBytesMax = 4 << 20;

    /// <summary>The largest configuration that is looked at.</summary>
    public const int ConfigBytesMax = 8 << 20;

    private const int HistoryMax = 10_000;

    /// <summary>Whether these bytes are an index rather than a manifest: by the type they claim, or by their members.</summary>
    /// <exception cref="OciException">They are neither, or claim to be both.</exception>
    public static bool IsIndex(ReadOnlySpan<byte> json, string? mediaType)
    {
        var shape = Read(json, ManifestBytesMax, OciJson.Default.ManifestShape, "manifest");
        if (shape.Manifests is not null && (shape.Layers is not null || shape.Config is not null))
        {
            throw new OciException("The manifest is ambiguous: it has manifests as an index has, and a configuration or layers as a manifest has.");
        }

        var type = shape.MediaType ?? mediaType;
        return type switch
        {
            not null when MediaTypes.IsIndex(type) => true,
            not null when MediaTypes.IsManifest(type) => false,
            _ => shape.Manifests is not null,
        };
    }

    /// <exception cref="OciException">It is no manifest of an image.</exception>
    public static ImageManifest ReadManifest(ReadOnlySpan<byte> json)
    {
        var manifest = Read(json, ManifestBytesMax, OciJson.Default.ImageManifest, "manifest");
        Expect(manifest.SchemaVersion == 2, $"its schema version is {manifest.SchemaVersion}; only 2 is read here");
        Expect(manifest.Config is not null && manifest.Layers is not null, "it lacks its configuration or its layers");
        Expect(manifest.Layers!.Count <= ImageManifest.LayersMax, $"it has {manifest.Layers.Count} layers; at most {ImageManifest.LayersMax} can be mounted");
        CheckDescriptor(manifest.Config!);
        foreach (var layer in manifest.Layers)
        {
            CheckDescriptor(layer);
        }

        return manifest;

        static void Expect(bool holds, string reason) => Require(holds, "manifest", reason);
    }

    /// <exception cref="OciException">It is no index.</exception>
    public static ImageIndex ReadIndex(ReadOnlySpan<byte> json)
    {
        var index = Read(json, ManifestBytesMax, OciJson.Default.ImageIndex, "index");
        Require(index.SchemaVersion == 2, "index", $"its schema version is {index.SchemaVersion}; only 2 is read here");
        Require(index.Manifests is not null, "index", "it lists no manifests");
        Require(index.Manifests!.Count <= ImageIndex.ManifestsMax, "index", $"it lists {index.Manifests.Count} manifests; at most {ImageIndex.ManifestsMax} are read");
        foreach (var manifest in index.Manifests)
        {
            CheckDescriptor(manifest);
        }

        return index;
    }

    /// <exception cref="OciException">It is no image's configuration.</exception>
    public static ImageConfig ReadConfig(ReadOnlySpan<byte> json)
    {
        var config = Read(json, ConfigBytesMax, OciJson.Default.ImageConfig, "image configuration");
        Require(config.RootFileSystem?.DiffIds is not null, "image configuration", "it names no layers (rootfs.diff_ids)");
        Require(config.RootFileSystem!.DiffIds.Count <= ImageManifest.LayersMax, "image configuration", $"it has {config.RootFileSystem.DiffIds.Count} layers; at most {ImageManifest.LayersMax} can be mounted");
        Require(config.RootFileSystem.DiffIds.All(id => id != default), "image configuration", "one of its layers has no digest");
        Require((config.History?.Count ?? 0) <= HistoryMax, "image configuration", $"its history has {config.History?.Count} steps; at most {HistoryMax} are read");
        Require(!string.IsNullOrEmpty(config.Architecture) && !string.IsNullOrEmpty(config.OperatingSystem), "image configuration", "it does not say for which system it is");
        return config;
    }

    public static byte[] Write(ImageManifest manifest) => JsonSerializer.SerializeToUtf8Bytes(manifest, OciJson.Default.ImageManifest);

    public static byte[] Write(ImageIndex index) => JsonSerializer.SerializeToUtf8Bytes(index, OciJson.Default.ImageIndex);

    public static byte[] Write(ImageConfig config) => JsonSerializer.SerializeToUtf8Bytes(config, OciJson.Default.ImageConfig);

    private static T Read<T>(ReadOnlySpan<byte> json, int bytesMax, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string what)
    {
        Require(json.Length <= bytesMax, what, $"it has {json.Length} bytes; at most {bytesMax} are read");
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new OciException($"The {what} is null.");
        }
        catch (JsonException reason)
        {
            throw new OciException($"The {what} cannot be read.", reason);
        }
    }

    private static void CheckDescriptor(Descriptor? descriptor)
    {
        Require(descriptor is not null && descriptor.Digest != default && !string.IsNullOrEmpty(descriptor.MediaType), "descriptor", "it lacks its type or its digest");
        Require(descriptor!.SizeBytes >= 0, "descriptor", $"its size is {descriptor.SizeBytes} bytes");
    }

    private static void Require(bool holds, string what, string reason)
    {
        if (!holds)
        {
            throw new OciException($"The {what} is refused: {reason}.");
        }
    }
}

/// <summary>Just enough of a manifest or index to tell which it is.</summary>
internal sealed record ManifestShape
{
    [JsonPropertyName("mediaType")]
    public string? MediaType { get; init; }

    [JsonPropertyName("manifests")]
    public JsonElement? Manifests { get; init; }

    [JsonPropertyName("layers")]
    public JsonElement? Layers { get; init; }

    [JsonPropertyName("config")]
    public JsonElement? Config { get; init; }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, MaxDepth = 24)]
[JsonSerializable(typeof(ImageManifest))]
[JsonSerializable(typeof(ImageIndex))]
[JsonSerializable(typeof(ImageConfig))]
[JsonSerializable(typeof(ManifestShape))]
internal sealed partial class OciJson : JsonSerializerContext;
