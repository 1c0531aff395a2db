using Godwit.Linux.Processes;

namespace Godwit.Linux.Tests.Processes;

public sealed class LinuxProcessTests
{
    private static readonly ProcessLauncher Launcher = new(TimeProvider.System);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_adopted_process_can_be_watched_and_ended()
    {
        using var started = await SleepAsync();
        Assert.True(ProcessIdentity.TryParse(started.Identity.ToString(), out var read));
        using var adopted = LinuxProcess.TryOpen(read);
        Assert.NotNull(adopted);
        Assert.False(adopted.Exited.IsCompleted);
        await adopted.StopAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Stopping);
        await started.Exited.WaitAsync(Stopping);
        Assert.Null(LinuxProcess.TryOpen(read));
    }

    [Fact]
    public async Task A_pid_with_another_start_time_or_from_another_boot_is_another_process()
    {
        using var process = await SleepAsync();
        Assert.Null(LinuxProcess.TryOpen(process.Identity with { StartTimeTicks = process.Identity.StartTimeTicks - 1 }));
        Assert.Null(LinuxProcess.TryOpen(process.Identity with { BootId = Guid.NewGuid() }));
        await process.StopAsync(TimeSpan.Zero, TimeProvider.System, Stopping);
    }

    [Fact]
    public async Task A_process_that_ignores_the_request_is_ended_after_its_grace()
    {
        using var folder = new TemporaryFolder();
        using var process = await Launcher.LaunchAsync(
            new ProcessLaunch { Program = "/bin/sh", Arguments = ["-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"], OutputPath = folder["out"] }, null, Stopping);
        await Wait.ForAsync(() => File.ReadAllText(folder["out"]) == "deaf\n", "the trap is set");
        Assert.Equal((int)ProcessSignal.Kill, (await process.StopAsync(TimeSpan.FromMilliseconds(50), TimeProvider.System, Stopping)).Signal);
    }

    [Fact]
    public async Task Its_children_are_reaped()
    {
        var process = await SleepAsync();
        await process.StopAsync(TimeSpan.Zero, TimeProvider.System, Stopping);
        Assert.Null(ProcessIdentity.Find(process.Identity.ProcessId));
        process.Dispose();
    }

    [Theory]
    [InlineData("12 (sh) S 1 12 12 0 -1 4194304 1 0 0 0 5 6 0 0 20 0 1 0 3141 0 0", 'S', 3141UL, 11UL, false)]
    [InlineData("12 (sh) S 1 12 12 0 -1 4194564 1 0 0 0 5 6 0 0 20 0 1 0 3141 0 0", 'S', 3141UL, 11UL, true)]
    [InlineData("12 (a) b) R 9) Z 1 12 12 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 7 0 0", 'Z', 7UL, 0UL, false)]
    public void Stat_is_read_past_any_program_name(string text, char state, ulong start, ulong cpu, bool isExiting)
    {
        var stat = ProcessStat.Parse(text)!.Value;
        Assert.Equal((state, start, cpu, isExiting), (stat.State, stat.StartTimeTicks, stat.CpuTicks, stat.IsExiting));
    }

    [Theory]
    [InlineData("")]
    [InlineData("12 (sh")]
    [InlineData("12 (sh)")]
    [InlineData("12 (sh) S 1 2")]
    [InlineData("12 (sh) S 1 12 12 0 -1 4194304 1 0 0 0 x 6 0 0 20 0 1 0 3141 0 0")]
    public void Stat_that_is_no_stat_is_nothing(string text) => Assert.Null(ProcessStat.Parse(text));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("1/2")]
    [InlineData("4bc5ee36-4f1c-4d8c-a5b0-0d1a4a4a2a0b/-1/5")]
    [InlineData("4bc5ee36-4f1c-4d8c-a5b0-0d1a4a4a2a0b/0/5")]
    [InlineData("4bc5ee36-4f1c-4d8c-a5b0-0d1a4a4a2a0b/1/5/6")]
    [InlineData("nonsense/1/5")]
    public void An_identity_that_is_damaged_names_nobody(string? text) => Assert.False(ProcessIdentity.TryParse(text, out _));

    private static Task<LinuxProcess> SleepAsync() => Launcher.LaunchAsync(new ProcessLaunch { Program = "/bin/sleep", Arguments = ["600"] }, null, Stopping);
}
