using Godwit.Linux.Native;
using Godwit.Linux.Processes;

namespace Godwit.Linux.Files;

/// <summary>Who owns a file. Symbolic links are changed themselves, never followed.</summary>
public static class Ownership
{
    public static void Change(string path, ProcessUser owner)
    {
        if (LibC.LChown(path, owner.UserId, owner.GroupId) != 0)
        {
            throw LinuxException.FromLastCall($"give {path} to user {owner.UserId}");
        }
    }

    /// <summary>Lets the root of a user namespace pass through a folder of root's, and nobody else: it can open what it knows the name of, and list nothing.</summary>
    public static void LetPass(string folder, IdMap ids) =>
        MakeFolder(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute, new ProcessUser(0, ids.FirstGroupId));

    /// <summary>Makes a folder (its parent exists) with this owner and mode; one that exists is set right. A link in its place is refused.</summary>
    public static void MakeFolder(string path, UnixFileMode mode, ProcessUser owner)
    {
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using var folder = Descriptor.Open(path, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW);
        if (LibC.FChown(folder.Value, owner.UserId, owner.GroupId) != 0 || LibC.FChmod(folder.Value, (uint)mode) != 0)
        {
            throw LinuxException.FromLastCall($"give folder {path} to user {owner.UserId}");
        }
    }
}
