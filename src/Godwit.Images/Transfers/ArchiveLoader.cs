using System.Text.Json;
using System.Text.Json.Serialization;
using Godwit.Images.Catalogue;
using Godwit.Images.Content;
using Godwit.Images.Layers;
using Godwit.Oci;

namespace Godwit.Images.Transfers;

/// <summary>An image of an archive, and the names that the archive gives it.</summary>
internal sealed record LoadedImage(Digest Config, ImageRecord Record, IReadOnlyList<ImageReference> Names);

/// <summary>
/// Finds the images in a spooled archive: by docker's <c>manifest.json</c> where there is one, else by an OCI layout's
/// <c>index.json</c>. Sources: Docker's image specification 1.2, "Combined Image JSON"; OCI image layout specification.
/// </summary>
internal sealed class ArchiveLoader(ArchiveSpool spool, ContentStore content, BlobFetcher fetcher, UnpackedLayers layers, ImageStoreOptions options)
{
    private const int ImagesMax = 1024;

    public async Task<IReadOnlyList<LoadedImage>> LoadAsync(ContentPins.ContentLease lease, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        var images = ReadDocker() ?? ReadLayout() ?? throw new ImageException(ImageErrorKind.Invalid, "The archive holds no images: it has neither manifest.json (docker save) nor index.json (an OCI layout).");
        var loaded = new List<LoadedImage>();
        foreach (var image in images)
        {
            loaded.Add(await TakeAsync(image, lease, progress, stopping));
        }

        return loaded;
    }

    private List<ArchivedImage>? ReadDocker()
    {
        if (spool.ReadSmall("manifest.json", OciFormat.ManifestBytesMax) is not { } json)
        {
            return null;
        }

        try
        {
            var entries = JsonSerializer.Deserialize(json, ArchiveJson.Default.IReadOnlyListDockerArchiveImage) ?? throw new JsonException("it is null");
            return entries.Count > ImagesMax ? throw new JsonException($"it has {entries.Count} images; at most {ImagesMax} are read") : [.. entries.Select(FromDocker)];
        }
        catch (JsonException damage)
        {
            throw new ImageException(ImageErrorKind.Corrupt, "The archive's manifest.json cannot be read.", damage);
        }
    }

    private ArchivedImage FromDocker(DockerArchiveImage? entry)
    {
        if (entry?.Config is null || entry.Layers is null)
        {
            throw new ImageException(ImageErrorKind.Corrupt, "The archive's manifest.json has an image without a configuration or layers.");
        }

        var blobs = entry.Layers.Select(name => Required(name)).Select(file => new Descriptor { MediaType = TypeOf(file), Digest = file.Digest, SizeBytes = file.SizeBytes });
        return new ArchivedImage(Required(entry.Config).Digest, [.. blobs], Manifest: null, [.. entry.RepoTags?.Select(Parse) ?? []]);
    }

    private List<ArchivedImage>? ReadLayout()
    {
        if (spool.ReadSmall("index.json", OciFormat.ManifestBytesMax) is not { } json)
        {
            return null;
        }

        var found = new List<ArchivedImage>();
        foreach (var entry in OciFormat.ReadIndex(json).Manifests)
        {
            var names = entry.Annotations?.GetValueOrDefault(Annotations.ContainerdImageName) ?? entry.Annotations?.GetValueOrDefault(Annotations.ReferenceName);
            var descriptor = Choose(entry);
            var manifest = OciFormat.ReadManifest(Blob(descriptor.Digest, OciFormat.ManifestBytesMax));
            if (MediaTypes.IsConfig(manifest.Config.MediaType))
            {
                found.Add(new ArchivedImage(manifest.Config.Digest, manifest.Layers, descriptor, names is not null && options.Registries.References.TryParse(names, out var name) && names.AsSpan().ContainsAny('/', ':') ? [name!] : []));
            }
        }

        return found.Count > 0 ? found : throw new ImageException(ImageErrorKind.Invalid, "The archive holds no images: its index.json names none that can be run.");
    }

    private Descriptor Choose(Descriptor entry)
    {
        const int depthMax = 2;
        for (var depth = 0; MediaTypes.IsIndex(entry.MediaType) && depth < depthMax; depth++)
        {
            var index = OciFormat.ReadIndex(Blob(entry.Digest, OciFormat.ManifestBytesMax));
            entry = index.Select(options.Platform) ?? throw new ImageException(ImageErrorKind.NotFound, $"The archive has no image for {options.Platform}.");
        }

        return entry;
    }

    private async Task<LoadedImage> TakeAsync(ArchivedImage image, ContentPins.ContentLease lease, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        var config = OciFormat.ReadConfig(Blob(image.Config, OciFormat.ConfigBytesMax));
        if (config.RootFileSystem.DiffIds.Count != image.Layers.Count || config.OperatingSystem != "linux")
        {
            throw new ImageException(ImageErrorKind.Corrupt, $"An image of the archive is refused: it is for {config.Platform}, its configuration has {config.RootFileSystem.DiffIds.Count} layers and its list {image.Layers.Count}.");
        }

        var records = new List<LayerRecord>();
        foreach (var (blob, diffId) in image.Layers.Zip(config.RootFileSystem.DiffIds))
        {
            lease.Pin(diffId);
            lease.Pin(blob.Digest);
            var unpacked = layers.Find(diffId) ?? await fetcher.UnpackStoredAsync(blob, diffId, progress, stopping);
            records.Add(new LayerRecord(diffId, unpacked.SizeBytes, blob));
        }

        return new LoadedImage(image.Config, new ImageRecord { Layers = records, Manifest = image.Manifest }, image.Names);
    }

    /// <summary>In a layout every blob stands under its digest; that it has it was found out when it was spooled.</summary>
    private byte[] Blob(Digest digest, int bytesMax) => content.Has(digest)
        ? content.ReadAll(digest, bytesMax)
        : throw new ImageException(ImageErrorKind.Corrupt, $"The archive lacks the content {digest}.");

    private SpooledFile Required(string name) => spool.Find(name) ?? throw new ImageException(ImageErrorKind.Corrupt, $"The archive lacks the file '{Tar.TreePath.Show(System.Text.Encoding.UTF8.GetBytes(name))}' that its manifest.json names.");

    private string TypeOf(SpooledFile file)
    {
        using var stream = new FileStream(content.Open(file.Digest), FileAccess.Read);
        return Decompression.Detect(stream).Compression switch
        {
            Compression.Gzip => MediaTypes.OciLayerGzip,
            Compression.Zstd => MediaTypes.OciLayerZstd,
            Compression.None => MediaTypes.OciLayer,
            var other => throw new ImageException(ImageErrorKind.Corrupt, $"A layer of the archive is compressed by {other}, for which layers have no type: compress the archive as a whole instead."),
        };
    }

    private ImageReference Parse(string name)
    {
        try
        {
            return options.Registries.References.Parse(name);
        }
        catch (FormatException reason)
        {
            throw new ImageException(ImageErrorKind.Corrupt, "The archive gives an image a name that is none.", reason);
        }
    }

    private sealed record ArchivedImage(Digest Config, IReadOnlyList<Descriptor> Layers, Descriptor? Manifest, IReadOnlyList<ImageReference> Names);
}

/// <summary>One image in <c>manifest.json</c>: files of the archive by their names.</summary>
internal sealed record DockerArchiveImage
{
    public string? Config { get; init; }

    public IReadOnlyList<string>? RepoTags { get; init; }

    public IReadOnlyList<string>? Layers { get; init; }
}

[JsonSourceGenerationOptions(MaxDepth = 8)]
[JsonSerializable(typeof(IReadOnlyList<DockerArchiveImage>))]
internal sealed partial class ArchiveJson : JsonSerializerContext;
