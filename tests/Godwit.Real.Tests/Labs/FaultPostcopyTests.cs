using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// Post-copy, hurt while the guest runs on the target and a part of its memory is still at the source. The stream breaks
/// with either agent, and with the link: it is mended by itself, and nothing is lost. Only the loss of a QEMU loses the guest, and
/// before the guest ran at the target not even that of the target's.
/// </summary>
[Collection(FaultLabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class FaultPostcopyTests(SharedGuest shared) : IClassFixture<SharedGuest>
{
    /// <summary>More is rewritten in the first pass than can be sent within any downtime limit: so it is post-copy, and takes seconds.</summary>
    private const string Settings = "tiny.rate=-1 tiny.set=64M tiny.ballast=8M";

    private const string Bandwidth = "32M";
    private const int DeathsOfEach = 4;
    private static readonly TimeSpan FrozenFor = TimeSpan.FromSeconds(3.5);
    private readonly GodwitLab lab = shared.Lab;

    [Theory]
    [InlineData(Victim.SourceAgent)]
    [InlineData(Victim.TargetAgent)]
    [InlineData(Victim.BothAgents)]
    [InlineData(Victim.Server)]
    [InlineData(Victim.Move)]
    [InlineData(Victim.SourceAgentStopped)]
    [InlineData(Victim.TargetAgentStopped)]
    public async Task Whoever_dies_while_memory_is_pulled_it_goes_on_and_nothing_is_lost(Victim victim)
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "postcopy", bandwidth: Bandwidth);
        await move.TargetEntersAsync("Running");

        await move.HurtAsync(victim);
        await lab.BringUpAsync();

        var status = await move.EndsAsync();
        await guest.MustBeWholeAsync(move.Target, counter);
        witness.MustHaveSeenOneAtATime();
        if (victim == Victim.Move)
        {
            Assert.Null(status); // Too late to cancel: it went on, and its object went when it was over.
        }
        else
        {
            Assert.Equal(MigrationPhases.Succeeded, status!.Phase);
            Assert.Equal("PostCopy", status.MigrationState!.Mode); // As QEMU said, not as was asked.
        }

        shared.GiveBack(guest);
    }

    [Theory]
    [InlineData(Victim.SourceAgent)]
    [InlineData(Victim.TargetAgent)]
    public async Task An_agent_that_dies_before_the_order_to_run_was_sent_sends_or_gets_it_when_it_is_back(Victim victim)
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "postcopy", MoveHoldPoints.Arrived, Bandwidth);
        await move.IsHeldAtAsync(MoveHoldPoints.Arrived);
        await move.TargetEntersAsync("Arrived");

        await move.HurtAsync(victim);
        await lab.BringUpAsync();
        await move.ReleaseAsync();

        Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase);
        await guest.MustBeWholeAsync(move.Target, counter);
        witness.MustHaveSeenOneAtATime();
        shared.GiveBack(guest);
    }

    [Fact]
    public async Task A_target_QEMU_that_dies_in_post_copy_before_the_guest_ran_there_gives_it_back()
    {
        var guest = await shared.TakeAsync(Settings);
        var (counter, sourceQemu) = (await guest.CounterAsync(), Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "postcopy", MoveHoldPoints.Arrived, Bandwidth);
        await move.IsHeldAtAsync(MoveHoldPoints.Arrived);
        await move.TargetEntersAsync("Arrived");

        await GodwitLab.KillAsync(move.ProcessOf(Frozen.TargetQemu, guest, sourceQemu));
        await move.SourceEntersAsync("Reclaiming");
        await move.ReleaseAsync();

        var status = await move.EndsAsync();
        Assert.Equal(MigrationPhases.Failed, status!.Phase);
        Assert.Contains("the guest stayed on", status.MigrationState!.FailureReason, StringComparison.Ordinal);
        await guest.MustBeWholeAsync(move.Source, counter);
        witness.MustHaveSeenOneAtATime();
        shared.GiveBack(guest);
    }

    /// <summary>A stream that the agents carry is reset with them, in the moment in which the source's QEMU has no way back of its own and the target's nothing to go on with.</summary>
    [Theory]
    [InlineData(Victim.SourceAgent)]
    [InlineData(Victim.TargetAgent)]
    [InlineData(Victim.BothAgents)]
    public async Task Agents_that_die_just_when_post_copy_begins_cost_the_guest_nothing(Victim victim)
    {
        var guest = await shared.TakeAsync(Settings);
        for (var death = 0; death < DeathsOfEach; death++)
        {
            var counter = await guest.CounterAsync();
            await using var witness = RunWitness.Of(guest);
            var move = await TroubledMove.StartAsync(lab, guest, "postcopy", bandwidth: "200M");
            await move.SourceEntersAsync("Postcopying");

            await move.HurtAsync(victim);
            await lab.BringUpAsync();

            var status = await move.EndsAsync();
            await guest.MustBeWholeAsync(status!.Phase == MigrationPhases.Succeeded ? move.Target : move.Source, counter);
            witness.MustHaveSeenOneAtATime();
        }

        shared.GiveBack(guest);
    }

    [Fact]
    public async Task A_link_that_dies_while_memory_is_pulled_is_waited_for_and_the_stream_mended()
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "postcopy", bandwidth: Bandwidth);
        await move.TargetEntersAsync("Running");

        await lab.SetLinkAsync(move.Target, up: false);
        try
        {
            await move.SourceEntersAsync("Recovering");
            Assert.Equal(2, guest.ProcessIds().Count); // Both hold a part of its memory.
        }
        finally
        {
            await lab.SetLinkAsync(move.Target, up: true);
        }

        Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase);
        await guest.MustBeWholeAsync(move.Target, counter);
        witness.MustHaveSeenOneAtATime();
        shared.GiveBack(guest);
    }

    /// <summary>The agent of the source cannot be waited for to notice that it stands still itself; all others stand still until it has given the stream up.</summary>
    [Theory]
    [InlineData(Frozen.SourceQemu)]
    [InlineData(Frozen.TargetQemu)]
    [InlineData(Frozen.SourceAgent)]
    [InlineData(Frozen.TargetAgent)]
    [InlineData(Frozen.Server)]
    public async Task Who_stands_still_while_memory_is_pulled_is_waited_for_and_the_stream_mended(Frozen who)
    {
        var guest = await shared.TakeAsync(Settings);
        var (counter, sourceQemu) = (await guest.CounterAsync(), Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "postcopy", bandwidth: Bandwidth);
        await move.TargetEntersAsync("Running");

        var frozen = move.ProcessOf(who, guest, sourceQemu);
        if (who is Frozen.SourceAgent or Frozen.Server)
        {
            await GodwitLab.FreezeForAsync(frozen, FrozenFor);
        }
        else
        {
            await GodwitLab.FreezeAsync(frozen);
            try
            {
                await move.SourceEntersAsync("Recovering");
            }
            finally
            {
                await GodwitLab.ThawAsync(frozen);
            }
        }

        Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase);
        await guest.MustBeWholeAsync(move.Target, counter);
        witness.MustHaveSeenOneAtATime();
        shared.GiveBack(guest);
    }

    [Fact]
    public async Task A_link_that_becomes_a_hundred_times_slower_while_memory_is_pulled_is_waited_for()
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "postcopy", bandwidth: Bandwidth);
        await move.TargetEntersAsync("Running");

        await lab.SlowLinkAsync(move.Target, "10mbit");
        try
        {
            await move.HasSentAsync((await move.SentBytesAsync()) + (3 << 20));
        }
        finally
        {
            await lab.SlowLinkAsync(move.Target, "1gbit");
        }

        var status = (await move.EndsAsync())!;
        Assert.Equal(MigrationPhases.Succeeded, status.Phase);
        await guest.MustBeWholeAsync(move.Target, counter);
        witness.MustHaveSeenOneAtATime();
        shared.GiveBack(guest);
    }

    [Theory]
    [InlineData(Victim.SourceQemu)]
    [InlineData(Victim.TargetQemu)]
    public async Task A_QEMU_that_dies_while_memory_is_pulled_loses_the_guest_and_its_virtual_machine_boots_it_anew(Victim victim)
    {
        var guest = await shared.TakeAsync(Settings);
        var (before, sourceQemu) = ((await guest.FindAsync())!.Metadata.Uid, Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "postcopy", bandwidth: Bandwidth);
        await move.TargetEntersAsync("Running");

        await GodwitLab.KillAsync(move.ProcessOf(victim == Victim.SourceQemu ? Frozen.SourceQemu : Frozen.TargetQemu, guest, sourceQemu));

        var status = await move.EndsAsync();
        Assert.Equal(MigrationPhases.Failed, status!.Phase);
        Assert.Contains("the guest is lost", status.MigrationState!.FailureReason, StringComparison.Ordinal);
        await guest.MustBeBootedAnewAsync(before);
        Assert.DoesNotContain(sourceQemu, guest.ProcessIds());
        witness.MustHaveSeenOneAtATime();
    }
}
