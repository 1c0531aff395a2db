using Godwit.Machines;
using Godwit.Real.Tests.Labs;
using Godwit.Volumes;

namespace Godwit.Real.Tests.Machines;

/// <summary>Who holds a disk that both hosts reach, as QEMU's own locks on the image say it.</summary>
[Trait("Needs", "root")]
public sealed class SharedDiskTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory($"godwit-disk-{Environment.ProcessId}-").FullName;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    private string DiskPath => Path.Combine(folder, "disk.raw");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task An_arrived_guest_holds_no_disk_until_it_runs_and_the_source_can_take_it_back()
    {
        await using var move = await PrepareAsync();
        await ArriveAsync(move);

        Assert.False(await IsHeldAsync(), "Somebody holds the disk for writing while the guest runs nowhere.");
        await move.Target.StopAsync(TimeSpan.Zero, Stopping);
        await move.Source.ResumeAsync(Stopping);

        Assert.Equal(MachineRunState.Running, await move.Source.QueryRunStateAsync(Stopping));
        Assert.True(await IsHeldAsync());
        Assert.Equal(0, await move.Source.CountBadPagesAsync());
    }

    [Fact]
    public async Task A_guest_that_runs_on_the_target_holds_its_disk_and_QEMU_refuses_to_run_it_on_the_source()
    {
        await using var move = await PrepareAsync();
        await ArriveAsync(move);

        await move.Target.ResumeAsync(Stopping);

        Assert.True(await IsHeldAsync());
        await Assert.ThrowsAsync<MachineException>(() => move.Source.ResumeAsync(Stopping));
        Assert.NotEqual(MachineRunState.Running, await move.Source.QueryRunStateAsync(Stopping));
        Assert.Equal(0, await move.Target.CountBadPagesAsync());
    }

    /// <summary>A guest with the disk, running at the source; both machines' users may write the image, as on shared storage.</summary>
    private async Task<MachineMove> PrepareAsync()
    {
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
        await using (var image = File.Create(DiskPath))
        {
            image.SetLength(16 << 20);
        }

        File.SetUnixFileMode(DiskPath, (UnixFileMode)0b110_110_110);
        var move = await MachineMove.PrepareAsync(new MigrationSettings { DowntimeLimitMs = 100 }, sharedDisks: [new MachineDisk("data", DiskPath, DiskFormat.Raw, ReadOnly: false)]);
        Assert.True(await IsHeldAsync(), "The source does not hold the disk of its running guest.");
        return move;
    }

    private static async Task ArriveAsync(MachineMove move)
    {
        await move.StartAsync();
        await move.Source.WaitForMigrationAsync("pre-switchover");
        await move.Source.Migration.ContinueSwitchoverAsync(Stopping);
        await move.Source.WaitForStateAsync(MachineRunState.PostMigrate);
        await move.Target.WaitForStateAsync(MachineRunState.Paused);
    }

    /// <summary>Tries to open the image for writing, as any QEMU would.</summary>
    private async Task<bool> IsHeldAsync()
    {
        var tried = await Command.RunAsync("qemu-io", ["-f", "raw", "-c", "read 0 512", DiskPath], TimeSpan.FromSeconds(60));
        Assert.True(tried.ExitCode == 0 || tried.Errors.Contains("lock", StringComparison.Ordinal), $"{tried.CommandLine}: {tried.Output}{tried.Errors}");
        return tried.ExitCode != 0;
    }
}
