using Godwit.Linux.Native;

namespace Godwit.Linux.Files;

/// <summary>An exclusive lock between processes (flock(2)): held until disposed, or until the process ends however it ends.</summary>
public sealed class FileLock : IDisposable
{
    private readonly Descriptor file;

    private FileLock(Descriptor file) => this.file = file;

    /// <summary>Takes the lock, or returns null at once when another holds it. The file is made if missing and stays.</summary>
    public static FileLock? TryAcquire(string path)
    {
        var opened = Descriptor.Open(path, OpenFlags.O_RDWR | OpenFlags.O_CREAT | OpenFlags.O_NOFOLLOW, 0x180);
        if (LibC.FLock(opened.Value, LockOperations.LOCK_EX | LockOperations.LOCK_NB) == 0)
        {
            return new FileLock(opened);
        }

        var refusal = LinuxException.FromLastCall($"lock {path}");
        opened.Dispose();
        return refusal.Error is Errno.EAGAIN ? null : throw refusal;
    }

    public void Dispose() => file.Dispose();
}
