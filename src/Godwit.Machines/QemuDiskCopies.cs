using System.Globalization;
using Godwit.Qmp;

namespace Godwit.Machines;

/// <summary>
/// Mirrors and exports in QMP. A mirror's job and node carry the disk's number in their names, so that an agent which was
/// restarted finds what the last one began. Jobs stay listed after their end, because their error is the only proof of how
/// they ended.
/// </summary>
internal sealed class QemuDiskCopies(Monitor? monitor, string displayName, TimeProvider clock) : IMachineDiskCopies
{
    private const string JobPrefix = "mirror-";
    private const string Concluded = "concluded";

    private static readonly TimeSpan ReadingBound = TimeSpan.FromSeconds(2);

    /// <summary>Connecting holds QEMU's main loop, and with it the guest's own input and output.</summary>
    private static readonly TimeSpan ConnectBound = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan EndBound = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    public async Task ExportAsync(string socketPath, IReadOnlyCollection<int> disks, CancellationToken stopping)
    {
        await TellAsync("serve the disks of", QmpCommands.StartNbdServer(socketPath, disks.Count), stopping);
        foreach (var disk in disks)
        {
            await TellAsync("serve a disk of", QmpCommands.AddNbdExport(Node(disk)), stopping);
        }
    }

    public async Task CloseAsync(CancellationToken stopping)
    {
        try
        {
            await TellAsync("end the exports of", QmpCommands.StopNbdServer, stopping);
        }
        catch (MachineException error) when (error.InnerException is QmpCommandException)
        {
            // There is no server any more, which is what was wanted; a disk that is still exported could not be run.
        }
    }

    public async Task OpenAsync(CancellationToken stopping) => await TellAsync("open the disks of", QmpCommands.ActivateBlockNodes, stopping);

    public async Task StartAsync(string socketPath, IReadOnlyCollection<DiskMirror> disks, long bytesPerSecond, CancellationToken stopping)
    {
        await AbandonAsync(stopping);
        var share = Share(bytesPerSecond, disks.Count);
        foreach (var disk in disks)
        {
            await TellAsync(
                "connect to the copy of a disk of", QmpCommands.AddNbdNode(Copy(disk.Index), socketPath, Node(disk.Index)) with { Bound = ConnectBound }, stopping);
            await TellAsync("copy a disk of", QmpCommands.Mirror(Job(disk.Index), Node(disk.Index), Copy(disk.Index), disk.TopOnly, share), stopping);
        }
    }

    public async Task LimitAsync(long bytesPerSecond, CancellationToken stopping)
    {
        var jobs = await JobsAsync(stopping);
        foreach (var (index, _) in jobs.Where(entry => entry.Job.Status != Concluded))
        {
            await TellAsync("bound the copy of a disk of", QmpCommands.SetBlockJobSpeed(Job(index), Share(bytesPerSecond, jobs.Count)), stopping);
        }
    }

    public async Task<IReadOnlyList<DiskMirrorStatus>> QueryAsync(CancellationToken stopping) => [.. (await JobsAsync(stopping)).Select(job => ToStatus(job.Index, job.Job))];

    public async Task KeepInStepAsync(CancellationToken stopping)
    {
        foreach (var (index, _) in await JobsAsync(stopping))
        {
            await TellAsync("keep a disk in step of", QmpCommands.MirrorSynchronously(Job(index)), stopping);
        }
    }

    public async Task FinishAsync(int count, CancellationToken stopping)
    {
        var jobs = await JobsAsync(stopping);
        if (jobs.Count != count || jobs.Any(entry => entry.Job.Status == Concluded))
        {
            throw new MachineException($"cannot finish the copies of the disks of {displayName}: {jobs.Count(entry => entry.Job.Status != Concluded)} of {count} mirrors are left.");
        }

        foreach (var (index, _) in jobs)
        {
            await TellAsync("finish the copy of a disk of", QmpCommands.EndBlockJob(Job(index), force: false), stopping);
        }

        var ended = await EndedAsync(stopping);
        if (ended.FirstOrDefault(entry => entry.Job.Error is not null) is { Job: { } failed })
        {
            throw new MachineException($"cannot finish the copies of the disks of {displayName}: {failed.Device} ended with '{failed.Error}'.");
        }

        await ClearAsync(ended.Select(entry => entry.Index), stopping);
    }

    public async Task AbandonAsync(CancellationToken stopping)
    {
        foreach (var (index, job) in await JobsAsync(stopping))
        {
            if (job.Status != Concluded)
            {
                await TryAsync("abandon the copy of a disk of", QmpCommands.EndBlockJob(Job(index), force: true), stopping);
            }
        }

        await ClearAsync((await EndedAsync(stopping)).Select(entry => entry.Index), stopping);

        // A node whose mirror was never begun; there are no more of them than disks.
        for (var index = 0; index < QemuCommandLine.DisksMax; index++)
        {
            await TryAsync("let go of the copy of a disk of", QmpCommands.DeleteNode(Copy(index)), stopping);
        }
    }

    internal static DiskMirrorStatus ToStatus(int index, QmpBlockJob job) => new(index)
    {
        CopiedBytes = job.Offset,
        TotalBytes = job.Len,
        IsCopied = job.Ready,
        IsInStep = job is { Ready: true, ActivelySynced: true },
        Failure = job.Status == Concluded ? job.Error ?? "its mirror ended before it was told to" : null,
    };

    private static long Share(long bytesPerSecond, int count) => bytesPerSecond == 0 ? 0 : Math.Max(1, bytesPerSecond / count);

    private static string Node(int disk) => QemuCommandLine.DiskNode(disk);

    private static string Job(int disk) => string.Create(CultureInfo.InvariantCulture, $"{JobPrefix}{disk}");

    private static string Copy(int disk) => string.Create(CultureInfo.InvariantCulture, $"copy-{disk}");

    private async Task<IReadOnlyList<(int Index, QmpBlockJob Job)>> JobsAsync(CancellationToken stopping)
    {
        var jobs = new List<(int, QmpBlockJob)>();
        foreach (var job in await TellAsync("read the progress of the disks of", QmpCommands.QueryBlockJobs with { Bound = ReadingBound }, stopping))
        {
            if (job.Device.StartsWith(JobPrefix, StringComparison.Ordinal)
                && int.TryParse(job.Device.AsSpan(JobPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            {
                jobs.Add((index, job));
            }
        }

        return jobs;
    }

    private async Task<IReadOnlyList<(int Index, QmpBlockJob Job)>> EndedAsync(CancellationToken stopping)
    {
        var started = clock.GetTimestamp();
        while (true)
        {
            var jobs = await JobsAsync(stopping);
            if (jobs.All(entry => entry.Job.Status == Concluded))
            {
                return jobs;
            }

            if (clock.GetElapsedTime(started) > EndBound)
            {
                throw new MachineException($"cannot end the copies of the disks of {displayName}: QEMU still says '{jobs[0].Job.Status}' after {EndBound.TotalSeconds:0} s.");
            }

            await Task.Delay(Look, clock, stopping);
        }
    }

    private async Task ClearAsync(IEnumerable<int> disks, CancellationToken stopping)
    {
        foreach (var index in disks)
        {
            await TellAsync("dismiss the copy of a disk of", QmpCommands.DismissJob(Job(index)), stopping);
            await TellAsync("let go of the copy of a disk of", QmpCommands.DeleteNode(Copy(index)), stopping);
        }
    }

    /// <summary>What QEMU refuses has been done already, or was never begun.</summary>
    private async Task TryAsync(string purpose, QmpCommand<QmpNothing> command, CancellationToken stopping)
    {
        try
        {
            await TellAsync(purpose, command, stopping);
        }
        catch (MachineException error) when (error.InnerException is QmpCommandException)
        {
        }
    }

    private Task<TReply> TellAsync<TReply>(string purpose, QmpCommand<TReply> command, CancellationToken stopping) =>
        monitor is null
            ? throw new MachineException($"cannot {purpose} {displayName}: its QEMU has ended.")
            : monitor.TellAsync(purpose, command, stopping);
}
