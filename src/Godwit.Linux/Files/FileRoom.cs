using System.Runtime.InteropServices;
using Godwit.Linux.Native;

namespace Godwit.Linux.Files;

/// <summary>Room on the disk that a file has before it needs it (fallocate(2)).</summary>
public static class FileRoom
{
    private const int KeepSize = 1; // FALLOC_FL_KEEP_SIZE

    /// <summary>Sets room aside behind the file's end, so that what is appended finds it though the disk is full by then. The file's length stays.</summary>
    /// <param name="path">A regular file.</param>
    /// <param name="bytes">How much is to be free behind its end.</param>
    /// <returns>Whether it has that; not where the disk is full, or its file system cannot do this.</returns>
    /// <exception cref="LinuxException">The file cannot be opened.</exception>
    public static bool TryReserve(string path, long bytes)
    {
        using var file = Descriptor.Open(path, OpenFlags.O_WRONLY | OpenFlags.O_NOFOLLOW);
        var end = FileIdentity.Find(path)?.SizeBytes ?? 0;
        if (LibC.FAllocate(file.Value, KeepSize, end, bytes) == 0)
        {
            return true;
        }

        return (Errno)Marshal.GetLastPInvokeError() is Errno.ENOSPC or Errno.EOPNOTSUPP or Errno.ENOSYS or Errno.EDQUOT ? false : throw LinuxException.FromLastCall($"set room aside for {path}");
    }
}
