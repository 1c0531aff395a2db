using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Godwit.Images.Content;
using Godwit.Images.Tar;
using Godwit.Linux;
using Godwit.Linux.Commands;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Godwit.Oci;

namespace Godwit.Images.Layers;

/// <summary>
/// The root of one container: its image's layers, never written, and over them what the container changed. It is a folder
/// on disk and outlives this process, mounted or not; after a restart <see cref="LayerStore.Find"/> gives it back.
/// <code>
///   containers/ID/container.json   what it is made of; written last, removed first: without it the folder is rubbish
///                 root/            the whole root, while it is mounted
///                 upper/ work/     overlayfs's own; with a size limit below disk/, an ext4 in disk.img
/// </code>
/// </summary>
public sealed class ContainerLayer
{
    internal const string RootName = "root";
    internal const string DiskName = "disk";
    private const string DescriptionName = "container.json";
    private const string DiskFileName = "disk.img";
    private const long SizeLimitBytesMin = 8 << 20;
    private static readonly TimeSpan FormatWithin = TimeSpan.FromMinutes(5);

    private readonly LayerStore store;
    private readonly string folder;
    private readonly ContainerDescription description;
    private readonly Lock gate = new();
    private readonly HashSet<Digest> committed = []; // Made of this root, and perhaps held by no image yet.

    internal ContainerLayer(LayerStore store, string containerId, string folder, ContainerDescription description)
    {
        (this.store, this.folder, this.description) = (store, folder, description);
        ContainerId = containerId;
    }

    public string ContainerId { get; }

    /// <summary>Where the whole root appears while it is mounted.</summary>
    public string RootPath => Path.Combine(folder, RootName);

    /// <summary>The image it was made from, which may have been removed by force since; null for a container without one.</summary>
    public Digest? ImageId => description.Image;

    /// <summary>The most that the container may write; null is as much as the disk holds.</summary>
    public long? SizeLimitBytes => description.SizeLimitBytes;

    public bool IsMounted => Mounts.List().Any(mount => mount.Path == RootPath);

    internal IReadOnlyList<Digest> Layers => description.Layers;

    private string WritablePath => SizeLimitBytes is null ? folder : Path.Combine(folder, DiskName);

    private string UpperPath => Path.Combine(WritablePath, "upper");

    /// <summary>Mounts the root in the mount namespace of this process. Idempotent; to show it to another, unmount it first.</summary>
    /// <param name="seenBy">The user namespace whose ids its files shall have, and whose root shall reach it; null: the ids are those of the disk.</param>
    /// <exception cref="ImageException">The kernel refused, or one of the image's layers is gone.</exception>
    public void Mount(UserNamespace? seenBy = null)
    {
        lock (gate)
        {
            if (IsMounted)
            {
                return;
            }

            try
            {
                MountDisk();
                Directory.CreateDirectory(UpperPath);
                Directory.CreateDirectory(Path.Combine(WritablePath, "work"));
                if (seenBy is null)
                {
                    Mounts.MountOverlay(RootPath, store.TreesOf(Layers), UpperPath, Path.Combine(WritablePath, "work"));
                }
                else
                {
                    MountSeenBy(seenBy);
                }
            }
            catch (LinuxException refusal)
            {
                throw new ImageException(ImageErrorKind.Host, $"The root of container {ContainerId} cannot be mounted.", refusal);
            }
        }
    }

    /// <summary>Idempotent. What still has files open there keeps them until it closes them.</summary>
    public void Unmount()
    {
        lock (gate)
        {
            Mounts.Unmount(RootPath);
            if (SizeLimitBytes is not null)
            {
                Mounts.Unmount(WritablePath);
            }
        }
    }

    /// <summary>Unmounts and deletes all that the container wrote. Idempotent.</summary>
    public void Remove()
    {
        lock (gate)
        {
            Unmount();
            if (Directory.Exists(folder))
            {
                DurableFile.Delete(Path.Combine(folder, DescriptionName));
                using var parent = HeldFolder.Open(Path.GetDirectoryName(folder)!);
                parent.Remove(Encoding.UTF8.GetBytes(ContainerId));
            }

            store.Forget(ContainerId);
        }
    }

    /// <summary>How the root differs from the image's, sorted by path; folders that only hold a change count as modified.</summary>
    public IReadOnlyList<FileChange> Changes()
    {
        using var upper = HeldFolder.Open(UpperPath);
        using var lower = new LowerTree(store.TreesOf(Layers));
        return UpperTree.Changes(upper, lower);
    }

    /// <summary>
    /// The host's path of a regular file in the image itself, whatever the container did to it; null when there is none. This
    /// is how a virtual machine uses a disk or kernel that came as an image: it prepares a root under its own id, unmounts it,
    /// and reads the file where it lies in its layer, never writing it; the root keeps the layer until it is removed.
    /// </summary>
    /// <param name="path">From the image's root, with or without a slash in front. No link in it is followed.</param>
    public string? FindImageFile(string path)
    {
        var plain = TreePath.Normalise(Encoding.UTF8.GetBytes(path), store.Parts.Limits);
        if (plain.Length == 0)
        {
            return null;
        }

        using var lower = new LowerTree(store.TreesOf(Layers));
        var full = lower.Find(plain) is { } tree ? Path.Combine(tree.Path, Encoding.UTF8.GetString(plain)) : null;
        return full is not null && FileIdentity.Find(full) is { Kind: FileKind.Regular } ? full : null;
    }

    /// <summary>Length of the files that the container wrote, in bytes.</summary>
    public long UsageBytes(CancellationToken stopping)
    {
        using var upper = HeldFolder.Open(UpperPath);
        return UpperTree.SizeBytes(upper, stopping);
    }

    /// <summary>
    /// Makes a layer of what the container changed, to be used by <see cref="ImageStep.Layer"/>. The container may run on:
    /// pause it to get one instant. Null when it changed nothing. Until an image holds the layer, this root keeps it.
    /// </summary>
    /// <param name="change">Makes another member of each one; null keeps them as they are.</param>
    public Task<ImageLayer?> CommitAsync(CancellationToken stopping, Func<TarEntry, TarEntry>? change = null) => Task.Run(() => CopyAsync(change, stopping), stopping);

    internal IReadOnlyList<Digest> CommittedLayers()
    {
        lock (gate)
        {
            return [.. committed];
        }
    }

    internal static ContainerDescription? ReadDescription(string folder)
    {
        var path = Path.Combine(folder, DescriptionName);
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), LayerJson.Default.ContainerDescription) : null;
        }
        catch (JsonException damage)
        {
            throw new ImageException(ImageErrorKind.Corrupt, $"{path} cannot be read; it was written whole, so the disk has damaged it.", damage);
        }
    }

    /// <summary>Makes the folders, and with a size limit the disk.</summary>
    internal async Task MakeAsync(CancellationToken stopping)
    {
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateDirectory(RootPath);
        if (SizeLimitBytes is { } limit)
        {
            if (limit < SizeLimitBytesMin)
            {
                throw new ImageException(ImageErrorKind.Invalid, $"A container's size limit is at least {SizeLimitBytesMin} bytes; {limit} are too few for a file system.");
            }

            var disk = Path.Combine(folder, DiskFileName);
            await using (var file = File.Create(disk))
            {
                file.SetLength(limit);
            }

            await new Command("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0", disk) { Bound = FormatWithin }.RunAsync(store.Parts.Time, stopping);
            Directory.CreateDirectory(WritablePath);
        }

        DurableFile.Write(Path.Combine(folder, DescriptionName), JsonSerializer.SerializeToUtf8Bytes(description, LayerJson.Default.ContainerDescription));
    }

    /// <summary>
    /// The store as a whole is shown with the namespace's ids beside the root, and the overlay is made of what is seen there; overlayfs holds what it needs of it
    /// by itself. The work folder is made by whoever mounts, who must therefore be somebody in that namespace.
    /// </summary>
    private void MountSeenBy(UserNamespace owner)
    {
        var shown = Directory.CreateDirectory(Path.Combine(store.ShownPath, ContainerId)).FullName;
        var shownDisk = Directory.CreateDirectory(Path.Combine(store.ShownPath, ContainerId + "-disk")).FullName;
        try
        {
            Mounts.MountAsSeenBy(owner, store.Folder, shown);
            var trees = store.TreesOf(Layers).Select(tree => Path.Combine(shown, Path.GetRelativePath(store.Folder, tree))).ToList();
            var writable = Path.Combine(shown, Path.GetRelativePath(store.Folder, folder));
            if (SizeLimitBytes is not null)
            {
                Mounts.MountAsSeenBy(owner, WritablePath, shownDisk);
                writable = shownDisk;
            }

            UserNamespace.Act(owner.Ids, () =>
            {
                Mounts.MountOverlay(RootPath, trees, Path.Combine(writable, "upper"), Path.Combine(writable, "work"));
                return true;
            });
            foreach (var way in new[] { store.Folder, Path.GetDirectoryName(folder)!, folder })
            {
                Ownership.LetPass(way, owner.Ids);
            }
        }
        finally
        {
            LayerStore.Hide(shown);
            LayerStore.Hide(shownDisk);
        }
    }

    private void MountDisk()
    {
        if (SizeLimitBytes is not null && !Mounts.List().Any(mount => mount.Path == WritablePath))
        {
            new Command("mount", "-t", "ext4", "-o", "loop,nosuid,nodev", Path.Combine(folder, DiskFileName), WritablePath).RunAsync(store.Parts.Time, CancellationToken.None).GetAwaiter().GetResult();
        }
    }

    private async Task<ImageLayer?> CopyAsync(Func<TarEntry, TarEntry>? change, CancellationToken stopping)
    {
        using var upper = HeldFolder.Open(UpperPath);
        if (upper.List().Count == 0)
        {
            return null;
        }

        var ring = new BufferRing();
        var packing = Task.Factory.StartNew(() => Pack(upper, ring, change, stopping), stopping, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            using var lease = store.Parts.Pins.Begin();
            var layer = await store.Parts.Unpacker.UnpackAsync(ring.Reader, Compression.None, expected: null, lease, stopping);
            Keep(layer.DiffId);
            return new ImageLayer(layer.DiffId, layer.SizeBytes, Blob: null);
        }
        finally
        {
            ring.Abandon();
            await packing;
        }
    }

    private static void Pack(HeldFolder upper, BufferRing ring, Func<TarEntry, TarEntry>? change, CancellationToken stopping)
    {
        try
        {
            var writer = ring.Writer;
            var tar = new TarWriter(writer);
            TreePacker.Pack(upper, tar, new PackOptions { IsLayer = true, Change = change }, stopping);
            tar.End();
            writer.Flush();
            ring.Finish(null);
        }
        catch (Exception reason)
        {
            ring.Finish(reason);
        }
    }

    private void Keep(Digest layer)
    {
        lock (gate)
        {
            committed.Add(layer);
        }
    }
}

/// <summary>What a container's root is made of.</summary>
internal sealed record ContainerDescription
{
    public Digest? Image { get; init; }

    /// <summary>From the bottom up.</summary>
    public required IReadOnlyList<Digest> Layers { get; init; }

    public long? SizeLimitBytes { get; init; }
}
