using Godwit.Linux.Native;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Linux.Files;

/// <summary>Making, linking and removing.</summary>
public sealed unsafe partial class HeldFolder
{
    private const uint WhileMaking = 0x180; // 0600: until its owner is set, nobody else may open it.
    private const uint FolderWhileMaking = 0x1c0; // 0700
    private const int RemoveFolderFlag = 0x200; // AT_REMOVEDIR
    private const int RemovalDepthMax = 4096;

    /// <summary>Makes a new regular file, for the caller alone, to be written. Its name must be free.</summary>
    public SafeFileHandle CreateFile(ReadOnlySpan<byte> name) => TryCreateFile(name) ?? throw new LinuxException($"make {Join(name)}", Errno.EEXIST);

    /// <summary>Makes a new regular file, for the caller alone, to be written; null when its name is taken.</summary>
    public SafeFileHandle? TryCreateFile(ReadOnlySpan<byte> name)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        Close(name, closed, NameBytesMax);
        var value = LibC.OpenAt(descriptor.Value, closed, OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_NOFOLLOW | OpenFlags.O_CLOEXEC, WhileMaking);
        return value >= 0 ? new SafeFileHandle(value, ownsHandle: true)
            : LastError is Errno.EEXIST ? null
            : throw LinuxException.FromLastCall($"make {Join(name)}");
    }

    /// <summary>Makes a folder, for the caller alone. Its name must be free.</summary>
    public void MakeFolder(ReadOnlySpan<byte> name)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        Close(name, closed, NameBytesMax);
        Check(LibC.MakeFolderAt(descriptor.Value, closed, FolderWhileMaking), "make folder", name);
    }

    /// <summary>Makes a symbolic link; where it leads is not looked at.</summary>
    public void MakeSymbolicLink(ReadOnlySpan<byte> name, ReadOnlySpan<byte> target)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        Close(name, closed, NameBytesMax);
        var closedTarget = stackalloc byte[PathBytesMax + 1];
        Close(target, closedTarget, PathBytesMax);
        Check(LibC.SymbolicLinkAt(closedTarget, descriptor.Value, closed), "make link", name);
    }

    /// <summary>Gives a file (no folder; a link is linked itself) one more name.</summary>
    public void MakeHardLink(ReadOnlySpan<byte> name, HeldFolder existingFolder, ReadOnlySpan<byte> existingName)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        Close(name, closed, NameBytesMax);
        var closedExisting = stackalloc byte[NameBytesMax + 1];
        Close(existingName, closedExisting, NameBytesMax);
        Check(LibC.LinkAt(existingFolder.descriptor.Value, closedExisting, descriptor.Value, closed, 0), $"link {existingFolder.Join(existingName)} as", name);
    }

    /// <summary>Makes a pipe, a socket's name, or a device.</summary>
    public void MakeNode(ReadOnlySpan<byte> name, FileKind kind, uint major = 0, uint minor = 0)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        Close(name, closed, NameBytesMax);
        uint type = kind switch
        {
            FileKind.Pipe => 0x1000,
            FileKind.CharacterDevice => 0x2000,
            FileKind.BlockDevice => 0x6000,
            FileKind.Socket => 0xc000,
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Only pipes, sockets and devices are nodes."),
        };

        // glibc's and musl's dev_t: the minor's low byte, the major's low twelve bits, then the rest of both.
        var device = (minor & 0xffUL) | ((major & 0xfffUL) << 8) | ((minor & ~0xffUL) << 12) | ((major & ~0xfffUL) << 32);
        Check(LibC.MakeNodeAt(descriptor.Value, closed, type | WhileMaking, device), $"make {kind}", name);
    }

    /// <summary>Marks the name as gone for overlayfs.</summary>
    public void MakeWhiteout(ReadOnlySpan<byte> name) => MakeNode(name, FileKind.CharacterDevice);

    /// <summary>Takes a name away, with all that is below it; links are not followed. Idempotent.</summary>
    public void Remove(ReadOnlySpan<byte> name) => Remove(name, RemovalDepthMax);

    /// <summary>Gives what has this name another one in another folder of the same file system, in place of what has it.</summary>
    public void Rename(ReadOnlySpan<byte> name, HeldFolder newFolder, ReadOnlySpan<byte> newName)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        Close(name, closed, NameBytesMax);
        var closedNew = stackalloc byte[NameBytesMax + 1];
        Close(newName, closedNew, NameBytesMax);
        Check(LibC.RenameAt(descriptor.Value, closed, newFolder.descriptor.Value, closedNew), $"rename to {newFolder.Join(newName)}", name);
    }

    private void Remove(ReadOnlySpan<byte> name, int depthLeft)
    {
        if (TryUnlink(name, 0) || TryUnlink(name, RemoveFolderFlag))
        {
            return;
        }

        if (depthLeft == 0)
        {
            throw new LinuxException($"remove {Join(name)}", Errno.ELOOP, $"its folders are more than {RemovalDepthMax} deep");
        }

        using (var folder = OpenFolder(name))
        {
            foreach (var entry in folder?.List() ?? [])
            {
                folder!.Remove(entry.Name, depthLeft - 1);
            }
        }

        if (!TryUnlink(name, RemoveFolderFlag))
        {
            throw new LinuxException($"remove {Join(name)}", Errno.ENOTEMPTY, "somebody is writing in it");
        }
    }

    /// <summary>False when it is a folder, or one that is not empty.</summary>
    private bool TryUnlink(ReadOnlySpan<byte> name, int flags)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        Close(name, closed, NameBytesMax);
        return LibC.UnlinkAt(descriptor.Value, closed, flags) == 0 || LastError is Errno.ENOENT
            || (LastError is Errno.EISDIR or Errno.ENOTEMPTY or Errno.EEXIST or Errno.ENOTDIR ? false : throw LinuxException.FromLastCall($"remove {Join(name)}"));
    }
}
