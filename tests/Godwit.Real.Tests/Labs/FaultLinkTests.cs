using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>The link to the target goes dark while a real guest moves, and comes back; or an agent is stopped in good order.</summary>
[Collection(FaultLabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class FaultLinkTests(SharedGuest shared) : IClassFixture<SharedGuest>
{
    private const string Precopying = "Precopying";
    private const string Settings = "tiny.rate=20M tiny.set=16M tiny.ballast=16M";
    private readonly GodwitLab lab = shared.Lab;

    [Fact]
    public async Task A_link_that_dies_while_memory_is_copied_is_noticed_and_the_guest_stays()
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", bandwidth: "16M");
        await move.HasSentAsync(1 << 20);

        await WithoutLinkAsync(move.Target, async () =>
        {
            await move.SourceEntersAsync("Fencing");
            await guest.MustHaveGoneOnAsync(counter); // Already, and not only when the link is back.
        });

        await StaysAsync(guest, move, counter, "not one byte has moved");
    }

    [Fact]
    public async Task A_link_that_dies_in_the_switchover_window_costs_the_watchdogs_time_and_not_the_guest()
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", MoveHoldPoints.Barrier);
        await move.IsHeldAtAsync(MoveHoldPoints.Barrier);

        await WithoutLinkAsync(move.Target, async () =>
        {
            await move.ReleaseAsync();
            await move.SourceEntersAsync("Fencing");
            await guest.MustHaveGoneOnAsync(counter);
        });

        await StaysAsync(guest, move, counter, "the last of the guest's state did not reach");
        witness.MustHaveSeenOneAtATime();
    }

    [Fact]
    public async Task A_link_that_dies_after_the_order_to_run_is_waited_for_and_the_guest_runs_on_the_target_alone()
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", MoveHoldPoints.Granted);
        await move.IsHeldAtAsync(MoveHoldPoints.Granted);

        await WithoutLinkAsync(move.Target, async () =>
        {
            await move.TargetEntersAsync("Completed");
            await move.HasConditionAsync("Moving", "True", "Activating"); // The source was not told, and does nothing but ask.
        });

        await MovesAsync(guest, move, counter);
        witness.MustHaveSeenOneAtATime();
    }

    [Fact]
    public async Task A_link_that_dies_before_the_stream_begins_turns_the_move_back()
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", MoveHoldPoints.Prepared);
        await move.IsHeldAtAsync(MoveHoldPoints.Prepared);

        await WithoutLinkAsync(move.Target, async () =>
        {
            await move.ReleaseAsync();
            await move.SourceEntersAsync("Fencing");
            await guest.MustHaveGoneOnAsync(counter);
        });

        await StaysAsync(guest, move, counter, "QEMU ended the stream");
        witness.MustHaveSeenOneAtATime();
    }

    [Fact]
    public async Task A_link_that_dies_just_before_the_order_to_run_is_waited_for_with_the_guest_on_neither_side()
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", MoveHoldPoints.Arrived);
        await move.IsHeldAtAsync(MoveHoldPoints.Arrived);

        await WithoutLinkAsync(move.Target, async () =>
        {
            await move.ReleaseAsync();
            await move.HasNoAnswerAsync("Run"); // It may have been heard: from here on the source asks, and does nothing else.
            Assert.Equal(2, guest.ProcessIds().Count);
        });

        await MovesAsync(guest, move, counter);
        witness.MustHaveSeenOneAtATime();
    }

    [Fact]
    public async Task A_link_that_dies_when_the_guest_has_moved_is_not_needed_to_end_the_move()
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", MoveHoldPoints.Moved);
        await move.IsHeldAtAsync(MoveHoldPoints.Moved);

        await WithoutLinkAsync(move.Target, async () =>
        {
            await move.ReleaseAsync();
            await move.SourceEntersAsync("Completed");
        });

        await MovesAsync(guest, move, counter);
        witness.MustHaveSeenOneAtATime();
    }

    [Theory]
    [InlineData(MoveHoldPoints.Prepared)]
    [InlineData(Precopying)]
    [InlineData(MoveHoldPoints.Barrier)]
    [InlineData(MoveHoldPoints.Arrived)]
    [InlineData(MoveHoldPoints.Granted)]
    [InlineData(MoveHoldPoints.Moved)]
    public async Task A_link_that_becomes_a_hundred_times_slower_is_waited_for(string point)
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        await using var witness = RunWitness.Of(guest);
        var held = point != Precopying;
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", held ? point : null, held ? null : "16M");
        await (held ? move.IsHeldAtAsync(point) : move.HasSentAsync(1 << 20));

        await lab.SlowLinkAsync(move.Target, "10mbit");
        try
        {
            await move.ReleaseAsync();
            await (point is MoveHoldPoints.Prepared or Precopying ? move.HasSentAsync((await move.SentBytesAsync()) + (3 << 20)) : move.SourceEntersAsync("Completed"));
        }
        finally
        {
            await lab.SlowLinkAsync(move.Target, "1gbit");
        }

        await MovesAsync(guest, move, counter);
        witness.MustHaveSeenOneAtATime();
    }

    [Theory]
    [InlineData(Precopying)]
    [InlineData(MoveHoldPoints.Barrier)]
    public async Task A_source_agent_that_is_stopped_in_good_order_gives_the_guest_back_before_it_ends(string point)
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        var held = point == MoveHoldPoints.Barrier;
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", held ? point : null, held ? null : "16M");
        await (held ? move.IsHeldAtAsync(point) : move.SourceEntersAsync(point));

        await GodwitLab.StopAsync(lab.AgentProcessId(move.Source));
        await guest.MustHaveGoneOnAsync(counter); // With no agent there to help it.
        await lab.BringUpAsync();

        await StaysAsync(guest, move, counter, "the source's agent was restarted");
    }

    private async Task StaysAsync(TinyGuest guest, TroubledMove move, long counter, string reason)
    {
        var status = await move.EndsAsync();
        Assert.Equal(MigrationPhases.Failed, status!.Phase);
        Assert.Contains(reason, status.MigrationState!.FailureReason, StringComparison.Ordinal);
        await guest.MustBeWholeAsync(move.Source, counter);
        shared.GiveBack(guest);
    }

    private async Task MovesAsync(TinyGuest guest, TroubledMove move, long counter)
    {
        Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase);
        await guest.MustBeWholeAsync(move.Target, counter);
        shared.GiveBack(guest);
    }

    private async Task WithoutLinkAsync(string node, Func<Task> act)
    {
        await lab.SetLinkAsync(node, up: false);
        try
        {
            await act();
        }
        finally
        {
            await lab.SetLinkAsync(node, up: true);
        }
    }
}
