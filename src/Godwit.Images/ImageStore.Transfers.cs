using Godwit.Images.Catalogue;
using Godwit.Images.Content;
using Godwit.Images.Layers;
using Godwit.Images.Transfers;
using Godwit.Linux.Files;
using Godwit.Oci;
using Godwit.Oci.Distribution;

namespace Godwit.Images;

/// <summary>Pull, push, load, save, import, and steps of a build.</summary>
public sealed partial class ImageStore
{
    /// <summary>
    /// Fetches an image with all its layers, unpacks them, and gives it its name. What is here already is not fetched again,
    /// what another pull is fetching is shared, and what was cut off is resumed.
    /// </summary>
    /// <exception cref="ImageException">Among others: not found, unauthorized, corrupt, unavailable.</exception>
    public Task<StoredImage> PullAsync(ImageReference name, PullOptions pull, IProgress<TransferProgress> progress, CancellationToken stopping) => TakeInAsync($"Pulling {name}", async lease =>
    {
        name = ImageCatalogue.Plain(name);
        var puller = new ImagePuller(registry, content, fetcher, options);
        var fetched = await puller.PullAsync(name, pull, lease, progress, stopping);
        var byDigest = name with { Tag = null, Digest = fetched.Named };
        catalogue.Change(now => now with
        {
            Images = now.Images.SetItem(fetched.Config, Merge(now, fetched)),
            Names = now.Names.SetItem(name, fetched.Config).SetItem(byDigest, fetched.Config),
        });
        Log.Pulled(logger, name.ToString(), fetched.Config);
        return Describe(catalogue.Current, fetched.Config);
    });

    /// <summary>Whether the registry accepts these credentials.</summary>
    /// <param name="registryName">Host and port, or what else clients call it; null is the default registry.</param>
    /// <exception cref="ImageException">It does not, or cannot be asked.</exception>
    public Task CheckCredentialsAsync(string? registryName, RegistryCredentials credentials, CancellationToken stopping) => TransferErrors.ExplainAsync($"Logging in to {registryName ?? "the default registry"}", async () =>
    {
        await registry.CheckAsync(RegistryOf(registryName), credentials, stopping);
        return true;
    });

    /// <summary>Sends the image of this name to the registry that the name names.</summary>
    /// <exception cref="ImageException">Among others: not found, unauthorized, unavailable.</exception>
    public Task<PushResult> PushAsync(ImageReference name, RegistryCredentials credentials, IProgress<TransferProgress> progress, CancellationToken stopping) => TransferErrors.ExplainAsync($"Pushing {name}", async () =>
    {
        name = name.WithDefaultTag();
        using var lease = pins.Begin();
        var (id, record) = await CompleteAsync(Get(name.ToString()).Id, lease, stopping);
        await new ImagePusher(registry, content, options.ParallelTransfers).PushAsync(name, RepositoryAccess.To(name, credentials), record, progress, stopping);
        var manifest = record.Manifest!;
        catalogue.Change(now => now.Images.TryGetValue(id, out var present)
            ? now with
            {
                Images = now.Images.SetItem(id, present with { Sources = [.. present.Sources.Append(ImagePuller.Source(name)).Distinct(StringComparer.Ordinal)] }),
                Names = now.Names.SetItem(name with { Tag = null, Digest = manifest.Digest }, id),
            }
            : now); // Removed meanwhile; it is at the registry all the same.
        Log.Pushed(logger, name.ToString(), manifest.Digest);
        return new PushResult(manifest, name);
    });

    /// <summary>Takes in an archive as <c>docker save</c> writes it, or an OCI layout as a tar; either may be compressed.</summary>
    /// <returns>The images in the archive's order, each with the names that the archive gives it, and no others that it has here.</returns>
    /// <exception cref="ImageException">It holds no images, or they are broken or hostile.</exception>
    public Task<IReadOnlyList<StoredImage>> LoadAsync(Stream archive, IProgress<TransferProgress> progress, CancellationToken stopping) => TakeInAsync("Loading the archive", async lease =>
    {
        var spool = new ArchiveSpool(content, lease, options.Limits);
        await BlockingStreams.ReadAsync(archive, (stream, halting) => spool.Read(stream, halting), stopping);
        return await LoadAsync(spool, lease, progress, stopping);
    });

    /// <summary>Takes in the images of an OCI layout that lies in a folder.</summary>
    /// <returns>The images in the order of the layout's index, each with the names that the layout gives it, and no others that it has here.</returns>
    /// <exception cref="ImageException">It is no such layout, or what it holds is broken or hostile.</exception>
    public Task<IReadOnlyList<StoredImage>> LoadLayoutAsync(string folder, IProgress<TransferProgress> progress, CancellationToken stopping) => TakeInAsync($"Loading the layout {folder}", async lease =>
    {
        var spool = new ArchiveSpool(content, lease, options.Limits);
        await Task.Factory.StartNew(
            () =>
            {
                using var layout = HeldFolder.Open(folder);
                spool.ReadLayout(layout, stopping);
            },
            stopping,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        return await LoadAsync(spool, lease, progress, stopping);
    });

    /// <summary>Writes an archive that is an OCI layout and docker's own form at once.</summary>
    /// <param name="namesOrIds">A name saves that name; an id, or a repository without a tag that has several, saves the image without others' names.</param>
    public Task SaveAsync(IReadOnlyList<string> namesOrIds, Stream output, CancellationToken stopping) => TransferErrors.ExplainAsync("Saving images", async () =>
    {
        using var lease = pins.Begin();
        var saved = new Dictionary<Digest, SavedImage>();
        foreach (var nameOrId in namesOrIds)
        {
            var image = Get(nameOrId);
            var (id, record) = await CompleteAsync(image.Id, lease, stopping);
            var named = options.Registries.References.TryParse(nameOrId, out var name) && image.Tags.Contains(name!.WithDefaultTag()) ? [name.WithDefaultTag()] : Array.Empty<ImageReference>();
            saved[id] = new SavedImage(id, record, [.. saved.GetValueOrDefault(id)?.Names ?? [], .. named]);
        }

        await BlockingStreams.WriteAsync(output, (stream, halting) => new ArchiveSaver(content).Save([.. saved.Values], stream, halting), stopping);
        return true;
    });

    /// <summary>Makes an image of one layer from a root file system's tar, compressed or not.</summary>
    /// <param name="tar">The root.</param>
    /// <param name="step">Its configuration, history and name; it has neither parent nor layer.</param>
    public async Task<StoredImage> ImportAsync(Stream tar, ImageStep step, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        using var lease = pins.Begin();
        UnpackedLayer? unpacked = null;
        await BlockingStreams.ReadAsync(tar, (stream, halting) =>
        {
            // Whatever it came as, the layer is packed anew in our own order when it leaves: so it goes by the digest of that.
            unpacked = RootImport.Unpack(stream, parts, lease, options.Limits, halting);
        }, stopping);
        progress.Report(new TransferProgress(unpacked!.DiffId, TransferStage.Complete, unpacked.SizeBytes, unpacked.SizeBytes));
        return await CreateAsync(step with { Parent = null, Layer = unpacked.DiffId }, stopping);
    }

    /// <summary>Makes an image that is one step further than its parent.</summary>
    /// <exception cref="ImageException">Its parent or its layer is not here any more.</exception>
    public Task<StoredImage> CreateAsync(ImageStep step, CancellationToken stopping)
    {
        stopping.ThrowIfCancellationRequested();
        using var lease = pins.Begin();
        IReadOnlyList<LayerRecord> below = [.. step.Parent?.Layers.Select(layer => new LayerRecord(layer.DiffId, layer.SizeBytes, layer.Blob)) ?? []];
        foreach (var layer in below)
        {
            lease.Pin(layer.DiffId);
        }

        if (step.Layer is { } made)
        {
            lease.Pin(made);
            var unpacked = parts.Unpacked.Find(made) ?? throw new ImageException(ImageErrorKind.NotFound, $"The layer {made} is not on this host any more.");
            below = [.. below, new LayerRecord(made, unpacked.SizeBytes, Blob: null)];
        }

        if (below.Count > ImageManifest.LayersMax)
        {
            throw new ImageException(ImageErrorKind.Invalid, $"The image would have {below.Count} layers; at most {ImageManifest.LayersMax} can be mounted.");
        }

        var bytes = OciFormat.Write(NewConfig.Of(step, [.. below.Select(layer => layer.DiffId)], options.Platform, time.GetUtcNow()));
        lease.Pin(Digest.Of(bytes));
        var id = content.Put(bytes);
        var record = new ImageRecord { Layers = below, Parent = step.Parent?.Id };
        catalogue.Change(now => Add(now, id, record, step.Name is null ? [] : [step.Name]));
        return Task.FromResult(Describe(catalogue.Current, id));
    }

    private async Task<IReadOnlyList<StoredImage>> LoadAsync(ArchiveSpool spool, ContentPins.ContentLease lease, IProgress<TransferProgress> progress, CancellationToken stopping)
    {
        var loaded = await new ArchiveLoader(spool, content, fetcher, parts.Unpacked, options).LoadAsync(lease, progress, stopping);
        catalogue.Change(now => loaded.Aggregate(now, (so, image) => Add(so, image.Config, image.Record, image.Names)));
        var after = catalogue.Current;
        return [.. loaded.Where(image => after.Images.ContainsKey(image.Config)).Select(image => Describe(after, image.Config) with { Tags = [.. image.Names.Select(ImageCatalogue.Plain).Where(name => name.Tag is not null)] })];
    }

    /// <summary>Takes images in, or fails. When that is for want of room, what came of them goes at once: nobody needs it, and everybody its room.</summary>
    private Task<T> TakeInAsync<T>(string attempt, Func<ContentPins.ContentLease, Task<T>> work) => TransferErrors.ExplainAsync(attempt, async () =>
    {
        try
        {
            using var lease = pins.Begin();
            return await work(lease);
        }
        catch (Exception full) when (FullDisk.IsCauseOf(full))
        {
            Collect();
            throw new ImageException(ImageErrorKind.Host, $"{attempt} takes more room than there is on the disk of {options.Folder}: make room ('docker system prune' removes what nothing uses), then try again.", full);
        }
    });

    /// <summary>The image with all that it needs to leave this host, which is remembered.</summary>
    private async Task<(Digest Id, ImageRecord Record)> CompleteAsync(Digest id, ContentPins.ContentLease lease, CancellationToken stopping)
    {
        var record = catalogue.Current.Images.GetValueOrDefault(id) ?? throw new ImageException(ImageErrorKind.NotFound, $"No such image: {id}");
        var complete = await new BlobMaker(content, parts.Unpacked).CompleteAsync(id, record, lease, stopping);
        if (!ReferenceEquals(complete, record))
        {
            catalogue.Change(now => now.Images.TryGetValue(id, out var present) ? now with { Images = now.Images.SetItem(id, present with { Layers = complete.Layers, Manifest = complete.Manifest }) } : now);
        }

        return (id, complete);
    }

    private ImageCatalogue Add(ImageCatalogue now, Digest id, ImageRecord record, IReadOnlyList<ImageReference> names)
    {
        var known = now.Images.GetValueOrDefault(id);
        var next = (known ?? record) with { TaggedAt = names.Count > 0 ? time.GetUtcNow() : known?.TaggedAt };
        return now with
        {
            Images = now.Images.SetItem(id, next),
            Names = now.Names.SetItems(names.Select(name => KeyValuePair.Create(ImageCatalogue.Plain(name), id))),
        };
    }

    /// <summary>An image that is here already keeps what was known of it; what is new is added.</summary>
    private ImageRecord Merge(ImageCatalogue now, FetchedImage fetched)
    {
        var record = fetched.Record with { TaggedAt = time.GetUtcNow() };
        return now.Images.TryGetValue(fetched.Config, out var present)
            ? record with { Parent = present.Parent, Sources = [.. present.Sources.Union(record.Sources, StringComparer.Ordinal)] }
            : record;
    }
}
