using Godwit.Oci;

namespace Godwit.Images.Layers;

/// <summary>
/// The root of one container: its image's layers, never written, and over them what the container changed. It is a folder
/// on disk and outlives this process, mounted or not; after a restart <see cref="LayerStore.Find"/> gives it back.
/// </summary>
public sealed class ContainerLayer
{
    private static NotSupportedException Missing => new("Container layers are not built yet.");

    internal ContainerLayer(string containerId, string rootPath)
    {
        ContainerId = containerId;
        RootPath = rootPath;
    }

    public string ContainerId { get; }

    /// <summary>Where the whole root appears while it is mounted.</summary>
    public string RootPath { get; }

    /// <summary>The image it was made from, which may have been removed by force since; null for a container without one.</summary>
    public Digest? ImageId { get; init; }

    /// <summary>The most that the container may write; null is as much as the disk holds.</summary>
    public long? SizeLimitBytes { get; init; }

    public bool IsMounted => throw Missing;

    /// <summary>Mounts the root in the mount namespace of this process. Idempotent.</summary>
    /// <exception cref="ImageException">The kernel refused, or one of the image's layers is gone.</exception>
    public void Mount() => throw Missing;

    /// <summary>Idempotent. What still has files open there keeps them until it closes them.</summary>
    public void Unmount() => throw Missing;

    /// <summary>Unmounts and deletes all that the container wrote. Idempotent.</summary>
    public void Remove() => throw Missing;

    /// <summary>How the root differs from the image's, sorted by path; folders that only hold a change count as modified.</summary>
    public IReadOnlyList<FileChange> Changes() => throw Missing;

    /// <summary>Length of the files that the container wrote, in bytes.</summary>
    public long UsageBytes(CancellationToken stopping) => throw Missing;

    /// <summary>
    /// Makes a layer of what the container changed, to be used by <see cref="ImageStep.Layer"/>. The container may run on:
    /// pause it to get one instant. Null when it changed nothing.
    /// </summary>
    public Task<ImageLayer?> CommitAsync(CancellationToken stopping) => throw Missing;
}
