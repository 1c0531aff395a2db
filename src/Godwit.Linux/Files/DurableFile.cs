using Godwit.Linux.Native;
using Godwit.Linux.Processes;

namespace Godwit.Linux.Files;

/// <summary>Files that hold either their old or their new contents after a crash at any instant, and the new ones once a call has returned.</summary>
public static class DurableFile
{
    /// <summary>Only the owner reads and writes (0600).</summary>
    public const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private const string Suffix = ".new";

    /// <summary>Replaces the file's contents: written beside it, synced, renamed over it, folder synced.</summary>
    /// <param name="path">The file. Its folder exists.</param>
    /// <param name="contents">All of the new contents.</param>
    /// <param name="mode">Permissions, whatever the umask.</param>
    /// <param name="owner">Who owns it; null is the caller.</param>
    /// <exception cref="LinuxException">It could not be written (<see cref="Errno.ENOSPC"/>: the disk is full); the old contents stand.</exception>
    public static void Write(string path, ReadOnlySpan<byte> contents, UnixFileMode mode = Private, ProcessUser? owner = null)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}{Suffix}";
        try
        {
            using (var file = Descriptor.Open(temporary, OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_NOFOLLOW, 0x180))
            {
                file.Write(contents, $"to {temporary}");
                if (owner is not null)
                {
                    Check(LibC.FChown(file.Value, owner.UserId, owner.GroupId), $"give {temporary} to user {owner.UserId}");
                }

                Check(LibC.FChmod(file.Value, (uint)mode), $"set the mode of {temporary}");
                Check(LibC.FSync(file.Value), $"sync {temporary}");
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        SyncFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>
    /// Removes what writes that were cut off by a crash left in a folder and those below it. Links are not followed. Only for
    /// one who knows that nobody writes there now.
    /// </summary>
    /// <param name="folder">The folder; it need not exist.</param>
    /// <param name="except">Names of folders not to go into: those that belong to somebody else.</param>
    public static void RemoveLeftovers(string folder, params IReadOnlyCollection<string> except)
    {
        if (FileIdentity.Find(folder) is not { Kind: FileKind.Folder })
        {
            return;
        }

        foreach (var path in Directory.EnumerateFiles(folder, "*" + Suffix).Where(IsLeftover))
        {
            File.Delete(path);
        }

        foreach (var below in Directory.EnumerateDirectories(folder).Where(path => !except.Contains(Path.GetFileName(path))))
        {
            RemoveLeftovers(below, except);
        }
    }

    // Ours end in the thirty-two digits that made the name unique; other files may end in .new too.
    private static bool IsLeftover(string path) =>
        Path.GetFileName(path).Split('.') is [.., var unique, _] && Guid.TryParseExact(unique, "N", out _);

    /// <summary>Replaces the file's contents so that a reader, or this process's end, never meets half of them; the host's end may take them back.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> contents)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}.new";
        try
        {
            using (var file = Descriptor.Open(temporary, OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_NOFOLLOW, 0x180))
            {
                file.Write(contents, $"to {temporary}");
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Removes the file for good. Idempotent.</summary>
    public static void Delete(string path)
    {
        File.Delete(path);
        SyncFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Makes durable which names a folder holds.</summary>
    public static void SyncFolder(string path)
    {
        using var folder = Descriptor.Open(path, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
        Check(LibC.FSync(folder.Value), $"sync folder {path}");
    }

    private static void Check(int result, string attempt)
    {
        if (result != 0)
        {
            throw LinuxException.FromLastCall(attempt);
        }
    }
}
