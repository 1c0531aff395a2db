using System.Collections.Concurrent;
using System.Text;
using Godwit.Images.Content;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Images.Layers;

/// <summary>The unpacked layers of this host, each of them once, and the roots of its containers.</summary>
public sealed class LayerStore
{
    private const int IdLengthMax = 128;
    private static readonly string[] MountTargets = ["dev/pts", "dev/shm", "proc", "sys", "etc"];
    private static readonly string[] MountTargetFiles = ["dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf"];

    private readonly string containers;
    private readonly ConcurrentDictionary<string, ContainerLayer> roots = new(StringComparer.Ordinal);
    private readonly Func<ImageLayer, CancellationToken, Task> restore;

    /// <param name="folder">The store's folder.</param>
    /// <param name="restore">Unpacks a layer again from its blob.</param>
    internal LayerStore(string folder, LayerParts parts, Func<ImageLayer, CancellationToken, Task> restore)
    {
        (Parts, this.restore) = (parts, restore);
        Folder = folder;
        containers = Path.Combine(folder, "containers");
        FoundationPath = Path.Combine(folder, "foundation");
        ShownPath = Path.Combine(folder, "shown");
        Directory.CreateDirectory(ShownPath);
        foreach (var left in Directory.EnumerateDirectories(ShownPath))
        {
            Hide(left);
        }

        Directory.CreateDirectory(containers);
        MakeFoundation();
        foreach (var found in Directory.EnumerateDirectories(containers))
        {
            Adopt(found);
        }
    }

    /// <summary>Where the store is shown with other ids, for as long as an overlay of it is mounted. Apart from the roots: what removes a root must never meet it.</summary>
    internal string ShownPath { get; }

    /// <summary>Above all layers and roots.</summary>
    internal string Folder { get; }

    internal LayerParts Parts { get; }

    /// <summary>
    /// The lowest layer of every root: the places that runtimes mount over, empty. Below the image's own layers, it shows
    /// only where the image has nothing; above them it would hide what the image has.
    /// </summary>
    internal string FoundationPath { get; }

    /// <summary>
    /// Makes the root of a new container and mounts it. What runtimes mount over (<c>/proc</c>, <c>/sys</c>, <c>/dev</c>,
    /// <c>/etc/hosts</c>, <c>/etc/hostname</c>, <c>/etc/resolv.conf</c>) is there even if the image lacks it, and is no change.
    /// </summary>
    /// <param name="image">Null for an empty root.</param>
    /// <param name="containerId">Letters and digits; a folder is named after it.</param>
    /// <param name="sizeLimitBytes">The most that the container may write; null is as much as the disk holds.</param>
    /// <exception cref="ImageException">A root of that id exists, a layer is gone, or the host refused.</exception>
    public async Task<ContainerLayer> PrepareAsync(StoredImage? image, string containerId, long? sizeLimitBytes, CancellationToken stopping)
    {
        if (containerId.Length is 0 or > IdLengthMax || !containerId.All(char.IsAsciiLetterOrDigit))
        {
            throw new ImageException(ImageErrorKind.Invalid, "A container's id consists of letters and digits.");
        }

        using var lease = Parts.Pins.Begin();
        foreach (var layer in image?.Layers ?? [])
        {
            lease.Pin(layer.DiffId);
            if (Parts.Unpacked.Find(layer.DiffId) is null)
            {
                await restore(layer, stopping);
            }
        }

        var description = new ContainerDescription { Image = image?.Id, Layers = [.. image?.Layers.Select(layer => layer.DiffId) ?? []], SizeLimitBytes = sizeLimitBytes };
        var root = new ContainerLayer(this, containerId, Path.Combine(containers, containerId), description);
        if (!roots.TryAdd(containerId, root))
        {
            throw new ImageException(ImageErrorKind.Conflict, $"There is a root of the container {containerId} already.");
        }

        try
        {
            await root.MakeAsync(stopping);
            root.Mount();
            return root;
        }
        catch
        {
            root.Remove();
            throw;
        }
    }

    /// <summary>An image's files for reading; its layers stay until what is returned is disposed of.</summary>
    /// <exception cref="ImageException">A layer is gone.</exception>
    public async Task<HeldImage> HoldAsync(StoredImage image, CancellationToken stopping)
    {
        var lease = Parts.Pins.Begin();
        try
        {
            foreach (var layer in image.Layers)
            {
                lease.Pin(layer.DiffId);
                if (Parts.Unpacked.Find(layer.DiffId) is null)
                {
                    await restore(layer, stopping);
                }
            }

            // What runtimes mount over is no file of the image.
            return new HeldImage([.. TreesOf(image.Layers.Select(layer => layer.DiffId)).Where(tree => tree != FoundationPath)], lease, Parts.Limits);
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }

    /// <summary>The root of that container; null when there is none.</summary>
    public ContainerLayer? Find(string containerId) => roots.GetValueOrDefault(containerId);

    public IReadOnlyList<ContainerLayer> List() => [.. roots.Values.OrderBy(root => root.ContainerId, StringComparer.Ordinal)];

    /// <summary>Takes a showing away.</summary>
    internal static void Hide(string path)
    {
        Mounts.Unmount(path);
        Directory.Delete(path); // Empty, or still mounted on: then this fails, and nothing below is touched.
    }

    internal void Forget(string containerId) => roots.TryRemove(containerId, out _);

    /// <summary>The trees to mount below a container's own, the highest first.</summary>
    /// <exception cref="ImageException">One of them is gone.</exception>
    internal IReadOnlyList<string> TreesOf(IEnumerable<Digest> layers)
    {
        var trees = new List<string>();
        foreach (var layer in layers.Reverse())
        {
            var found = Parts.Unpacked.Find(layer) ?? throw new ImageException(ImageErrorKind.NotFound, $"The layer {layer} is not on this host any more: pull or load its image again.");
            trees.Add(found.FilesPath);
            using var tree = HeldFolder.Open(found.FilesPath);
            if (tree.GetAttribute(default, "trusted.overlay.opaque"u8) is not null)
            {
                return trees; // It hides all below it; overlayfs looks at this mark in folders, but not at the root.
            }
        }

        trees.Add(FoundationPath);
        return trees;
    }

    private void MakeFoundation()
    {
        const UnixFileMode readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        Directory.CreateDirectory(FoundationPath);
        File.SetUnixFileMode(FoundationPath, readable);
        foreach (var target in MountTargets)
        {
            Directory.CreateDirectory(Path.Combine(FoundationPath, target));
            File.SetUnixFileMode(Path.Combine(FoundationPath, target), readable);
        }

        foreach (var target in MountTargetFiles)
        {
            using var made = File.Open(Path.Combine(FoundationPath, target), FileMode.OpenOrCreate);
        }

        File.SetUnixFileMode(Path.Combine(FoundationPath, "dev"), readable);
    }

    private void Adopt(string folder)
    {
        var id = Path.GetFileName(folder);
        var description = ContainerLayer.ReadDescription(folder);
        if (description is null)
        {
            // It was being made, or removed, when we ended.
            Mounts.Unmount(Path.Combine(folder, ContainerLayer.RootName));
            Mounts.Unmount(Path.Combine(folder, ContainerLayer.DiskName));
            using var parent = HeldFolder.Open(containers);
            parent.Remove(Encoding.UTF8.GetBytes(id));
            return;
        }

        roots[id] = new ContainerLayer(this, id, folder, description);
    }
}

/// <summary>What the layer store and the roots in it work with.</summary>
internal sealed record LayerParts(ContentPins Pins, UnpackedLayers Unpacked, LayerUnpacker Unpacker, Tar.UnpackLimits Limits, TimeProvider Time);
