using Godwit.Machines;

namespace Godwit.Real.Tests.Machines;

/// <summary>Each effect that a migration is made of, on two real QEMUs: what it does, and what it leaves when it goes wrong.</summary>
[Trait("Needs", "root")]
public sealed class MigrationEffectTests
{
    private const long SlowBytesPerSecond = 20 << 20;

    private static readonly MigrationSettings Precopy = new() { DowntimeLimitMs = 100 };
    private static readonly MigrationSettings Postcopy = new() { Postcopy = true, PostcopyPreempt = true, MaxBandwidthBytesPerSecond = SlowBytesPerSecond };

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Precopy_stops_at_the_barrier_and_the_target_runs_only_when_told()
    {
        await using var move = await MachineMove.PrepareAsync(Precopy);
        var before = await move.Source.ReadCounterAsync();
        await move.StartAsync();
        await move.Source.WaitForMigrationAsync("pre-switchover");
        await move.Source.WaitForStateAsync(MachineRunState.Paused);
        Assert.Equal(MachineRunState.Incoming, move.Target.RunState);

        await move.Source.Migration.ContinueSwitchoverAsync(Stopping);
        await move.Source.WaitForStateAsync(MachineRunState.PostMigrate);
        await move.Target.WaitForStateAsync(MachineRunState.Paused);
        Assert.Equal("completed", (await move.Target.Migration.QueryAsync(Stopping)).Status);
        Assert.Equal(MachineRunState.Paused, move.Target.RunState);

        await move.Target.ResumeAsync(Stopping);
        await move.Target.Migration.AnnounceAsync(Stopping);
        Assert.True(await move.Target.ReadCounterAsync() > before);
        Assert.Equal(0, await move.Target.CountBadPagesAsync());

        var measured = await move.Source.Migration.QueryAsync(Stopping);
        Assert.True(measured.TotalTimeMs > 0 && measured.DowntimeMs is > 0 && measured.TransferredBytes > 48 << 20 && measured.DirtySyncCount >= 2);
    }

    [Fact]
    public async Task Cancel_in_the_first_pass_leaves_the_guest_running_where_it_was()
    {
        await using var move = await MachineMove.PrepareAsync(Precopy with { MaxBandwidthBytesPerSecond = 4 << 20 });
        await move.StartAsync();
        await move.Source.WaitForMigrationAsync(now => now.Status == "active" && now.TransferredBytes > 0, "the first pass");
        await move.Source.Migration.CancelAsync(TimeSpan.FromSeconds(10), Stopping);
        await AssertSourceRunsOnAsync(move);
    }

    [Fact]
    public async Task Cancel_at_the_barrier_lets_the_guest_run_again_where_it_was()
    {
        await using var move = await MachineMove.PrepareAsync(Precopy);
        await move.StartAsync();
        await move.Source.WaitForMigrationAsync("pre-switchover");
        await move.Source.Migration.CancelAsync(TimeSpan.FromSeconds(10), Stopping);
        await AssertSourceRunsOnAsync(move);
    }

    [Fact]
    public async Task Cancel_without_a_migration_is_nothing_to_do()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.Host.CreateAsync(lab.Spec(), MachineStart.Boot, Stopping);
        await machine.Migration.CancelAsync(TimeSpan.FromSeconds(5), Stopping);
        Assert.Equal("none", (await machine.Migration.QueryAsync(Stopping)).Status);
    }

    [Fact]
    public async Task Dead_link_in_the_switchover_window_hangs_QEMU_until_it_is_cut_out_of_band()
    {
        // Never able to send the rest within the limit at this rate, until the limit is raised: then much is left to send.
        await using var move = await MachineMove.PrepareAsync(Precopy with { DowntimeLimitMs = 3000, MaxBandwidthBytesPerSecond = SlowBytesPerSecond }, "tiny.ballast=32M tiny.set=32M tiny.rate=-1");
        var wire = await move.StartAsync();
        await move.Source.WaitForMigrationAsync("pre-switchover");
        wire.Freeze();
        await ContinueIntoTheHangAsync(move.Source);
        await Until.TrueAsync(() => MonitorHangsAsync(move.Source), "the source's monitor hangs on the dead link");

        await move.Target.StopAsync(TimeSpan.Zero, Stopping); // Fenced first.
        await move.Source.Migration.CancelAsync(TimeSpan.FromSeconds(5), Stopping);
        await AssertSourceRunsOnAsync(move);
    }

    [Fact]
    public async Task Source_that_hangs_on_a_dead_link_is_freed_by_an_agent_that_was_not_there_before()
    {
        await using var move = await MachineMove.PrepareAsync(Precopy with { DowntimeLimitMs = 3000, MaxBandwidthBytesPerSecond = SlowBytesPerSecond }, "tiny.ballast=32M tiny.set=32M tiny.rate=-1", Impatient);
        var wire = await move.StartAsync();
        await move.Source.WaitForMigrationAsync("pre-switchover");
        wire.Freeze();
        await ContinueIntoTheHangAsync(move.Source);
        await Until.TrueAsync(() => MonitorHangsAsync(move.Source), "the source's monitor hangs on the dead link");

        var source = Assert.Single(await move.RestartSourceAgentAsync());
        Assert.Equal(MachineRunState.Unresponsive, source.RunState);
        await move.Target.StopAsync(TimeSpan.Zero, Stopping);
        await source.Migration.CancelAsync(TimeSpan.FromSeconds(5), Stopping);
        await source.WaitForStateAsync(MachineRunState.Running);
        Assert.Equal(0, await source.CountBadPagesAsync());
    }

    [Fact]
    public async Task Target_killed_in_precopy_fails_the_migration_and_spares_the_guest()
    {
        await using var move = await MachineMove.PrepareAsync(Precopy with { MaxBandwidthBytesPerSecond = 4 << 20 });
        await move.StartAsync();
        await move.Source.WaitForMigrationAsync(now => now.TransferredBytes > 0, "the first bytes");
        await move.Target.StopAsync(TimeSpan.Zero, Stopping);
        await move.Source.WaitForMigrationAsync("failed");
        await AssertSourceRunsOnAsync(move);
    }

    [Fact]
    public async Task Postcopy_runs_at_the_target_before_its_memory_is_there()
    {
        await using var move = await MachineMove.PrepareAsync(Postcopy);
        var before = await move.Source.ReadCounterAsync();
        await SwitchToPostcopyAsync(move);
        Assert.Equal("postcopy-active", (await move.Source.Migration.QueryAsync(Stopping)).Status);
        await Assert.ThrowsAsync<MachineException>(() => move.Source.ResumeAsync(Stopping));
        Assert.True(await move.Target.ReadCounterAsync() > before);

        await move.Source.WaitForMigrationAsync("completed");
        await move.Source.WaitForStateAsync(MachineRunState.PostMigrate);
        Assert.Equal(0, await move.Target.CountBadPagesAsync());
        Assert.True((await move.Source.Migration.QueryAsync(Stopping)).PostcopyRequests > 0);
    }

    [Fact]
    public async Task Postcopy_stream_that_broke_is_recovered_and_the_guest_loses_nothing()
    {
        await using var move = await MachineMove.PrepareAsync(Postcopy);
        var wire = await SwitchToPostcopyAsync(move);
        wire.Cut();
        await move.Source.WaitForMigrationAsync("postcopy-paused");
        await move.Target.WaitForMigrationAsync("postcopy-paused");
        await move.RecoverAsync();
        await move.Source.WaitForMigrationAsync("completed");
        Assert.Equal(0, await move.Target.CountBadPagesAsync());
    }

    [Fact]
    public async Task Postcopy_stream_on_a_dead_link_is_paused_on_purpose_and_recovered()
    {
        await using var move = await MachineMove.PrepareAsync(Postcopy);
        var wire = await SwitchToPostcopyAsync(move);
        wire.Freeze();
        await move.Source.Migration.PauseStreamAsync(Stopping);
        await move.Source.WaitForMigrationAsync("postcopy-paused");
        await move.Target.Migration.CutStreamAsync(Stopping);
        await move.Target.WaitForMigrationAsync("postcopy-paused");
        await move.RecoverAsync();
        await move.Source.WaitForMigrationAsync("completed");
        Assert.Equal(0, await move.Target.CountBadPagesAsync());
    }

    [Fact]
    public async Task Postcopy_target_may_be_told_to_cut_its_stream_in_the_very_moment_in_which_that_breaks()
    {
        await using var move = await MachineMove.PrepareAsync(Postcopy, "tiny.ballast=16M tiny.set=64M tiny.rate=5M");
        var wire = await SwitchToPostcopyAsync(move);
        await move.Source.Migration.LimitPostcopyAsync(1 << 20, Stopping);
        for (var round = 0; round < 16; round++)
        {
            await PagesComeAsync(move.Source);
            wire.Cut();
            while (move.Target.Migration.LastStatus == "postcopy-active")
            {
                await move.Target.Migration.CutStreamAsync(Stopping);
            }

            await move.Source.WaitForMigrationAsync("postcopy-paused");
            await move.Target.WaitForMigrationAsync("postcopy-paused");
            wire = await move.RecoverAsync();
            await move.Target.WaitForMigrationAsync("postcopy-active");
        }

        await move.Source.Migration.LimitPostcopyAsync(0, Stopping);
        await move.Source.WaitForMigrationAsync("completed");
        Assert.Equal(0, await move.Target.CountBadPagesAsync());
    }

    [Fact]
    public async Task Postcopy_target_is_recovered_by_an_agent_that_was_not_there_before()
    {
        await using var move = await MachineMove.PrepareAsync(Postcopy, adjust: Impatient);
        var wire = await SwitchToPostcopyAsync(move);
        wire.Cut();
        await move.Source.WaitForMigrationAsync("postcopy-paused");
        await move.Target.WaitForMigrationAsync("postcopy-paused");

        // Its main loop may hang, waiting for a page, or not: the new agent must manage either way.
        await move.RestartTargetAgentAsync();
        await move.RecoverAsync();
        await move.Source.WaitForMigrationAsync("completed");
        await move.Target.WaitForStateAsync(MachineRunState.Running);
        Assert.Equal(0, await move.Target.CountBadPagesAsync());
    }

    [Fact]
    public async Task Bounds_change_while_the_stream_runs()
    {
        await using var move = await MachineMove.PrepareAsync(Precopy with { MaxBandwidthBytesPerSecond = 1 << 20 });
        await move.StartAsync();
        await move.Source.WaitForMigrationAsync(now => now.Status == "active", "its start");
        await move.Source.Migration.AdjustAsync(maxBandwidthBytesPerSecond: 0, downtimeLimitMs: 50, Stopping);
        await move.Source.WaitForMigrationAsync("pre-switchover");
    }

    [Fact]
    public async Task Source_that_waits_at_the_barrier_is_adopted_and_both_ends_keep_their_state()
    {
        await using var move = await MachineMove.PrepareAsync(Precopy);
        await move.StartAsync();
        await move.Source.WaitForMigrationAsync("pre-switchover");
        var source = Assert.Single(await move.RestartSourceAgentAsync());
        Assert.Equal(MachineRunState.Paused, source.RunState);
        Assert.Equal("pre-switchover", (await source.Migration.QueryAsync(Stopping)).Status);
        await source.Migration.CancelAsync(TimeSpan.FromSeconds(10), Stopping);
        await source.WaitForStateAsync(MachineRunState.Running);
    }

    [Fact]
    public async Task Dirty_rate_is_measured_while_nothing_moves()
    {
        await using var lab = await MachineLab.CreateAsync();
        var machine = await lab.BootAsync(lab.Spec("tiny.set=64M tiny.rate=-1", memoryBytes: 256 << 20));
        var sample = await machine.Migration.SampleDirtyRateAsync(TimeSpan.FromSeconds(1), Stopping);
        Assert.InRange(sample.DirtyBytesPerSecond, 1 << 20, 1L << 30);
    }

    private static MachineHostOptions Impatient(MachineHostOptions options) => options with { AdoptBound = TimeSpan.FromSeconds(2) };

    private static async Task<MachineMove.Wire> SwitchToPostcopyAsync(MachineMove move)
    {
        var wire = await move.StartAsync();
        await move.Source.WaitForMigrationAsync(now => now.Status == "active" && now.TransferredBytes > 1 << 20, "the first pass");
        await move.Source.Migration.StartPostcopyAsync(Stopping);
        await move.Source.WaitForMigrationAsync("pre-switchover");
        await move.Source.Migration.ContinueSwitchoverAsync(Stopping);
        await move.Target.WaitForMigrationAsync("postcopy-active");
        Assert.NotEqual(MachineRunState.Running, move.Target.RunState);
        await move.Target.ResumeAsync(Stopping);
        return wire;
    }

    /// <summary>
    /// Pages that the guest asks for arrive. Before that a cut is no test of us: for the first moments after a stream was resumed QEMU's own thread for urgent pages may only be about to read it, and then
    /// it reads what another thread of QEMU's has closed already, whoever broke it.
    /// </summary>
    private static async Task PagesComeAsync(IMachine source)
    {
        var before = (await source.Migration.QueryAsync(Stopping)).PostcopyRequests;
        await source.WaitForMigrationAsync(now => now.PostcopyRequests >= before + 8, "pages that the guest asks for");
    }

    private static async Task AssertSourceRunsOnAsync(MachineMove move)
    {
        await move.Source.WaitForStateAsync(MachineRunState.Running);
        Assert.NotEqual(MachineRunState.Running, move.Target.RunState);
        var before = await move.Source.ReadCounterAsync();
        Assert.True(await move.Source.ReadCounterAsync() > before);
        Assert.Equal(0, await move.Source.CountBadPagesAsync());
    }

    /// <summary>QEMU may hang before it answers this very command, or after.</summary>
    private static async Task ContinueIntoTheHangAsync(IMachine machine)
    {
        try
        {
            await machine.Migration.ContinueSwitchoverAsync(Stopping);
        }
        catch (MachineException error) when (error.InnerException is Godwit.Qmp.QmpTimeoutException)
        {
            // The monitor hangs already, which is what the test waits for next.
        }
    }

    private static async Task<bool> MonitorHangsAsync(IMachine machine)
    {
        try
        {
            await machine.Migration.QueryAsync(Stopping);
            return false;
        }
        catch (MachineException error) when (error.InnerException is Godwit.Qmp.QmpTimeoutException)
        {
            return true;
        }
    }
}
