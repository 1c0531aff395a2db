using Godwit.Machines;

namespace Godwit.Real.Tests.Machines;

/// <summary>The two moments of post-copy that QEMU leaves open, on two real QEMUs: before the target has the guest, and when all is sent and not yet acknowledged.</summary>
[Trait("Needs", "root")]
public sealed class PostcopyEndTests
{
    private const string Guest = "tiny.ballast=32M tiny.set=16M tiny.rate=5M";

    private static readonly MigrationSettings Settings = new() { Postcopy = true, PostcopyPreempt = true };

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Guest_whose_target_died_before_it_ran_it_is_taken_back_whole_and_can_be_moved_again(bool preempt)
    {
        await using var move = await MachineMove.PrepareAsync(Settings with { PostcopyPreempt = preempt }, Guest);
        var before = await move.Source.ReadCounterAsync();
        var wire = await StopAtTheSwitchAsync(move);
        wire.Freeze(); // The device state does not arrive.
        await move.Source.Migration.ContinueSwitchoverAsync(Stopping);
        await move.Source.WaitForMigrationAsync("postcopy-active");
        await move.Target.StopAsync(TimeSpan.Zero, Stopping);
        wire.Cut();
        await move.Source.WaitForMigrationAsync("postcopy-paused");
        await Assert.ThrowsAsync<MachineException>(() => move.Source.ResumeAsync(Stopping));
        await Assert.ThrowsAsync<MachineException>(() => move.Source.Migration.CancelAsync(TimeSpan.FromSeconds(1), Stopping));

        await move.Source.Migration.ReclaimAsync(Stopping);
        Assert.Equal("failed", (await move.Source.Migration.QueryAsync(Stopping)).Status);
        await move.Source.WaitForStateAsync(MachineRunState.Paused);
        await move.Source.Migration.ReclaimAsync(Stopping); // Nothing is left to do.
        await move.Source.ResumeAsync(Stopping);
        Assert.True(await move.Source.ReadCounterAsync() > before);
        Assert.Equal(0, await move.Source.CountBadPagesAsync());

        await move.PrepareAnotherTargetAsync(Settings);
        await move.StartAsync();
        await move.Source.WaitForMigrationAsync(now => now.Status == "pre-switchover", "the barrier");
        await move.Source.Migration.ContinueSwitchoverAsync(Stopping);
        await move.Source.WaitForStateAsync(MachineRunState.PostMigrate);
        await move.Target.WaitForStateAsync(MachineRunState.Paused);
        await move.Target.ResumeAsync(Stopping);
        Assert.True(await move.Target.ReadCounterAsync() > before);
        Assert.Equal(0, await move.Target.CountBadPagesAsync());
    }

    [Fact]
    public async Task Guest_that_runs_at_its_target_does_not_run_again_at_its_source_when_the_receipt_of_its_last_page_is_lost()
    {
        await using var move = await MachineMove.PrepareAsync(Settings, Guest);
        var wire = await StopAtTheSwitchAsync(move);
        await move.Source.Migration.ContinueSwitchoverAsync(Stopping);
        await move.Target.WaitForMigrationAsync("postcopy-active");
        wire.FreezeAnswers();
        await move.Target.ResumeAsync(Stopping);
        await move.Target.WaitForMigrationAsync("completed");
        Assert.Equal("postcopy-active", (await move.Source.Migration.QueryAsync(Stopping)).Status);
        Assert.Equal(0, (await move.Source.Migration.QueryAsync(Stopping)).RemainingBytes);

        wire.Cut();
        await move.Source.WaitForMigrationAsync("failed");
        await move.Source.WaitForStateAsync(MachineRunState.Paused);
        Assert.Equal(0, await move.Target.CountBadPagesAsync());
        Assert.Equal(MachineRunState.Paused, move.Source.RunState);
    }

    /// <summary>As a move does it: the guest is stopped by order, and QEMU goes to the barrier.</summary>
    private static async Task<MachineMove.Wire> StopAtTheSwitchAsync(MachineMove move)
    {
        var wire = await move.StartAsync();
        await move.Source.WaitForMigrationAsync(now => now.Status == "active" && now.TransferredBytes > 1 << 20, "the first pass");
        await move.Source.PauseAsync(Stopping);
        await move.Source.Migration.StartPostcopyAsync(Stopping);
        await move.Source.WaitForMigrationAsync("pre-switchover");
        return wire;
    }
}
