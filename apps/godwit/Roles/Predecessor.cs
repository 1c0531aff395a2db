using Godwit.Linux;
using Godwit.Linux.Files;

namespace Godwit.App.Roles;

/// <summary>
/// The process that did the same work before. One that was killed is a zombie at once, but its threads end one after the other, and until the last of them has, which takes a while on a busy host,
/// the kernel keeps its files open: its lock, and its ports. Whoever is started in its place meanwhile would take it for another that runs.
/// </summary>
internal static class Predecessor
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Returns when it has ended, or when it has not for so long that it is one that runs: then the role that wants its folder, or its port, says so.</summary>
    /// <param name="lockPath">The file that it holds a lock on.</param>
    /// <param name="time">What the wait is measured by.</param>
    /// <param name="stopping">Ends the wait.</param>
    public static async Task HasEndedAsync(string lockPath, TimeProvider time, CancellationToken stopping)
    {
        if (!File.Exists(lockPath))
        {
            return;
        }

        try
        {
            using var free = await FileLock.AcquireAsync(lockPath, Patience, time, stopping); // Let go at once: the role takes it itself.
        }
        catch (LinuxException)
        {
            // Not ours to open: the role says what is wrong with its folder.
        }
    }
}
