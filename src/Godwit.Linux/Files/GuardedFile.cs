using Godwit.Linux.Native;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Linux.Files;

/// <summary>
/// Opens files that lie in a folder which a less trusted user may write. A link, pipe or device in the file's place is
/// refused, so that user cannot make us read or change another file in its stead.
/// </summary>
public static class GuardedFile
{
    /// <summary>For reading; null when there is none.</summary>
    /// <exception cref="LinuxException">There is something else than a regular file, or it cannot be opened.</exception>
    public static SafeFileHandle? TryOpenRead(string path) => TryOpen(path, OpenFlags.O_RDONLY);

    /// <summary>For reading and changing; null when there is none.</summary>
    /// <exception cref="LinuxException">There is something else than a regular file, or it cannot be opened.</exception>
    public static SafeFileHandle? TryOpenWrite(string path) => TryOpen(path, OpenFlags.O_RDWR);

    private static SafeFileHandle? TryOpen(string path, int flags)
    {
        // Looked at first, so that a pipe or device is never even opened; O_NOFOLLOW holds if it changes in between.
        if (FileIdentity.Find(path) is not { } found)
        {
            return null;
        }

        if (found.Kind is not FileKind.Regular)
        {
            throw new LinuxException($"open {path}", Errno.EINVAL, $"it is a {found.Kind}, no regular file");
        }

        var value = LibC.Open(path, flags | OpenFlags.O_NOFOLLOW | OpenFlags.O_NONBLOCK | OpenFlags.O_CLOEXEC, 0);
        return value >= 0 ? new SafeFileHandle(value, ownsHandle: true) : throw LinuxException.FromLastCall($"open {path}");
    }
}
