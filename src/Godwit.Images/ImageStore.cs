using System.Collections.Concurrent;
using Godwit.Images.Catalogue;
using Godwit.Images.Content;
using Godwit.Images.Layers;
using Godwit.Images.Transfers;
using Godwit.Linux;
using Godwit.Linux.Files;
using Godwit.Oci;
using Godwit.Oci.Distribution;
using Microsoft.Extensions.Logging;

namespace Godwit.Images;

/// <summary>
/// The images of this host: what they are called, what they consist of, where they come from and go to. Safe to use from
/// many threads. An image is known from the moment that all of it is on disk and synced, and until it is removed; content
/// that an operation under way needs is never collected beneath it.
/// <code>
///   FOLDER/images.json   which images and names there are (Catalogue)
///          blobs/        manifests, configurations, compressed layers, by digest (Content)
///          partial/      downloads under way, or to be gone on with
///          layers/       unpacked layers (Layers)
///          containers/   what containers changed
///          staging/      what is being unpacked or removed; emptied at the start
/// </code>
/// </summary>
public sealed partial class ImageStore : IDisposable
{
    private readonly ImageStoreOptions options;
    private readonly TimeProvider time;
    private readonly ILogger<ImageStore> logger;
    private readonly FileLock ownership;
    private readonly CatalogueStore catalogue;
    private readonly ContentStore content;
    private readonly ContentPins pins = new();
    private readonly LayerParts parts;
    private readonly RegistryClient registry;
    private readonly BlobFetcher fetcher;
    private readonly Collector collector;
    private readonly ConcurrentDictionary<Digest, ImageConfig> configs = new();

    private ImageStore(ImageStoreOptions options, TimeProvider time, ILogger<ImageStore> logger, FileLock ownership)
    {
        (this.options, this.time, this.logger, this.ownership) = (options, time, logger, ownership);
        catalogue = new CatalogueStore(Path.Combine(options.Folder, "images.json"));
        content = new ContentStore(options.Folder);
        content.RemoveStalePartials(time.GetUtcNow() - options.PartialDownloadAge);
        var unpacked = new UnpackedLayers(options.Folder);
        parts = new LayerParts(pins, unpacked, new LayerUnpacker(unpacked, options.Limits), options.Limits, time);
        registry = new RegistryClient(options.Registries, time);
        fetcher = new BlobFetcher(registry, content, parts);
        collector = new Collector(content, unpacked, pins);
        Layers = new LayerStore(options.Folder, parts, RestoreAsync);
    }

    public LayerStore Layers { get; }

    /// <summary>Opens the folder, puts right what a crash left, and keeps other processes out.</summary>
    /// <exception cref="ImageException">Another process has it, or it cannot be read.</exception>
    public static ImageStore Open(ImageStoreOptions options, TimeProvider time, ILogger<ImageStore> logger)
    {
        FileLock? taken = null;
        try
        {
            Directory.CreateDirectory(options.Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            taken = FileLock.TryAcquire(Path.Combine(options.Folder, "lock"))
                ?? throw new ImageException(ImageErrorKind.Conflict, $"Another process uses the images in {options.Folder}: end it, or give this one another folder.");
            var store = new ImageStore(options, time, logger, taken);
            var reclaimed = store.Collect();
            Log.Opened(logger, store.catalogue.Current.Images.Count, options.Folder, reclaimed);
            return store;
        }
        catch (Exception refusal) when (refusal is LinuxException or IOException or UnauthorizedAccessException)
        {
            taken?.Dispose();
            throw new ImageException(ImageErrorKind.Host, $"The images in {options.Folder} cannot be opened.", refusal);
        }
        catch
        {
            taken?.Dispose();
            throw;
        }
    }

    /// <summary>The registry that a client means by this name (host and port); null is the default registry.</summary>
    public string? RegistryOf(string? name) => options.Registries.References.Registry(name);

    /// <exception cref="ImageException">It is no name of an image (<see cref="ImageErrorKind.Invalid"/>).</exception>
    public ImageReference ParseReference(string text)
    {
        try
        {
            return options.Registries.References.Parse(text);
        }
        catch (FormatException reason)
        {
            throw new ImageException(ImageErrorKind.Invalid, reason.Message, reason);
        }
    }

    /// <summary>Every image, named or not, the newest first.</summary>
    public IReadOnlyList<StoredImage> List()
    {
        var now = catalogue.Current;
        return [.. now.Images.Keys.Select(id => Describe(now, id)).OrderByDescending(image => image.Config.Created ?? DateTimeOffset.MinValue).ThenBy(image => image.Id.Hex, StringComparer.Ordinal)];
    }

    /// <summary>By name (the tag <c>latest</c> if it has none), by id, or by the start of an id that is no other's; null when there is none.</summary>
    public StoredImage? Find(string nameOrId)
    {
        var now = catalogue.Current;
        return now.Find(nameOrId, options.Registries.References) is { } id ? Describe(now, id) : null;
    }

    /// <exception cref="ImageException">There is none (<see cref="ImageErrorKind.NotFound"/>), or several.</exception>
    public StoredImage Get(string nameOrId) => Find(nameOrId)
        ?? throw new ImageException(ImageErrorKind.NotFound, $"No such image: {(options.Registries.References.TryParse(nameOrId, out var name) ? name!.WithDefaultTag() : Tar.TreePath.Show(System.Text.Encoding.UTF8.GetBytes(nameOrId)))}");

    /// <summary>Whether other images of this host were made from this one by one more step.</summary>
    public bool HasChildren(Digest imageId) => catalogue.Current.HasChildren(imageId);

    /// <summary>Gives the image a name, which no other image has from then on.</summary>
    public void Tag(Digest imageId, ImageReference name)
    {
        if (name.Digest is not null)
        {
            throw new ImageException(ImageErrorKind.Invalid, "refusing to create a tag with a digest reference");
        }

        catalogue.Change(now => !now.Images.TryGetValue(imageId, out var record)
            ? throw new ImageException(ImageErrorKind.NotFound, $"No such image: {imageId}")
            : now with { Names = now.Names.SetItem(ImageCatalogue.Plain(name), imageId), Images = now.Images.SetItem(imageId, record with { TaggedAt = time.GetUtcNow() }) });
    }

    /// <summary>Takes away a name, or, by id or with the last name, the image, and the parents that only it kept.</summary>
    /// <param name="nameOrId">As in <see cref="Find"/>.</param>
    /// <param name="force">Also when it has several names, or a stopped container was made from it.</param>
    /// <param name="keepParents">Leave unnamed parents alone.</param>
    /// <param name="isRunning">Whether the container of this id runs; by force, too, its image stays.</param>
    /// <exception cref="ImageException">There is none, or it is in use (<see cref="ImageErrorKind.Conflict"/>).</exception>
    public RemovalReport Remove(string nameOrId, bool force, bool keepParents, Func<string, bool> isRunning)
    {
        var wish = new RemovalWish(force, keepParents, Users(isRunning));
        IReadOnlyList<ImageRemoval> steps = [];
        catalogue.Change(now =>
        {
            var id = now.Find(nameOrId, options.Registries.References) ?? Get(nameOrId).Id;
            var byName = options.Registries.References.TryParse(nameOrId, out var name) && now.Names.ContainsKey(ImageCatalogue.Plain(name!)) ? name : null;
            var plan = RemovalPlan.For(now, id, byName, wish);
            steps = plan.Steps;
            return plan.Result;
        });
        return new RemovalReport(steps, Collect());
    }

    /// <summary>Removes images that neither a container nor another image uses.</summary>
    public RemovalReport Prune(PruneFilter filter)
    {
        var wish = new RemovalWish(Force: true, KeepParents: false, Users(_ => true));
        var used = wish.Users.Select(user => user.Image).ToHashSet();
        var steps = new List<ImageRemoval>();
        catalogue.Change(now =>
        {
            steps.Clear();
            foreach (var id in now.Images.Keys.Where(id => !used.Contains(id) && IsPruned(now, id, filter)).ToList())
            {
                if (now.Images.ContainsKey(id) && !now.HasChildren(id))
                {
                    var plan = RemovalPlan.For(now, id, name: null, wish);
                    steps.AddRange(plan.Steps);
                    now = plan.Result;
                }
            }

            return now;
        });
        return new RemovalReport(steps, Collect());
    }

    public void Dispose()
    {
        registry.Dispose();
        ownership.Dispose();
    }

    private List<ImageUser> Users(Func<string, bool> isRunning) =>
        [.. Layers.List().Where(root => root.ImageId is not null).Select(root => new ImageUser(root.ContainerId, root.ImageId!.Value, isRunning(root.ContainerId)))];

    private bool IsPruned(ImageCatalogue now, Digest id, PruneFilter filter)
    {
        if (filter.DanglingOnly && now.NamesOf(id).Any(name => name.Tag is not null))
        {
            return false;
        }

        var config = ConfigOf(id);
        var labels = config.Config?.Labels;
        return (filter.CreatedBefore is not { } before || (config.Created ?? DateTimeOffset.MinValue) < before)
            && filter.Labels.All(wanted => Has(labels, wanted)) && !filter.WithoutLabels.Any(unwanted => Has(labels, unwanted));
    }

    private static bool Has(IReadOnlyDictionary<string, string>? labels, string wanted)
    {
        var equals = wanted.IndexOf('=', StringComparison.Ordinal);
        return labels is not null && labels.TryGetValue(equals < 0 ? wanted : wanted[..equals], out var value) && (equals < 0 || value == wanted[(equals + 1)..]);
    }

    private long Collect() => collector.Collect(catalogue, Layers);

    private ImageConfig ConfigOf(Digest id) => configs.GetOrAdd(id, key => OciFormat.ReadConfig(content.ReadAll(key, OciFormat.ConfigBytesMax)));

    private StoredImage Describe(ImageCatalogue now, Digest id)
    {
        var record = now.Images[id];
        var names = now.NamesOf(id).ToList();
        return new StoredImage
        {
            Id = id,
            Config = ConfigOf(id),
            Tags = [.. names.Where(name => name.Tag is not null)],
            RepositoryDigests = [.. names.Where(name => name.Digest is not null)],
            Layers = [.. record.Layers.Select(layer => new ImageLayer(layer.DiffId, layer.SizeBytes, layer.Blob))],
            Parent = record.Parent,
            TaggedAt = record.TaggedAt,
        };
    }

    /// <summary>A layer whose folder is gone is unpacked once more from its blob.</summary>
    private async Task RestoreAsync(ImageLayer layer, CancellationToken stopping)
    {
        var blob = layer.Blob ?? throw new ImageException(ImageErrorKind.NotFound, $"The layer {layer.DiffId} is gone from this host, and was never anywhere else: build its image again.");
        using var lease = pins.Begin();
        lease.Pin(blob.Digest);
        await fetcher.UnpackStoredAsync(blob, layer.DiffId, new Progress<TransferProgress>(), stopping);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Opened {Count} images in {Folder}; {ReclaimedBytes} bytes that nothing needed were removed")]
        public static partial void Opened(ILogger logger, int count, string folder, long reclaimedBytes);

        [LoggerMessage(2, LogLevel.Information, "Pulled {Name} as {Id}")]
        public static partial void Pulled(ILogger logger, string name, Digest id);

        [LoggerMessage(3, LogLevel.Information, "Pushed {Name}: manifest {Digest}")]
        public static partial void Pushed(ILogger logger, string name, Digest digest);
    }
}
