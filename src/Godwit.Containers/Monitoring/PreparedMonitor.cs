using Godwit.Linux.Processes;

namespace Godwit.Containers.Monitoring;

/// <summary>
/// The monitor of an execution that waits for the word: it holds its pipes, listens at its socket, and has forked the process that becomes crun when the word comes. What is
/// executed is not asked before that. If the word never comes because the engine has died, the pipe ends, crun starts, finds nothing to execute and ends, and the monitor with it.
/// </summary>
internal sealed class PreparedMonitor(MonitorFolder folder, PipedProcess process) : IDisposable
{
    internal MonitorFolder Folder => folder;

    internal PipedProcess Process => process;

    internal SyncReader Sync { get; } = new(process.Pipes[0]);

    /// <summary>Returns when the monitor's identity is in its folder: the process that we started writes it there, and ends.</summary>
    internal Task WrittenDownAsync() => process.Process?.Exited ?? Task.CompletedTask;

    /// <summary>Ends a monitor whose word is not going to come, and takes its folder away.</summary>
    internal async Task EndAsync(CancellationToken stopping)
    {
        using (this)
        {
            if (folder.FindMonitor() is { } identity && LinuxProcess.TryOpen(identity) is { } monitor)
            {
                using (monitor)
                {
                    monitor.Send(ProcessSignal.Kill); // What it has forked is killed with it.
                    await monitor.Exited.WaitAsync(stopping);
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
