using System.Globalization;
using System.Text;
using Godwit.Machines;
using Godwit.Volumes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Real.Tests.Machines;

/// <summary>One host's worth of machines for one test: own data folder, own cgroup parent, everything gone afterwards.</summary>
internal sealed class MachineLab : IAsyncDisposable
{
    private static int count;

    private readonly MachineHostOptions options;

    private MachineLab(MachineImage tiny, MachineHostOptions options)
    {
        Tiny = tiny;
        this.options = options;
        Host = new MachineHost(options, TimeProvider.System, NullLogger.Instance);
    }

    public MachineImage Tiny { get; }

    public MachineHost Host { get; private set; }

    public string DataFolder => options.DataFolder;

    public string ControlGroupParent => options.ControlGroupParent;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public static async Task<MachineLab> CreateAsync(Func<MachineHostOptions, MachineHostOptions>? adjust = null)
    {
        var tiny = await Guests.RequireAsync("tiny", Stopping);
        var name = string.Create(CultureInfo.InvariantCulture, $"gwm-{Environment.ProcessId}-{Interlocked.Increment(ref count)}");
        var plain = new MachineHostOptions { DataFolder = $"/var/tmp/{name}", ControlGroupParent = name, Accelerator = Accelerator.Tcg };
        Directory.CreateDirectory(plain.DataFolder);
        return new MachineLab(tiny, adjust?.Invoke(plain) ?? plain);
    }

    public MachineSpec Spec(string kernelArguments = "", long memoryBytes = 128 << 20) => new()
    {
        Id = new MachineId(Guid.NewGuid()),
        DisplayName = "test/tiny",
        CpuCount = 1,
        MemoryBytes = memoryBytes,
        MachineType = "pc-q35-10.0",
        CpuModel = "max",
        Kernel = new DirectKernel(Tiny.KernelPath!, Tiny.InitrdPath, $"console=ttyS0 quiet ip=10.9.9.9::10.9.9.1:24:tiny:eth0:off {kernelArguments}".Trim()),
    };

    public FileInfo ConsoleLog(IMachine machine) => new(Path.Combine(DataFolder, "records", machine.Spec.Id.ToString(), "console.log"));

    public string QemuLog(IMachine machine) => Path.Combine(DataFolder, "records", machine.Spec.Id.ToString(), "log", "qemu.log");

    /// <summary>A guest whose user space runs.</summary>
    public async Task<IMachine> BootAsync(MachineSpec spec)
    {
        var machine = await Host.CreateAsync(spec, MachineStart.Boot, Stopping);
        await machine.ResumeAsync(Stopping);
        await machine.WaitForLogAsync("tiny: ready");
        return machine;
    }

    /// <summary>The agent dies and another one starts: only what is on disk and in the kernel is left.</summary>
    public async Task<IReadOnlyList<IMachine>> RestartAgentAsync()
    {
        await Host.DisposeAsync();
        Host = new MachineHost(options, TimeProvider.System, NullLogger.Instance);
        return await Host.AdoptAsync(Stopping);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var machine in await Host.AdoptAsync(CancellationToken.None))
        {
            await Host.RemoveAsync(machine.Place.Id, CancellationToken.None);
        }

        await Host.DisposeAsync();
        Directory.Delete(options.DataFolder, recursive: true);
        var groups = Godwit.Linux.ControlGroups.ControlGroupHost.Detect(TimeProvider.System);
        await groups.Open(ControlGroupParent).RemoveAsync(CancellationToken.None);
    }
}

internal static class MachineWaits
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public static async Task WaitForLogAsync(this IMachine machine, string text, TimeSpan? within = null)
    {
        await using var log = await machine.OpenLogAsync(null, follow: true, Stopping);
        await log.ReadUntilAsync(text, within);
    }

    /// <summary>Reads until the text has come; what was read, whole.</summary>
    public static async Task<string> ReadUntilAsync(this Stream stream, string text, TimeSpan? within = null)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Stopping);
        patience.CancelAfter(within ?? Until.Patience);
        var seen = new StringBuilder();
        var buffer = new byte[4096];
        while (!seen.ToString().Contains(text, StringComparison.Ordinal))
        {
            int read;
            try
            {
                read = await stream.ReadAsync(buffer, patience.Token);
            }
            catch (OperationCanceledException late) when (!Stopping.IsCancellationRequested)
            {
                throw new TimeoutException($"'{text}' did not come; what came: {seen}", late);
            }

            Assert.True(read > 0, $"the stream ended before '{text}' came; what came: {seen}");
            seen.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        return seen.ToString();
    }

    public static Task WaitForStateAsync(this IMachine machine, MachineRunState state) =>
        Until.TrueAsync(() => machine.RunState == state, $"{machine.Spec.DisplayName} becomes {state}; it is {machine.RunState}: {machine.RunStateReason}");

    /// <summary>Waits for QEMU to say a status by itself; fails at once when the migration does, unless that is what is waited for.</summary>
    public static Task WaitForMigrationAsync(this IMachine machine, string status) =>
        Until.TrueAsync(
            () => machine.Migration.LastStatus == status || (machine.Migration.LastStatus == "failed" ? throw new InvalidOperationException("the migration failed") : false),
            $"the migration is {status}");

    /// <summary>Waits for a reading.</summary>
    public static Task WaitForMigrationAsync(this IMachine machine, Func<MigrationStatistics, bool> isReached, string what) =>
        Until.TrueAsync(
            async () =>
            {
                var now = await machine.Migration.QueryAsync(Stopping);
                return isReached(now) || (now.Status == "failed" ? throw new InvalidOperationException($"the migration failed: {now.ErrorDescription}") : false);
            },
            $"the migration reaches {what}");

    /// <summary>What the guest's counter says now, asked over its serial console.</summary>
    public static async Task<long> ReadCounterAsync(this IMachine machine) => (await machine.AskGuestAsync("counter")).GetProperty("counter").GetInt64();

    /// <summary>Pages whose contents are not what they must be, after the guest has looked at all of them.</summary>
    public static async Task<long> CountBadPagesAsync(this IMachine machine)
    {
        var memory = await machine.AskGuestAsync("memory");
        return memory.GetProperty("badPages").GetInt64();
    }

    private static async Task<System.Text.Json.JsonElement> AskGuestAsync(this IMachine machine, string what)
    {
        await using var console = await machine.OpenConsoleAsync(Stopping);
        var mark = Guid.NewGuid().ToString("N");
        await console.WriteAsync(Encoding.ASCII.GetBytes($"\nwget -q -O - http://127.0.0.1/{what}; echo END-{mark[..8]}-\"{mark[8..]}\"\n"), Stopping);
        var words = await console.ReadUntilAsync($"END-{mark[..8]}-{mark[8..]}");
        return System.Text.Json.JsonElement.Parse(words.Split('\n', '\r').Last(line => line.TrimStart().StartsWith('{')));
    }
}
