using System.Collections.Concurrent;
using Godwit.Base;
using Godwit.Containers;
using Godwit.Images;
using Godwit.Oci;
using Godwit.Oci.Distribution;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Pulling;

/// <summary>An image cannot be had now.</summary>
/// <param name="reason">Why, as Kubernetes says it.</param>
internal sealed class ImageUnavailableException(string reason, string message, Exception? cause = null) : Exception(message, cause)
{
    public string Reason { get; } = reason;
}

/// <summary>
/// The images of this node, for pods and for guests alike: from its store, from archives that an operator has laid into a folder (as <c>docker save</c> makes
/// them), and from registries, in this order, as the pull policy allows. The store is opened when it is first needed, and one process has it.
/// </summary>
internal sealed partial class NodeImages(AgentOptions options, TimeProvider time, ILoggerFactory loggers) : IDisposable
{
    private readonly ILogger logger = loggers.CreateLogger<NodeImages>();
    private readonly ConcurrentDictionary<string, DateTime> loaded = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (DateTime Changed, Digest Image)> layouts = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim loading = new(1, 1);
    private readonly Lock opening = new();
    private ImageStore? store;
    private bool closed;

    /// <summary>The folder of all that pods have on a node, below the agent's data folder.</summary>
    public static string HomeOf(string dataFolder) => Path.Combine(dataFolder, "pods");

    /// <summary>Of the container engine that runs pods.</summary>
    public static string EngineFolderOf(string dataFolder) => Path.Combine(HomeOf(dataFolder), "engine");

    public static string StoreFolderOf(string dataFolder) => Path.Combine(HomeOf(dataFolder), "images");

    /// <summary>Where archives of images lie that this node may use without a registry.</summary>
    public static string ArchivesFolder(string imagesFolder) => Path.Combine(imagesFolder, "containers");

    /// <summary>What is here already.</summary>
    /// <exception cref="ImageException">Another process has it, or it cannot be read.</exception>
    public ImageStore Store
    {
        get
        {
            lock (opening)
            {
                ObjectDisposedException.ThrowIf(closed, this);
                return store ??= Open();
            }
        }
    }

    public void Dispose()
    {
        lock (opening)
        {
            closed = true;
            store?.Dispose();
        }

        loading.Dispose();
    }

    /// <summary>An image by its name.</summary>
    /// <param name="image">As it was asked for.</param>
    /// <param name="policy"><c>Always</c>, <c>IfNotPresent</c> or <c>Never</c>; null: the first for the tag <c>latest</c>, else the second.</param>
    /// <param name="findCredentials">Asked only when a registry is.</param>
    /// <exception cref="ImageUnavailableException">It cannot be had now.</exception>
    /// <exception cref="ImageException">The node's store cannot be opened.</exception>
    public async Task<StoredImage> EnsureAsync(
        string? image, string? policy, Func<ImageReference, CancellationToken, Task<RegistryCredentials>> findCredentials, CancellationToken stopping)
    {
        var there = Store;
        ImageReference reference;
        try
        {
            reference = there.ParseReference(image ?? "").WithDefaultTag();
        }
        catch (Exception wrong) when (wrong is ImageException or OciException or FormatException)
        {
            throw new ImageUnavailableException("InvalidImageName", $"Failed to apply default image tag \"{image}\": {wrong.Message}", wrong);
        }

        policy ??= reference is { Tag: ImageReference.DefaultTag, Digest: null } ? "Always" : "IfNotPresent";
        await LoadArchivesAsync(stopping);
        var present = there.Find(reference.ToString());
        if (present is not null && policy != "Always")
        {
            return present;
        }

        if (policy == "Never")
        {
            throw new ImageUnavailableException("ErrImageNeverPull", $"Container image \"{image}\" is not present with pull policy of Never");
        }

        try
        {
            return await there.PullAsync(reference, new PullOptions { Credentials = await findCredentials(reference, stopping) }, new Progress<TransferProgress>(), stopping);
        }
        catch (Exception failure) when (failure is ImageException or OciException or HttpRequestException or IOException or RegistryException)
        {
            throw new ImageUnavailableException("ErrImagePull", $"Failed to pull image \"{image}\": {ErrorChain.Describe(failure)}", failure);
        }
    }

    /// <summary>The image of an OCI layout that lies in a folder. It is read again when its index has changed.</summary>
    /// <exception cref="ImageUnavailableException">It is no such layout, or holds another number of images than one.</exception>
    public async Task<StoredImage> LoadLayoutAsync(string folder, CancellationToken stopping)
    {
        await loading.WaitAsync(stopping);
        try
        {
            var changed = File.GetLastWriteTimeUtc(Path.Combine(folder, "index.json"));
            if (layouts.TryGetValue(folder, out var known) && known.Changed == changed && Store.Find(known.Image.ToString()) is { } there)
            {
                return there;
            }

            var images = await Store.LoadLayoutAsync(folder, new Progress<TransferProgress>(), stopping);
            if (images.Count != 1)
            {
                throw new ImageUnavailableException("InvalidImage", $"The OCI layout {folder} holds {images.Count} images for Linux; which one is meant is said by there being one");
            }

            layouts[folder] = (changed, images[0].Id);
            return images[0];
        }
        catch (Exception failure) when (failure is ImageException or OciException or IOException or Linux.LinuxException)
        {
            throw new ImageUnavailableException("InvalidImage", $"The OCI layout {folder} cannot be used: {ErrorChain.Describe(failure)}", failure);
        }
        finally
        {
            loading.Release();
        }
    }

    private ImageStore Open()
    {
        Directory.CreateDirectory(HomeOf(options.DataFolder), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        DataFormat.Require(EngineFolderOf(options.DataFolder)); // The store would tidy up first.
        return ImageStore.Open(new ImageStoreOptions { Folder = StoreFolderOf(options.DataFolder) }, time, loggers.CreateLogger<ImageStore>());
    }

    /// <summary>Loads the archives that are new or have changed. One that cannot be read is told of once, and costs the others nothing.</summary>
    private async Task LoadArchivesAsync(CancellationToken stopping)
    {
        var archives = ArchivesFolder(options.ImagesFolder);
        if (!Directory.Exists(archives))
        {
            return;
        }

        await loading.WaitAsync(stopping);
        try
        {
            foreach (var path in Directory.EnumerateFiles(archives, "*.tar").Order(StringComparer.Ordinal))
            {
                var changed = File.GetLastWriteTimeUtc(path);
                if (loaded.TryGetValue(path, out var before) && before == changed)
                {
                    continue;
                }

                try
                {
                    await using var archive = File.OpenRead(path);
                    await Store.LoadAsync(archive, new Progress<TransferProgress>(), stopping);
                }
                catch (Exception failure) when (failure is ImageException or OciException or IOException)
                {
                    Log.NotLoaded(logger, path, ErrorChain.Describe(failure));
                }

                loaded[path] = changed;
            }
        }
        finally
        {
            loading.Release();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2501, Level = LogLevel.Warning, Message = "The image archive {Path} could not be loaded: {Reason}")]
        public static partial void NotLoaded(ILogger logger, string path, string reason);
    }
}
