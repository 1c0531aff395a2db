using Godwit.Linux;

namespace Godwit.Images;

/// <summary>Tells a disk without room from all else that can go wrong with one.</summary>
internal static class FullDisk
{
    /// <summary>Whether an error, or what caused it, is that the disk is full, or the part of it that its owner may use.</summary>
    public static bool IsCauseOf(Exception? error)
    {
        for (; error is not null; error = error.InnerException)
        {
            if (error is LinuxException { Error: Errno.ENOSPC or Errno.EDQUOT } or IOException { HResult: (int)Errno.ENOSPC or (int)Errno.EDQUOT })
            {
                return true;
            }
        }

        return false;
    }
}
