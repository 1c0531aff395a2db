using Godwit.Linux.Native;

namespace Godwit.Linux.Files;

/// <summary>
/// An exclusive lock between processes (flock(2)): held until disposed, or until the process ends however it ends. Its holder
/// may delete the file: who then gets a lock on what no path leads to any more tries again.
/// </summary>
public sealed class FileLock : IDisposable
{
    /// <summary>Each time somebody deleted the file between our opening and locking it.</summary>
    private const int AttemptsMax = 10;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    private readonly Descriptor file;

    private FileLock(Descriptor file) => this.file = file;

    /// <summary>Takes the lock, or returns null at once when another holds it. The file is made if missing and stays.</summary>
    public static FileLock? TryAcquire(string path)
    {
        for (var attempt = 0; attempt < AttemptsMax; attempt++)
        {
            var opened = Descriptor.Open(path, OpenFlags.O_RDWR | OpenFlags.O_CREAT | OpenFlags.O_NOFOLLOW, 0x180);
            if (LibC.FLock(opened.Value, LockOperations.LOCK_EX | LockOperations.LOCK_NB) != 0)
            {
                var refusal = LinuxException.FromLastCall($"lock {path}");
                opened.Dispose();
                return refusal.Error is Errno.EAGAIN ? null : throw refusal;
            }

            if (FileIdentity.Find(path)?.IsSameFileAs(FileIdentity.Of(opened)) is true)
            {
                return new FileLock(opened);
            }

            opened.Dispose();
        }

        return null;
    }

    /// <summary>The same, and waits for whoever holds it; null when it is still held after so long.</summary>
    public static async Task<FileLock?> AcquireAsync(string path, TimeSpan patience, TimeProvider time, CancellationToken stopping)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            if (TryAcquire(path) is { } taken)
            {
                return taken;
            }

            if (time.GetElapsedTime(began) >= patience)
            {
                return null;
            }

            await Task.Delay(Look, time, stopping);
        }
    }

    public void Dispose()
    {
        if (!file.IsClosed)
        {
            // By name: a child that is being started at this moment has a copy of the descriptor until it runs its program.
            _ = LibC.FLock(file.Value, LockOperations.LOCK_UN);
            file.Dispose();
        }
    }
}
