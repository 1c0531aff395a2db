using Godwit.Linux;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Images.Tar;

/// <summary>
/// Makes a tree of a tar. Everything below happens relative to one held folder that the kernel does not let us leave
/// (<see cref="HeldFolder"/>): a member's folder is resolved inside it, and its last name is never followed.
/// <para>As a layer, the tree gets overlayfs's marks instead of the archive's:</para>
/// <code>
///   etc/.wh.motd        ->  etc/motd   a character device 0:0: the name is gone
///   etc/.wh..wh..opq    ->  etc/       trusted.overlay.opaque=y: all that was below is gone
/// </code>
/// A mark speaks of the layers below only: what this layer itself has under that name stays, and a folder that has both is opaque.
/// </summary>
public sealed class TreeUnpacker
{
    private const uint ImplicitFolderMode = 0x1ed; // 0755

    private readonly HeldFolder root;
    private readonly TarReader tar;
    private readonly UnpackOptions options;
    private readonly FileContents contents;
    private readonly List<(byte[] Path, FileTime Time)> folderTimes = [];
    private byte[]? parentPath;
    private HeldFolder? parent;
    private int entries;
    private int devicesLeftOut;
    private long sizeBytes;

    private TreeUnpacker(HeldFolder root, Stream tar, UnpackOptions options)
    {
        this.root = root;
        this.options = options;
        this.tar = new TarReader(tar);
        contents = new FileContents(this.tar, options.IsLayer);
    }

    /// <summary>Unpacks to the end of the archive. What was made before an error stays: the caller throws the whole tree away, or lives with it.</summary>
    /// <param name="tar">Not compressed.</param>
    /// <param name="root">Where to; nothing outside is read or written, even while somebody else changes the tree.</param>
    /// <exception cref="ImageException">The archive is broken, hostile or too large (<see cref="ImageErrorKind.Corrupt"/>), or the disk is full (<see cref="ImageErrorKind.Host"/>).</exception>
    public static UnpackResult Unpack(Stream tar, HeldFolder root, UnpackOptions options, CancellationToken stopping)
    {
        var unpacker = new TreeUnpacker(root, tar, options);
        try
        {
            return unpacker.Run(stopping);
        }
        catch (Exception refusal) when (FullDisk.IsCauseOf(refusal))
        {
            throw new ImageException(ImageErrorKind.Host, $"There is no room on the disk to unpack into {root.Path}: make room and try again.", refusal);
        }
        finally
        {
            unpacker.parent?.Dispose();
        }
    }

    private UnpackResult Run(CancellationToken stopping)
    {
        while (tar.Next() is { } entry)
        {
            stopping.ThrowIfCancellationRequested();
            if (++entries > options.Limits.EntriesMax)
            {
                throw TarReader.Corrupt($"it has more than {options.Limits.EntriesMax} members");
            }

            sizeBytes += entry.SizeBytes;
            if (entry.SizeBytes > options.Limits.TotalBytesMax || sizeBytes > options.Limits.TotalBytesMax)
            {
                throw TarReader.Corrupt($"its files have more than {options.Limits.TotalBytesMax} bytes");
            }

            try
            {
                Take(entry, stopping);
            }
            catch (LinuxException refusal) when (!FullDisk.IsCauseOf(refusal))
            {
                throw new ImageException(ImageErrorKind.Corrupt, $"The archive's member '{TreePath.Show(entry.Name)}' cannot be unpacked into {root.Path}.", refusal);
            }
        }

        // Last, because every file made in a folder changes the folder's time.
        foreach (var (path, time) in folderTimes)
        {
            using var folder = root.OpenBeneath(path); // Gone when a later member took its place.
            folder?.SetTime(default, time);
        }

        return new UnpackResult(entries, sizeBytes, devicesLeftOut);
    }

    private void Take(TarEntry entry, CancellationToken stopping)
    {
        var path = TreePath.Normalise(entry.Name, options.Limits);
        if (path.Length == 0)
        {
            if (entry.Kind is TarKind.Folder)
            {
                Finish(root, default, entry, path);
            }

            return;
        }

        var (folderPath, last) = TreePath.Split(path);
        var name = last.Span;
        var folder = EnterFolder(folderPath);
        if (options.IsLayer && name.StartsWith(".wh."u8))
        {
            TakeMark(folder, name);
            return;
        }

        if (entry.Kind is TarKind.File)
        {
            TakeFile(folder, name, entry, stopping);
            return;
        }

        var wasGone = MakeWay(folder, name, entry);
        if (!Make(folder, name, entry))
        {
            return;
        }

        if (wasGone && entry.Kind is TarKind.Folder)
        {
            using var made = folder.OpenFolder(name);
            MarkOpaque(made!);
        }

        Finish(folder, name, entry, path);
    }

    /// <summary>The member's folder. It stays open for the members after it, which mostly are its neighbours.</summary>
    private HeldFolder EnterFolder(ReadOnlyMemory<byte> path)
    {
        if (parent is null || !path.Span.SequenceEqual(parentPath))
        {
            parent?.Dispose();
            parent = null;
            parent = root.OpenBeneath(path.Span) ?? MakeFolders(path);
            parentPath = path.ToArray();
        }

        return parent;
    }

    /// <summary>Makes the folders that the archive takes for granted, as root's and open to be read.</summary>
    private HeldFolder MakeFolders(ReadOnlyMemory<byte> path)
    {
        var current = root.OpenBeneath(default) ?? throw TarReader.Corrupt("its root is gone");
        for (int at = 0, end; at < path.Length; at = end + 1)
        {
            end = path.Span[at..].IndexOf((byte)'/') is >= 0 and var slash ? at + slash : path.Length;
            var next = root.OpenBeneath(path.Span[..end]) ?? MakeFolder(current, path.Span[at..end]);
            current.Dispose();
            current = next;
        }

        return current;
    }

    private HeldFolder MakeFolder(HeldFolder folder, ReadOnlySpan<byte> name)
    {
        var present = folder.Find(name);
        if (present is { IsWhiteout: true } && options.IsLayer)
        {
            folder.Remove(name);
        }
        else if (present is not null)
        {
            throw TarReader.Corrupt($"'{TreePath.Show(name)}' is used as a folder, but is none");
        }

        folder.MakeFolder(name);
        folder.SetMode(name, ImplicitFolderMode);
        var made = folder.OpenFolder(name) ?? throw TarReader.Corrupt("a folder vanished while it was written");
        if (present is not null)
        {
            MarkOpaque(made);
        }

        return made;
    }

    /// <summary>
    /// Most members are files, and mostly their names are free: so the name is looked at only when it is taken, and all else goes through the open file. That is
    /// seven system calls a file instead of eleven, and what is set is set on the file that was made, whatever its name leads to by then.
    /// </summary>
    private void TakeFile(HeldFolder folder, ReadOnlySpan<byte> name, TarEntry entry, CancellationToken stopping)
    {
        var made = folder.TryCreateFile(name);
        if (made is null)
        {
            MakeWay(folder, name, entry);
            made = folder.TryCreateFile(name) ?? throw TarReader.Corrupt($"somebody else makes '{TreePath.Show(entry.Name)}' at the same time");
        }

        using var file = made;
        contents.Write(file, entry, stopping);
        var (userId, groupId) = OwnerOf(entry);
        HeldFolder.SetOwnerAndMode(file, userId, groupId, entry.Mode);
        SetAttributes(folder, name, entry);
        HeldFolder.SetTime(file, entry.Modified);
    }

    /// <summary>Makes the thing itself, which is no file; false where it was left out.</summary>
    private bool Make(HeldFolder folder, ReadOnlySpan<byte> name, TarEntry entry)
    {
        switch (entry.Kind)
        {
            case TarKind.Folder:
                if (folder.Find(name) is null)
                {
                    folder.MakeFolder(name);
                }

                return true;
            case TarKind.SymbolicLink:
                if (entry.LinkTarget.Length is 0 or > 4095 || entry.LinkTarget.AsSpan().Contains((byte)0))
                {
                    throw TarReader.Corrupt($"the link '{TreePath.Show(entry.Name)}' leads nowhere");
                }

                folder.MakeSymbolicLink(name, entry.LinkTarget); // Where to does not matter: nobody here follows it out of its root.
                return true;
            case TarKind.HardLink:
                MakeHardLink(folder, name, entry);
                return false; // Its owner, mode and time are its first name's.
            case TarKind.Pipe:
                folder.MakeNode(name, FileKind.Pipe);
                return true;
            default:
                if (options.Devices is DevicePolicy.None || !HarmlessDevices.Has(entry.Kind, entry.DeviceMajor, entry.DeviceMinor))
                {
                    devicesLeftOut++;
                    return false;
                }

                folder.MakeNode(name, FileKind.CharacterDevice, entry.DeviceMajor, entry.DeviceMinor);
                return true;
        }
    }

    private void MakeHardLink(HeldFolder folder, ReadOnlySpan<byte> name, TarEntry entry)
    {
        var (targetFolder, targetName) = TreePath.Split(TreePath.Normalise(entry.LinkTarget, options.Limits));
        if (targetName.IsEmpty)
        {
            throw TarReader.Corrupt($"the hard link '{TreePath.Show(entry.Name)}' leads nowhere");
        }

        using var target = root.OpenBeneath(targetFolder.Span);
        if (target?.Find(targetName.Span) is not { Kind: not FileKind.Folder } found || found.IsWhiteout)
        {
            throw TarReader.Corrupt($"the hard link '{TreePath.Show(entry.Name)}' leads to '{TreePath.Show(entry.LinkTarget)}', which is no file of this archive");
        }

        folder.MakeHardLink(name, target, targetName.Span);
    }

    /// <summary>A layer's mark that a name, or all in a folder, is gone from the layers below.</summary>
    private static void TakeMark(HeldFolder folder, ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual(".wh..wh..opq"u8))
        {
            MarkOpaque(folder);
            return;
        }

        if (name.StartsWith(".wh..wh."u8))
        {
            return; // What AUFS kept for itself.
        }

        var gone = name[4..];
        if (gone.IsEmpty || gone.SequenceEqual("."u8) || gone.SequenceEqual(".."u8))
        {
            throw TarReader.Corrupt($"the mark '{TreePath.Show(name)}' removes no name");
        }

        switch (folder.Find(gone))
        {
            case null:
                folder.MakeWhiteout(gone);
                break;
            case { Kind: FileKind.Folder }:
                using (var present = folder.OpenFolder(gone))
                {
                    MarkOpaque(present!);
                }

                break;
        }
    }

    private static void MarkOpaque(HeldFolder folder)
    {
        if (!folder.TrySetAttribute(default, "trusted.overlay.opaque"u8, "y"u8))
        {
            throw new ImageException(ImageErrorKind.Host, $"The file system of {folder.Path} takes no trusted attributes, or this is not root; overlayfs needs them.");
        }
    }

    /// <summary>Clears the name for a new member; true when it was marked as gone.</summary>
    private bool MakeWay(HeldFolder folder, ReadOnlySpan<byte> name, TarEntry entry)
    {
        if (folder.Find(name) is not { } present)
        {
            return false;
        }

        var stays = present.Kind is FileKind.Folder && entry.Kind is TarKind.Folder;
        if (!stays && options.KeepKinds && (present.Kind is FileKind.Folder || entry.Kind is TarKind.Folder))
        {
            throw new ImageException(ImageErrorKind.Invalid, $"'{TreePath.Show(entry.Name)}' would replace {(present.Kind is FileKind.Folder ? "a folder with something else" : "something else with a folder")}.");
        }

        if (!stays)
        {
            folder.Remove(name);
        }

        return options.IsLayer && present.IsWhiteout;
    }

    private void Finish(HeldFolder folder, ReadOnlySpan<byte> name, TarEntry entry, byte[] path)
    {
        var (userId, groupId) = OwnerOf(entry);
        folder.SetOwner(name, userId, groupId);
        if (entry.Kind is not TarKind.SymbolicLink)
        {
            folder.SetMode(name, entry.Mode); // After the owner, whose change clears set-user-id.
        }

        SetAttributes(folder, name, entry);
        if (entry.Kind is TarKind.Folder)
        {
            folderTimes.Add((path, entry.Modified));
        }
        else
        {
            folder.SetTime(name, entry.Modified);
        }
    }

    private static void SetAttributes(HeldFolder folder, ReadOnlySpan<byte> name, TarEntry entry)
    {
        foreach (var attribute in entry.Attributes)
        {
            if (IsTaken(attribute.Name))
            {
                _ = folder.TrySetAttribute(name, attribute.Name, attribute.Value);
            }
        }
    }

    private (uint UserId, uint GroupId) OwnerOf(TarEntry entry)
    {
        var (userId, groupId) = options.Owner ?? (entry.UserId, entry.GroupId);
        return options.Ids is { } ids ? Behind(ids, userId, groupId, entry) : (userId, groupId);
    }

    private static (uint UserId, uint GroupId) Behind(IdMap ids, uint userId, uint groupId, TarEntry entry) => userId < ids.Count && groupId < ids.Count
        ? (ids.UserOnHost(userId), ids.GroupOnHost(groupId))
        : throw new ImageException(ImageErrorKind.Invalid, $"'{TreePath.Show(entry.Name)}' belongs to {userId}:{groupId}, and the container knows only the ids below {ids.Count}.");

    /// <summary>Not overlayfs's own (<c>trusted.</c>), with which a layer could show what is elsewhere, nor the host's security labels.</summary>
    internal static bool IsTaken(ReadOnlySpan<byte> attribute) =>
        attribute.StartsWith("user."u8) || attribute.SequenceEqual("security.capability"u8)
        || attribute.SequenceEqual("system.posix_acl_access"u8) || attribute.SequenceEqual("system.posix_acl_default"u8);
}
