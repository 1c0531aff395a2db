using System.Diagnostics;
using System.Globalization;
using System.Net;
using Godwit.Networks.Labs;
using Godwit.Qmp;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.MoveBench;

/// <summary>QEMU driven over QMP by hand, with its usual settings: no bound on bandwidth, its own downtime limit of 300 ms.</summary>
internal sealed class QemuSystem(Stage stage, BenchSetup setup) : IMovingSystem
{
    private const int MigrationPort = 4444;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);
    private readonly string folder = Directory.CreateTempSubdirectory("godwit-move-bench-qemu-").FullName;
    private Writer? writer;
    private Running? source;
    private Running? target;
    private int host = 1;
    private int started;

    public string Name => "qemu";

    public IPAddress Guest => Stage.Guest;

    public Func<ulong> SourceCounter()
    {
        var from = host;
        return () => stage.SentBytes(from);
    }

    private int Other => 3 - host;

    public void SetRate(LinkRate rate) => stage.SetRate(rate);

    public async Task StartAsync(Writer writer, CancellationToken stopping)
    {
        this.writer = writer;
        host = 1;
        source = await LaunchAsync(host, isIncoming: false, stopping);
    }

    public async Task PrepareAsync(CancellationToken stopping)
    {
        target = await LaunchAsync(Other, isIncoming: true, stopping);
        await source!.Monitor.ExecuteAsync(QmpCommands.MigrateSetParameters(new QmpMigrationParameters { MaxBandwidth = 0 }), stopping);
        await target.Monitor.ExecuteAsync(QmpCommands.MigrateIncoming($"tcp:{stage.Address(Other)}:{MigrationPort}"), stopping);
    }

    public async Task<OwnWord> MoveAsync(CancellationToken stopping)
    {
        var clock = Stopwatch.StartNew();
        await source!.Monitor.ExecuteAsync(QmpCommands.Migrate($"tcp:{stage.Address(Other)}:{MigrationPort}"), stopping);
        using var look = new PeriodicTimer(Look);
        while (await look.WaitForNextTickAsync(stopping))
        {
            var reading = await source.Monitor.ExecuteAsync(QmpCommands.QueryMigrate, stopping);
            if (reading.Status is "completed" or "failed" or "cancelled")
            {
                var passes = string.Create(CultureInfo.InvariantCulture, $"{reading.Ram?.DirtySyncCount} passes{(reading.Status == "completed" ? "" : $", {reading.Status}")}");
                return new OwnWord(reading.Status == "completed", reading.TotalTime / 1000, reading.TotalTime / 1000, reading.Downtime, passes);
            }

            if (clock.Elapsed > stage.Patience && reading.Status == "active")
            {
                await source.Monitor.ExecuteAsync(QmpCommands.MigrateCancel, stopping);
            }
        }

        throw new UnreachableException();
    }

    public async Task SettleAsync(CancellationToken stopping)
    {
        var status = await source!.Monitor.ExecuteAsync(QmpCommands.QueryStatus, stopping);
        if (status.Running)
        {
            await target!.DisposeAsync();
        }
        else
        {
            await source.DisposeAsync();
            (source, host) = (target, Other);
        }

        target = null;
    }

    public async Task StopAsync(CancellationToken stopping)
    {
        foreach (var each in new[] { source, target }.OfType<Running>())
        {
            await each.DisposeAsync();
        }

        (source, target) = (null, null);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        Directory.Delete(folder, recursive: true);
    }

    private async Task<Running> LaunchAsync(int where, bool isIncoming, CancellationToken stopping)
    {
        var monitor = Path.Combine(folder, $"monitor-{++started}");
        List<string> arguments =
        [
            "netns", "exec", stage.Place(where).Name, "qemu-system-x86_64", "-nodefaults", "-display", "none",
            "-machine", "q35", "-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max", "-m", $"{Writer.MemoryMiB}M", "-smp", "1",
            "-kernel", Path.Combine(setup.ImageFolder, "vmlinuz"), "-initrd", Path.Combine(setup.ImageFolder, "initrd"),
            "-append", $"console=ttyS0 quiet {Stage.AddressArgument} {writer!.KernelArguments}",
            "-netdev", $"tap,id=nic,ifname={Stage.TapName},script=no,downscript=no",
            "-device", $"virtio-net-pci,netdev=nic,mac={Stage.GuestMac}",
            "-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random",
            "-qmp", $"unix:{monitor},server=on,wait=off",
        ];
        if (isIncoming)
        {
            arguments.AddRange(["-incoming", "defer"]);
        }

        var process = Tools.Start("ip", arguments);
        using var look = new PeriodicTimer(Look);
        while (!File.Exists(monitor) && await look.WaitForNextTickAsync(stopping))
        {
            if (process.HasExited)
            {
                throw new IOException($"QEMU ended at its start with exit code {process.ExitCode}.");
            }
        }

        return new Running(process, await QmpConnection.ConnectAsync(monitor, new QmpOptions(), TimeProvider.System, NullLogger.Instance, stopping));
    }

    private sealed record Running(Process Process, QmpConnection Monitor) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Monitor.DisposeAsync();
            Process.Kill();
            await Process.WaitForExitAsync();
            Process.Dispose();
        }
    }
}
