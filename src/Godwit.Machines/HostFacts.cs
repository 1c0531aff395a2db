using System.Text.Json;
using Godwit.Base;
using Godwit.Linux;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Godwit.Qmp;
using Microsoft.Extensions.Logging;

namespace Godwit.Machines;

/// <summary>What a probe found, for the boot and the QEMU that it was made with.</summary>
internal sealed record KnownAccelerator(Guid BootId, long QemuBytes, DateTime QemuWritten, Accelerator Accelerator, string Reason);

/// <summary>
/// What this host offers, asked of QEMU itself. That <c>/dev/kvm</c> opens proves nothing (inside some virtual machines it
/// runs no real guest), so a guest is booted under KVM, as a machine's user, and must be seen to run.
/// </summary>
internal sealed partial class HostFacts(MachineContext context, ProcessLauncher launcher) : IDisposable
{
    private static readonly TimeSpan ProbeBound = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan QueryBound = TimeSpan.FromSeconds(30);

    /// <summary>From the end of its monitor to its own, if that is what ended the monitor.</summary>
    private static readonly TimeSpan EndBound = TimeSpan.FromSeconds(1);

    /// <summary>No guest is lost with a QEMU that is only asked, so one that fails is asked again: a host must not be without machines for a process that was killed.</summary>
    private const int AsksMax = 3;

    private readonly SemaphoreSlim asking = new(1);
    private readonly DeviceAccess devices = new(context.Options.DeviceGroupId, context.Log);
    private MachineHostFacts? known;

    private MachineHostOptions Options => context.Options;

    /// <summary>The groups that a machine's user needs for the devices.</summary>
    public IReadOnlyList<uint> GrantDevices(Accelerator accelerator) =>
        [.. new[] { accelerator is Accelerator.Kvm ? devices.Grant(DeviceAccess.Kvm) : null, devices.Grant(DeviceAccess.PageFaults), devices.Grant(DeviceAccess.Tap) }.OfType<uint>().Distinct()];

    public async Task<MachineHostFacts> GetAsync(CancellationToken stopping)
    {
        await asking.WaitAsync(stopping);
        try
        {
            return known ??= await AskAsync(stopping);
        }
        finally
        {
            asking.Release();
        }
    }

    public void Dispose() => asking.Dispose();

    private async Task<MachineHostFacts> AskAsync(CancellationToken stopping)
    {
        if (!File.Exists(Options.QemuProgram))
        {
            throw new MachineException($"There is no {Options.QemuProgram}: install the package qemu-system-x86 (version 10 or later).");
        }

        var (accelerator, reason) = Options.Accelerator is { } told ? (told, "the options say so") : await ChooseAsync(stopping);
        Log.Chosen(context.Log, accelerator, reason);
        for (var asks = 1; ; asks++)
        {
            try
            {
                return await AskOnceAsync(accelerator, reason, stopping);
            }
            catch (MachineException error) when (asks < AsksMax)
            {
                Log.AsksAgain(context.Log, error, asks, AsksMax);
            }
        }
    }

    private async Task<MachineHostFacts> AskOnceAsync(Accelerator accelerator, string reason, CancellationToken stopping)
    {
        using var folder = ProbeFolder.Create(Options);
        var socket = Path.Combine(folder.Path, "qmp.sock");
        using var process = await LaunchAsync(
            folder, accelerator, ["-machine", "none", "-accel", Word(accelerator), "-qmp", $"unix:{socket},server=on,wait=off"], stopping);
        try
        {
            return await QueryAsync(socket, process, accelerator, reason, stopping);
        }
        catch (MachineException error)
        {
            await Task.WhenAny(process.Exited, Task.Delay(EndBound, context.Clock, stopping));
            var state = process.Exited.IsCompleted ? (await process.Exited).ToString() : "still runs";
            throw new MachineException($"{Options.QemuProgram} does not say what this host offers: it {state}{Said(folder)}", error);
        }
        finally
        {
            await process.StopAsync(TimeSpan.Zero, context.Clock, CancellationToken.None);
        }
    }

    private async Task<MachineHostFacts> QueryAsync(string socket, LinuxProcess process, Accelerator accelerator, string reason, CancellationToken stopping)
    {
        await using var monitor = new Monitor("the probe", socket, process, context.Clock, context.Log);
        var connection = await monitor.ConnectAsync(QueryBound, stopping);
        var types = await monitor.TellAsync("list the machine types of", QmpCommands.QueryMachines, stopping);
        var models = await monitor.TellAsync("list the CPU models of", QmpCommands.QueryCpuDefinitions, stopping);
        return new MachineHostFacts
        {
            QemuVersion = connection.Greeting.Version,
            Accelerator = accelerator,
            AcceleratorReason = reason,
            MachineTypes = [.. types.Where(type => type.Name.StartsWith("pc-", StringComparison.Ordinal) && !type.Deprecated).Select(type => type.Name).Order(StringComparer.Ordinal)],
            CpuModels = [.. models.Where(model => model.UnavailableFeatures is { Count: 0 }).Select(model => model.Name).Order(StringComparer.Ordinal)],
            PostcopyObstacle = FindPostcopyObstacle(),
        };
    }

    private async Task<(Accelerator Accelerator, string Reason)> ChooseAsync(CancellationToken stopping)
    {
        var program = new FileInfo(Options.QemuProgram);
        var remembered = Path.Combine(MachineFiles.RecordsFolder(Options.DataFolder), "accelerator.json");
        var boot = ProcessIdentity.Find(Environment.ProcessId)?.BootId ?? Guid.Empty;
        if (Recall(remembered) is { } before && before.BootId == boot && before.QemuBytes == program.Length && before.QemuWritten == program.LastWriteTimeUtc)
        {
            return (before.Accelerator, before.Reason);
        }

        var (accelerator, reason) = await ProbeAsync(stopping);
        var found = new KnownAccelerator(boot, program.Length, program.LastWriteTimeUtc, accelerator, reason);
        DurableFile.Write(remembered, JsonSerializer.SerializeToUtf8Bytes(found, MachineJson.Default.KnownAccelerator));
        return (accelerator, reason);
    }

    private static KnownAccelerator? Recall(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), MachineJson.Default.KnownAccelerator) : null;
        }
        catch (JsonException)
        {
            return null; // Only a memory: it is probed anew.
        }
    }

    private async Task<(Accelerator Accelerator, string Reason)> ProbeAsync(CancellationToken stopping)
    {
        if (FileIdentity.Find(DeviceAccess.Kvm) is not { Kind: FileKind.CharacterDevice })
        {
            return (Accelerator.Tcg, $"there is no {DeviceAccess.Kvm}: the CPU's virtualisation is off, or not passed to this host");
        }

        using var folder = ProbeFolder.Create(Options);
        var disk = folder.Write("guest.img", ProbeGuest.BuildDisk());
        var started = context.Clock.GetTimestamp();
        try
        {
            using var process = await LaunchAsync(
                folder,
                Accelerator.Kvm,
                ["-machine", "pc", "-accel", "kvm", "-cpu", "host", "-m", "64M", "-boot", "strict=on", "-drive", $"if=ide,format=raw,file={disk}", "-device", "isa-debug-exit"],
                stopping);
            try
            {
                var exit = await process.Exited.WaitAsync(ProbeBound, context.Clock, stopping);
                return exit.ExitCode == ProbeGuest.ExitCode
                    ? (Accelerator.Kvm, $"a 64-bit guest ran under KVM in {context.Clock.GetElapsedTime(started).TotalSeconds:0.0} s")
                    : (Accelerator.Tcg, $"a guest under KVM did not run: QEMU {exit}{Said(folder)}");
            }
            catch (TimeoutException)
            {
                return (Accelerator.Tcg, $"a guest under KVM did nothing within {ProbeBound.TotalSeconds:0} s");
            }
            finally
            {
                await process.StopAsync(TimeSpan.Zero, context.Clock, CancellationToken.None);
            }
        }
        catch (Exception error) when (error is ProcessLaunchException or LinuxException)
        {
            return (Accelerator.Tcg, $"no guest could be started under KVM: {ErrorChain.Describe(error)}");
        }
    }

    private static string Said(ProbeFolder folder)
    {
        var words = EndReason.LastWords(folder.LogPath);
        return words.Length == 0 ? "" : $", and said: {words}";
    }

    private async Task<LinuxProcess> LaunchAsync(ProbeFolder folder, Accelerator accelerator, IReadOnlyList<string> arguments, CancellationToken stopping) =>
        await launcher.LaunchAsync(
            new ProcessLaunch
            {
                Program = Options.QemuProgram,
                Arguments = ["-no-user-config", "-nodefaults", "-display", "none", .. arguments],
                WorkingDirectory = folder.Path,
                OutputPath = folder.LogPath,
                User = folder.User with { SupplementaryGroupIds = GrantDevices(accelerator) },
            },
            record: null,
            stopping);

    private static string? FindPostcopyObstacle()
    {
        const string setting = "/proc/sys/vm/unprivileged_userfaultfd";
        var isAllowed = File.Exists(setting) && File.ReadAllText(setting).Trim() == "1";
        return isAllowed || FileIdentity.Find(DeviceAccess.PageFaults) is { Kind: FileKind.CharacterDevice }
            ? null
            : $"QEMU's user may not handle page faults: there is no {DeviceAccess.PageFaults} (Linux 6.1 has it) and {setting} is not 1";
    }

    private static string Word(Accelerator accelerator) => accelerator is Accelerator.Kvm ? "kvm" : "tcg";

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Guests run with {Accelerator}: {Reason}")]
        public static partial void Chosen(ILogger log, Accelerator accelerator, string reason);

        [LoggerMessage(2, LogLevel.Warning, "Try {Asks} of {AsksMax} to ask QEMU what this host offers failed; it is asked again")]
        public static partial void AsksAgain(ILogger log, Exception error, int asks, int asksMax);
    }

    /// <summary>A folder of one probe, owned by a user that no machine has; what QEMU says lies outside it.</summary>
    private sealed class ProbeFolder : IDisposable
    {
        private ProbeFolder(string path, string logPath, ProcessUser user)
        {
            Path = path;
            LogPath = logPath;
            User = user;
        }

        public string Path { get; }

        public string LogPath { get; }

        public ProcessUser User { get; }

        public static ProbeFolder Create(MachineHostOptions options)
        {
            var name = $"probe-{Guid.NewGuid():N}";
            var user = new ProcessUser(options.Users.First + options.Users.Count, options.Users.First + options.Users.Count);
            var path = System.IO.Path.Combine(MachineFiles.MachinesFolder(options.DataFolder), name);
            Ownership.MakeFolder(path, DurableFile.Private | UnixFileMode.UserExecute, user);
            return new ProbeFolder(path, System.IO.Path.Combine(MachineFiles.RecordsFolder(options.DataFolder), name + ".log"), user);
        }

        public string Write(string name, byte[] contents)
        {
            var path = System.IO.Path.Combine(Path, name);
            DurableFile.Write(path, contents, owner: User);
            return path;
        }

        public void Dispose()
        {
            Directory.Delete(Path, recursive: true);
            File.Delete(LogPath);
        }
    }
}
