using Godwit.Linux;
using Godwit.Linux.Processes;

namespace Godwit.Containers.Monitoring;

/// <summary>
/// The monitor of an execution that waits for the word: it holds its pipes, listens at its socket, and has forked the process that becomes crun when the word comes. What is
/// executed is not asked before that. If the word never comes because the engine has died, the pipe ends, crun starts, finds nothing to execute and ends, and the monitor with it.
/// </summary>
internal sealed class PreparedMonitor(MonitorFolder folder, PipedProcess process) : IDisposable
{
    /// <summary>A host out of memory or with a stuck disk takes this long, not a healthy one.</summary>
    private static readonly TimeSpan WriteBound = TimeSpan.FromSeconds(30);

    internal MonitorFolder Folder => folder;

    internal PipedProcess Process => process;

    internal SyncReader Sync { get; } = new(process.Pipes[0]);

    /// <summary>Returns when the monitor's identity is in its folder: the process that we started writes it there, and ends.</summary>
    /// <exception cref="TimeoutException">It does not end.</exception>
    internal Task WrittenDownAsync(TimeProvider time, CancellationToken stopping) => process.Process?.Exited.WaitAsync(WriteBound, time, stopping) ?? Task.CompletedTask;

    /// <summary>Ends a monitor whose word is not going to come, and takes its folder away.</summary>
    /// <exception cref="LinuxException">It hangs in the kernel.</exception>
    /// <exception cref="TimeoutException">It has not written down who it is.</exception>
    internal async Task EndAsync(TimeProvider time, CancellationToken stopping)
    {
        using (this)
        {
            await WrittenDownAsync(time, stopping); // Before that it could not be found, and the end of its pipe would be its word.
            if (folder.FindMonitor() is { } identity && LinuxProcess.TryOpen(identity) is { } monitor)
            {
                using (monitor)
                {
                    await monitor.StopAsync(TimeSpan.Zero, time, stopping); // What it has forked is killed with it.
                }
            }
        }

        folder.Remove();
    }

    /// <summary>Closes our ends; the monitor of a running execution does not mind.</summary>
    public void Dispose()
    {
        Sync.Dispose();
        process.Dispose();
    }
}

/// <param name="Ended">The exit code; null when the monitor ended without a word.</param>
internal sealed record StartedExecution(int ProcessId, Task<int?> Ended);
