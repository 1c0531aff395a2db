using Godwit.Images.Catalogue;
using Godwit.Images.Content;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.Images.Transfers;

/// <summary>An image whose content is all here, pinned by the caller's lease, and that no catalogue knows yet.</summary>
/// <param name="Config">The configuration's bytes are content by now; this is its digest, the image's id.</param>
/// <param name="Record">What the catalogue is to keep.</param>
/// <param name="Named">The digest by which the registry's name leads to it: of the index, where there is one.</param>
internal sealed record FetchedImage(Digest Config, ImageRecord Record, Digest Named);

/// <summary>
/// Fetches an image: name → index → manifest → configuration → layers, several at once. Each arrow is a digest that the step
/// before has named and the next must have. Whatever is fetched is pinned first (<see cref="ContentPins"/>).
/// </summary>
internal sealed class ImagePuller(RegistryClient registry, ContentStore content, BlobFetcher fetcher, ImageStoreOptions options)
{
    private const int IndexDepthMax = 2;

    public async Task<FetchedImage> PullAsync(ImageReference name, PullOptions pull, ContentPins.ContentLease lease, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        var access = RepositoryAccess.To(name, pull.Credentials);
        progress.Report(new TransferProgress(null, TransferStage.Resolving));
        var first = await registry.GetManifestAsync(access, name.Digest?.ToString() ?? name.Tag!, stopping);
        var (found, manifest) = await ChooseAsync(access, first, pull.Platform ?? options.Platform, stopping);
        if (!MediaTypes.IsConfig(manifest.Config.MediaType))
        {
            throw new ImageException(ImageErrorKind.Invalid, $"{name} is no image that can be run: its configuration has the type {manifest.Config.MediaType}.");
        }

        lease.Pin(first.Descriptor.Digest);
        lease.Pin(found.Descriptor.Digest);
        lease.Pin(manifest.Config.Digest);
        var configBytes = await fetcher.ReadSmallAsync(access, manifest.Config, OciFormat.ConfigBytesMax, stopping);
        var config = OciFormat.ReadConfig(configBytes);
        Check(name, manifest, config, pull.Platform);

        // Each waits for the disk more than once, and nothing of the layers depends on them: so they wait while those come.
        var keeping = Task.Run(
            () =>
            {
                content.Put(first.Content);
                content.Put(found.Content);
                content.Put(configBytes, manifest.Config.Digest);
            },
            CancellationToken.None);
        LayerRecord[] layers;
        try
        {
            layers = await FetchLayersAsync(access, manifest, config, lease, progress, stopping);
        }
        finally
        {
            await keeping; // The lease that keeps them from being collected may end after this.
        }

        var record = new ImageRecord { Layers = layers, Manifest = found.Descriptor, Sources = [Source(name)] };
        return new FetchedImage(manifest.Config.Digest, record, first.Descriptor.Digest);
    }

    /// <summary>A repository with its registry, as the catalogue notes it.</summary>
    public static string Source(ImageReference name) => $"{name.Registry}/{name.Repository}";

    private static void Check(ImageReference name, ImageManifest manifest, ImageConfig config, Platform? wanted)
    {
        if (config.RootFileSystem.DiffIds.Count != manifest.Layers.Count)
        {
            throw new ImageException(ImageErrorKind.Corrupt, $"{name} is refused: its manifest has {manifest.Layers.Count} layers and its configuration {config.RootFileSystem.DiffIds.Count}.");
        }

        if (config.OperatingSystem != "linux" || (wanted is not null && wanted.Rank(config.Platform) == 0))
        {
            throw new ImageException(ImageErrorKind.NotFound, $"image with reference {name} was found but its platform ({config.Platform}) does not match the specified platform ({wanted ?? Platform.Host})");
        }
    }

    private async Task<(RegistryManifest Found, ImageManifest Manifest)> ChooseAsync(RepositoryAccess access, RegistryManifest found, Platform platform, CancellationToken stopping)
    {
        for (var depth = 0; OciFormat.IsIndex(found.Content, found.Descriptor.MediaType); depth++)
        {
            if (depth == IndexDepthMax)
            {
                throw new ImageException(ImageErrorKind.Corrupt, $"Indexes point to indexes, more than {IndexDepthMax} deep.");
            }

            var index = OciFormat.ReadIndex(found.Content);
            var chosen = index.Select(platform) ?? throw new ImageException(
                ImageErrorKind.NotFound,
                $"no matching manifest for {platform} in the manifest list entries; there are {string.Join(", ", index.Manifests.Select(each => each.Platform?.ToString() ?? "?").Distinct(StringComparer.Ordinal).Take(20))}");
            found = await registry.GetManifestAsync(access, chosen.Digest.ToString(), stopping);
        }

        return (found with { Descriptor = found.Descriptor with { MediaType = OciFormat.ReadManifest(found.Content).MediaType ?? found.Descriptor.MediaType } }, OciFormat.ReadManifest(found.Content));
    }

    private async Task<LayerRecord[]> FetchLayersAsync(RepositoryAccess access, ImageManifest manifest, ImageConfig config, ContentPins.ContentLease lease, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        var records = new LayerRecord[manifest.Layers.Count];
        foreach (var (layer, diffId) in manifest.Layers.Zip(config.RootFileSystem.DiffIds))
        {
            lease.Pin(layer.Digest);
            lease.Pin(diffId);
            progress.Report(new TransferProgress(layer.Digest, TransferStage.Waiting, 0, layer.SizeBytes));
        }

        // A failure stops the others; what they have so far stays for the next attempt.
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.ParallelTransfers, CancellationToken = stopping };
        await Parallel.ForAsync(0, records.Length, parallel, async (index, halting) =>
        {
            var (blob, diffId) = (manifest.Layers[index], config.RootFileSystem.DiffIds[index]);
            var unpacked = await fetcher.FetchLayerAsync(access, blob, diffId, progress, halting);
            records[index] = new LayerRecord(diffId, unpacked.SizeBytes, blob);
        });
        return records;
    }
}
