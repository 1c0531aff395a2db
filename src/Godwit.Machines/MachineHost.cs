using System.Collections.Concurrent;
using Godwit.Linux;
using Godwit.Linux.ControlGroups;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <summary>
/// Machines on this host. The order of a start, so that an agent killed between any two lines finds its way:
/// <code>
///   ReserveAsync   place.json (which user) ──▶ machines/ID, owned by that user
///   CreateAsync    cgroup ──▶ spec.json ──▶ QEMU at its gate ──▶ process (pid, start time, boot) ──▶ gate opens ──▶ monitor answers
///   AdoptAsync     reads records/: process lives ──▶ connect; ended ──▶ say how; no process ──▶ only a place
///   RemoveAsync    process ──▶ cgroup ──▶ machines/ID ──▶ records/ID
/// </code>
/// A machine is started once. One whose process has ended is never started again under its id: its guest may have run.
/// </summary>
public sealed partial class MachineHost : IMachineHost, IAsyncDisposable
{
    private const UnixFileMode Traversable = DurableFile.Private | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Beside the guest's memory: QEMU itself, its buffers, and page tables for the guest.</summary>
    private const long OverheadBytes = 256L << 20;

    private const int TasksMax = 256;

    /// <summary>
    /// QEMU reads the guest's kernel and initial file system into memory from malloc at its start, and a moving guest waits for that. In huge pages
    /// it takes 40 to 80 ms less, a third of the start, where page faults are dear: on a host that is a virtual machine itself (glibc's tunables).
    /// </summary>
    private static readonly Dictionary<string, string> QemuEnvironment = new(ProcessLaunch.StandardEnvironment, StringComparer.Ordinal)
    {
        ["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1",
    };

    private readonly MachineContext context;
    private readonly ControlGroupHost groups;
    private readonly ProcessLauncher launcher;
    private readonly HostFacts facts;
    private readonly ConcurrentDictionary<MachineId, Machine> machines = new();
    private readonly SemaphoreSlim[] turns = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1))];
    private readonly SemaphoreSlim reserving = new(1);

    /// <summary>Makes the folders where they are missing.</summary>
    /// <exception cref="MachineException">The host lacks what machines need; says what to do.</exception>
    public MachineHost(MachineHostOptions options, TimeProvider clock, ILogger log)
    {
        context = new MachineContext(options, clock, log);
        try
        {
            groups = ControlGroupHost.Detect(clock);
            Directory.CreateDirectory(options.DataFolder);
            Ownership.MakeFolder(MachineFiles.MachinesFolder(options.DataFolder), Traversable, new ProcessUser(0, 0));
            Ownership.MakeFolder(MachineFiles.RecordsFolder(options.DataFolder), DurableFile.Private | UnixFileMode.UserExecute, new ProcessUser(0, 0));
            KeyHandover.Prepare(MachineFiles.KeysFolder(options.DataFolder));
        }
        catch (Exception error) when (error is LinuxException or IOException or UnauthorizedAccessException)
        {
            throw new MachineException($"cannot prepare {options.DataFolder} for machines; the agent must run as root", error);
        }

        MachineFiles.CheckDataFolder(options.DataFolder);
        launcher = new ProcessLauncher(clock);
        facts = new HostFacts(context, launcher);
    }

    public Task<MachineHostFacts> GetFactsAsync(CancellationToken stopping) => facts.GetAsync(stopping);

    public async Task<IReadOnlyList<IMachine>> AdoptAsync(CancellationToken stopping)
    {
        var found = Directory.EnumerateDirectories(MachineFiles.RecordsFolder(context.Options.DataFolder))
            .Select(folder => Guid.TryParseExact(Path.GetFileName(folder), "D", out var id) ? new MachineId(id) : (MachineId?)null)
            .OfType<MachineId>();
        var adopted = await Task.WhenAll(found.Select(async id =>
        {
            using var turn = await TakeTurnAsync(id, stopping);
            return await FindAsync(id, stopping);
        }));
        return [.. adopted.OfType<IMachine>()];
    }

    public async Task<MachinePlace> ReserveAsync(MachineId id, CancellationToken stopping)
    {
        var files = new MachineFiles(context.Options.DataFolder, id);
        await reserving.WaitAsync(stopping);
        try
        {
            var records = new MachineRecords(files);
            if (records.ReadUserId() is not { } userId)
            {
                userId = context.Options.Users.Choose(id, TakenUsers());
                records.Write(new MachineReservation(userId));
            }

            Ownership.MakeFolder(files.Folder, DurableFile.Private | UnixFileMode.UserExecute, new ProcessUser(userId, userId));
            return new MachinePlace(id, files.Folder, userId);
        }
        catch (Exception error) when (error is LinuxException or IOException or UnauthorizedAccessException)
        {
            throw new MachineException($"cannot make the folder of machine {id}", error);
        }
        finally
        {
            reserving.Release();
        }
    }

    public async Task<IMachine> CreateAsync(MachineSpec spec, MachineStart start, CancellationToken stopping)
    {
        MachineSpecCheck.Require(spec);
        using var turn = await TakeTurnAsync(spec.Id, stopping);
        if (await FindAsync(spec.Id, stopping) is { } existing)
        {
            return existing.ProcessId != 0
                ? existing
                : throw new MachineException(
                    $"{spec.DisplayName} ({spec.Id}) was started before and has ended ({existing.RunStateReason}); it is not started again, because its guest may have run. Remove it first.");
        }

        var place = await ReserveAsync(spec.Id, stopping);
        var files = new MachineFiles(context.Options.DataFolder, spec.Id);
        Reach.Require(spec, place);
        var accelerator = (await facts.GetAsync(stopping)).Accelerator;
        var group = groups.Create(GroupName(spec.Id));
        try
        {
            return machines[spec.Id] = await StartAsync(spec, start, new MachineParts(files, spec, place, null, group), accelerator, stopping);
        }
        catch
        {
            // As if it had never been tried: no process, no cgroup, no record of a start. The place stays reserved.
            await group.KillAsync(CancellationToken.None);
            await group.RemoveAsync(CancellationToken.None);
            QemuLogPlace.Remove(files);
            new MachineRecords(files).ForgetStart();
            throw;
        }
    }

    public async Task<IMachine> RestoreAsync(MachineId id, CancellationToken stopping)
    {
        using var turn = await TakeTurnAsync(id, stopping);
        var files = new MachineFiles(context.Options.DataFolder, id);
        var records = new MachineRecords(files);
        if (records.ReadStarted() is not { Spec: var spec })
        {
            throw new MachineException($"cannot restore machine {id}: what it was is not recorded on this host.");
        }

        var accelerator = (await facts.GetAsync(stopping)).Accelerator;
        await EndProcessAsync(files, stopping);
        try
        {
            await RemoveProcessRemainsAsync(files, stopping);
            records.ForgetProcess();
        }
        catch (Exception error) when (error is LinuxException or IOException or UnauthorizedAccessException)
        {
            throw new MachineException($"cannot clear away what the last QEMU of {spec.DisplayName} left; try again", error);
        }

        var place = await ReserveAsync(id, stopping);
        Reach.Require(spec, place);
        var group = groups.Create(GroupName(id));
        try
        {
            return machines[id] = await StartAsync(spec, MachineStart.Incoming, new MachineParts(files, spec, place, null, group), accelerator, stopping);
        }
        catch
        {
            await group.KillAsync(CancellationToken.None);
            await group.RemoveAsync(CancellationToken.None);
            QemuLogPlace.Remove(files);
            records.ForgetProcess(); // The spec stays: by it the machine is restored the next time.
            throw;
        }
    }

    public async Task RemoveAsync(MachineId id, CancellationToken stopping)
    {
        using var turn = await TakeTurnAsync(id, stopping);
        var files = new MachineFiles(context.Options.DataFolder, id);
        await EndProcessAsync(files, stopping);
        try
        {
            await RemoveProcessRemainsAsync(files, stopping);
            DeleteFolder(files.Folder);
            DeleteFolder(files.RecordFolder);
        }
        catch (Exception error) when (error is LinuxException or IOException or UnauthorizedAccessException)
        {
            throw new MachineException($"cannot remove machine {id}; try again", error);
        }
    }

    /// <summary>What QEMUs that were ended without an agent have left below its data folder and is no file.</summary>
    public static void RemoveMounts(string dataFolder) => QemuLogPlace.RemoveAll(dataFolder);

    /// <summary>Whether anything of a machine of this id is on this host, be it a reserved place.</summary>
    public bool HasTraceOf(MachineId id) => new MachineFiles(context.Options.DataFolder, id) is var files && (Directory.Exists(files.Folder) || Directory.Exists(files.RecordFolder));

    /// <summary>Lets go of the machines; they run on.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var machine in machines.Values)
        {
            await machine.DisposeAsync();
        }

        machines.Clear();
        facts.Dispose();
    }

    /// <summary>Ends the machine's process, known or not. Needs the machine's turn.</summary>
    private async Task EndProcessAsync(MachineFiles files, CancellationToken stopping)
    {
        if (machines.TryRemove(files.Id, out var machine))
        {
            await machine.KillAsync(stopping);
            await machine.DisposeAsync();
        }
        else if (new MachineRecords(files).ReadProcess() is { } identity && LinuxProcess.TryOpen(identity) is { } process)
        {
            using (process)
            {
                await process.StopAsync(TimeSpan.Zero, context.Clock, stopping);
            }
        }
    }

    private async Task RemoveProcessRemainsAsync(MachineFiles files, CancellationToken stopping)
    {
        var group = groups.Open(GroupName(files.Id));
        await group.KillAsync(stopping);
        await group.RemoveAsync(stopping);
        QemuLogPlace.Remove(files);
    }

    private static void DeleteFolder(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true); // Links inside are removed, not followed.
        }
    }

    private async Task<Machine> StartAsync(MachineSpec spec, MachineStart start, MachineParts parts, Accelerator accelerator, CancellationToken stopping)
    {
        var (files, place) = (parts.Files, parts.Place);
        var records = new MachineRecords(files);
        try
        {
            parts.Group.SetLimits(Limits(spec));
            QemuLogPlace.Make(files);
            records.Write(new MachineStarted(spec, start));
            using (var rescue = new RescueMonitor(files, context.Clock))
            {
                rescue.Make(new ProcessUser(place.UserId, place.UserId));
            }

            var launch = new ProcessLaunch
            {
                Program = context.Options.QemuProgram,
                Arguments = QemuCommandLine.Build(spec, new QemuPaths(files.Monitor, files.Rescue, files.Console), accelerator, start),
                Environment = QemuEnvironment,
                WorkingDirectory = files.Folder,
                OutputPath = files.QemuLog,
                User = new ProcessUser(place.UserId, place.UserId) { SupplementaryGroupIds = facts.GrantDevices(accelerator) },
                ControlGroup = parts.Group,
            };
            var process = await launcher.LaunchAsync(launch, records.Write, stopping);
            Log.Started(context.Log, spec.DisplayName, process.Identity.ProcessId, accelerator, start);
            return await Machine.ConnectAsync(context, parts with { Process = process }, context.Options.MonitorBound, stopping);
        }
        catch (Exception error) when (error is ProcessLaunchException or LinuxException or IOException or MachineException)
        {
            var words = EndReason.LastWords(files.QemuLog);
            throw new MachineException(words.Length == 0 ? $"cannot start QEMU for {spec.DisplayName}" : $"cannot start QEMU for {spec.DisplayName}; it said: {words}", error);
        }
    }

    /// <summary>The machine of this id, living or ended; null when none was started. Needs the machine's turn.</summary>
    private async Task<Machine?> FindAsync(MachineId id, CancellationToken stopping)
    {
        if (machines.TryGetValue(id, out var known))
        {
            return known;
        }

        var files = new MachineFiles(context.Options.DataFolder, id);
        var records = new MachineRecords(files);
        if (records.ReadStarted() is not { } started || records.ReadUserId() is not { } userId || records.ReadProcess() is not { } identity)
        {
            return null; // Reserved at most: QEMU's first instruction comes after all three.
        }

        var process = LinuxProcess.TryOpen(identity);
        var parts = new MachineParts(files, started.Spec, new MachinePlace(id, files.Folder, userId), process, groups.Open(GroupName(id)));
        return machines[id] = process is null
            ? Machine.Ended(context, parts, records.ReadEnd() ?? new MachineEnd(MachineRunState.Gone, EndReason.Describe(null, files, parts.Group)))
            : await ReachAsync(parts, stopping);
    }

    private async Task<Machine> ReachAsync(MachineParts parts, CancellationToken stopping)
    {
        try
        {
            return await Machine.ConnectAsync(context, parts, context.Options.AdoptBound, stopping);
        }
        catch (MachineException error)
        {
            Log.NotReached(context.Log, parts.Spec.DisplayName, error);
            return LinuxProcess.TryOpen(parts.Process!.Identity) is { } living
                ? Machine.Unreached(context, parts with { Process = living }, Base.ErrorChain.Describe(error))
                : Machine.Ended(context, parts with { Process = null }, new MachineEnd(MachineRunState.Gone, EndReason.Describe(null, parts.Files, parts.Group)));
        }
    }

    private static ControlGroupLimits Limits(MachineSpec spec) => new()
    {
        MemoryBytes = spec.MemoryBytes + (spec.MemoryBytes / 50) + OverheadBytes + ((long)QemuCommandLine.TranslationBufferMiB << 20),
        TasksMax = TasksMax + (4 * spec.CpuCount),
    };

    private string GroupName(MachineId id) => $"{context.Options.ControlGroupParent}/vm-{id}";

    private HashSet<uint> TakenUsers() =>
    [
        .. Directory.EnumerateDirectories(MachineFiles.RecordsFolder(context.Options.DataFolder))
            .Select(folder => Guid.TryParseExact(Path.GetFileName(folder), "D", out var id) ? new MachineRecords(new MachineFiles(context.Options.DataFolder, new MachineId(id))).ReadUserId() : null)
            .OfType<uint>(),
    ];

    /// <summary>One operation at a time on a machine; different machines seldom wait for each other.</summary>
    private async Task<Turn> TakeTurnAsync(MachineId id, CancellationToken stopping)
    {
        var turn = turns[(uint)id.GetHashCode() % turns.Length];
        await turn.WaitAsync(stopping);
        return new Turn(turn);
    }

    private readonly struct Turn(SemaphoreSlim held) : IDisposable
    {
        public void Dispose() => held.Release();
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Started QEMU for {Machine}: process {ProcessId}, {Accelerator}, {Start}")]
        public static partial void Started(ILogger log, string machine, int processId, Accelerator accelerator, MachineStart start);

        [LoggerMessage(2, LogLevel.Warning, "{Machine} lives but could not be reached")]
        public static partial void NotReached(ILogger log, string machine, Exception error);
    }
}
