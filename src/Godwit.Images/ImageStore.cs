using Godwit.Images.Layers;
using Godwit.Oci;
using Microsoft.Extensions.Logging;

namespace Godwit.Images;

/// <summary>
/// The images of this host: what they are called, what they consist of, where they come from and go to. Safe to use from
/// many threads. An image is known from the moment that all of it is on disk and synced, and until it is removed; content
/// that an operation under way needs is never collected beneath it.
/// </summary>
public sealed class ImageStore : IDisposable
{
    private readonly ImageStoreOptions options;

    private ImageStore(ImageStoreOptions options) => this.options = options;

    private static NotSupportedException Missing => new("This part of the image store is not built yet.");

    public LayerStore Layers { get; } = new();

    /// <summary>Opens the folder, puts right what a crash left, and keeps other processes out.</summary>
    /// <exception cref="ImageException">Another process has it, or it cannot be read.</exception>
    public static ImageStore Open(ImageStoreOptions options, TimeProvider time, ILogger<ImageStore> logger) => new(options);

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
    public IReadOnlyList<StoredImage> List() => throw Missing;

    /// <summary>By name (the tag <c>latest</c> if it has none), by id, or by the start of an id that is no other's; null when there is none.</summary>
    public StoredImage? Find(string nameOrId) => throw Missing;

    /// <exception cref="ImageException">There is none (<see cref="ImageErrorKind.NotFound"/>), or several.</exception>
    public StoredImage Get(string nameOrId) => throw Missing;

    /// <summary>Gives the image a name, which no other image has from then on.</summary>
    public void Tag(Digest imageId, ImageReference name) => throw Missing;

    /// <summary>
    /// Takes away a name, or, by id or with the last name, the image, and the parents that only it kept.
    /// </summary>
    /// <param name="nameOrId">As in <see cref="Find"/>.</param>
    /// <param name="force">Also when it has several names, or a stopped container was made from it.</param>
    /// <param name="keepParents">Leave unnamed parents alone.</param>
    /// <param name="isRunning">Whether the container of this id runs; by force, too, its image stays.</param>
    /// <exception cref="ImageException">There is none, or it is in use (<see cref="ImageErrorKind.Conflict"/>).</exception>
    public RemovalReport Remove(string nameOrId, bool force, bool keepParents, Func<string, bool> isRunning) => throw Missing;

    /// <summary>Removes images that neither a container nor another image uses.</summary>
    public RemovalReport Prune(PruneFilter filter) => throw Missing;

    /// <summary>
    /// Fetches an image with all its layers, unpacks them, and gives it its name. What is here already is not fetched again,
    /// what another pull is fetching is shared, and what was cut off is resumed.
    /// </summary>
    /// <exception cref="ImageException">Among others: not found, unauthorized, corrupt, unavailable.</exception>
    public Task<StoredImage> PullAsync(ImageReference name, PullOptions pull, IProgress<TransferProgress> progress, CancellationToken stopping) => throw Missing;

    /// <summary>Sends the image of this name to the registry that the name names.</summary>
    public Task<PushResult> PushAsync(ImageReference name, Oci.Distribution.RegistryCredentials credentials, IProgress<TransferProgress> progress, CancellationToken stopping) => throw Missing;

    /// <summary>Takes in an archive as <c>docker save</c> writes it, or an OCI layout as a tar; either may be compressed.</summary>
    /// <returns>The images, in the archive's order.</returns>
    public Task<IReadOnlyList<StoredImage>> LoadAsync(Stream archive, IProgress<TransferProgress> progress, CancellationToken stopping) => throw Missing;

    /// <summary>Writes an archive that is an OCI layout and docker's own form at once.</summary>
    public Task SaveAsync(IReadOnlyList<string> namesOrIds, Stream output, CancellationToken stopping) => throw Missing;

    /// <summary>Makes an image of one layer from a root file system's tar, compressed or not.</summary>
    /// <param name="tar">The root.</param>
    /// <param name="step">Its configuration, history and name; it has neither parent nor layer.</param>
    public Task<StoredImage> ImportAsync(Stream tar, ImageStep step, IProgress<TransferProgress> progress, CancellationToken stopping) => throw Missing;

    /// <summary>Makes an image that is one step further than its parent.</summary>
    public Task<StoredImage> CreateAsync(ImageStep step, CancellationToken stopping) => throw Missing;

    public void Dispose()
    {
    }
}
