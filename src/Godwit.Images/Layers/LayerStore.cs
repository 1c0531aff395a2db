namespace Godwit.Images.Layers;

/// <summary>The unpacked layers of this host, each of them once, and the roots of its containers.</summary>
public sealed class LayerStore
{
    private static NotSupportedException Missing => new("The layer store is not built yet.");

    /// <summary>
    /// Makes the root of a new container and mounts it. What runtimes mount over (<c>/proc</c>, <c>/sys</c>, <c>/dev</c>,
    /// <c>/etc/hosts</c>, <c>/etc/hostname</c>, <c>/etc/resolv.conf</c>) is there even if the image lacks it, and is no change.
    /// </summary>
    /// <param name="image">Null for an empty root.</param>
    /// <param name="containerId">Hexadecimal digits or letters; a folder is named after it.</param>
    /// <param name="sizeLimitBytes">The most that the container may write; null is as much as the disk holds.</param>
    /// <exception cref="ImageException">A root of that id exists, a layer is gone, or the host refused.</exception>
    public Task<ContainerLayer> PrepareAsync(StoredImage? image, string containerId, long? sizeLimitBytes, CancellationToken stopping) => throw Missing;

    /// <summary>The root of that container; null when there is none.</summary>
    public ContainerLayer? Find(string containerId) => throw Missing;

    public IReadOnlyList<ContainerLayer> List() => throw Missing;
}
