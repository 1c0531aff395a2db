using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// Every point of a pre-copy move × every party that can die there, with a real guest. Never do two copies run (the
/// kernel is the witness); after each there is one running copy, its counter went on, its memory is what it was, nothing is left behind on the other node, and the status says what happened.
/// <code>
///                 an agent, or both   server   target QEMU   deleted
///   Prepared      stays               moves    stays         stays      the guest runs on the source
///   Precopying    stays               moves    stays         stays
///   Barrier       stays               moves    stays         stays      it stands still, revocably
///   Arrived       moves               moves    stays         moves      QEMU cannot take it back by itself
///   Granted       moves               moves    stays         moves      only the target may run it
///   Moved         moves               moves    a crash       moves      it runs on the target
/// </code>
/// </summary>
[Collection(FaultLabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class FaultMatrixTests(SharedGuest shared) : IClassFixture<SharedGuest>
{
    private const string Precopying = "Precopying";
    private readonly GodwitLab lab = shared.Lab;

    public static TheoryData<string, Victim, bool, string> Cases() => new()
    {
        { MoveHoldPoints.Prepared, Victim.SourceAgent, false, "the source's agent was restarted" },
        { MoveHoldPoints.Prepared, Victim.TargetAgent, false, "QEMU ended" },
        { MoveHoldPoints.Prepared, Victim.BothAgents, false, "the source's agent was restarted" },
        { MoveHoldPoints.Prepared, Victim.Server, true, "" },
        { MoveHoldPoints.Prepared, Victim.TargetQemu, false, "QEMU ended before the guest had arrived" },
        { MoveHoldPoints.Prepared, Victim.Move, false, "" },
        { MoveHoldPoints.Prepared, Victim.SourceAgentStopped, false, "the source's agent was restarted" },
        { MoveHoldPoints.Prepared, Victim.TargetAgentStopped, false, "QEMU ended" },
        { Precopying, Victim.SourceAgent, false, "the source's agent was restarted" },
        { Precopying, Victim.TargetAgent, false, "QEMU ended the stream" },
        { Precopying, Victim.BothAgents, false, "the source's agent was restarted" },
        { Precopying, Victim.Server, true, "" },
        { Precopying, Victim.TargetQemu, false, "QEMU ended" },
        { Precopying, Victim.Move, false, "" },
        { Precopying, Victim.TargetAgentStopped, false, "QEMU ended the stream" },
        { MoveHoldPoints.Barrier, Victim.SourceAgent, false, "the source's agent was restarted" },
        { MoveHoldPoints.Barrier, Victim.TargetAgent, false, "QEMU ended" },
        { MoveHoldPoints.Barrier, Victim.BothAgents, false, "the source's agent was restarted" },
        { MoveHoldPoints.Barrier, Victim.Server, true, "" },
        { MoveHoldPoints.Barrier, Victim.TargetQemu, false, "QEMU ended" },
        { MoveHoldPoints.Barrier, Victim.Move, false, "" },
        { MoveHoldPoints.Barrier, Victim.TargetAgentStopped, false, "QEMU ended" },
        { MoveHoldPoints.Arrived, Victim.SourceAgent, true, "" },
        { MoveHoldPoints.Arrived, Victim.TargetAgent, true, "" },
        { MoveHoldPoints.Arrived, Victim.BothAgents, true, "" },
        { MoveHoldPoints.Arrived, Victim.Server, true, "" },
        { MoveHoldPoints.Arrived, Victim.TargetQemu, false, "QEMU ended before the order to run came" },
        { MoveHoldPoints.Arrived, Victim.Move, true, "" },
        { MoveHoldPoints.Arrived, Victim.SourceAgentStopped, true, "" },
        { MoveHoldPoints.Arrived, Victim.TargetAgentStopped, true, "" },
        { MoveHoldPoints.Granted, Victim.SourceAgent, true, "" },
        { MoveHoldPoints.Granted, Victim.TargetAgent, true, "" },
        { MoveHoldPoints.Granted, Victim.BothAgents, true, "" },
        { MoveHoldPoints.Granted, Victim.Server, true, "" },
        { MoveHoldPoints.Granted, Victim.TargetQemu, false, "QEMU ended before it was told to run the guest" },
        { MoveHoldPoints.Granted, Victim.Move, true, "" },
        { MoveHoldPoints.Granted, Victim.SourceAgentStopped, true, "" },
        { MoveHoldPoints.Granted, Victim.TargetAgentStopped, true, "" },
        { MoveHoldPoints.Moved, Victim.SourceAgent, true, "" },
        { MoveHoldPoints.Moved, Victim.TargetAgent, true, "" },
        { MoveHoldPoints.Moved, Victim.BothAgents, true, "" },
        { MoveHoldPoints.Moved, Victim.Server, true, "" },
        { MoveHoldPoints.Moved, Victim.Move, true, "" },
        { MoveHoldPoints.Moved, Victim.SourceAgentStopped, true, "" },
        { MoveHoldPoints.Moved, Victim.TargetAgentStopped, true, "" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Whoever_dies_wherever_one_whole_guest_is_left_and_nothing_else(string point, Victim victim, bool moves, string reason)
    {
        var guest = await shared.TakeAsync("tiny.rate=20M tiny.set=16M tiny.ballast=16M");
        var (counter, sourceQemu) = (await guest.CounterAsync(), Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var held = point != Precopying;
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", held ? point : null, held ? null : "24M");
        await (held ? move.IsHeldAtAsync(point) : move.SourceEntersAsync(Precopying));

        if (victim == Victim.TargetQemu)
        {
            await GodwitLab.KillAsync(Assert.Single(guest.ProcessIds(), processId => processId != sourceQemu));
        }
        else
        {
            await move.HurtAsync(victim);
        }

        await lab.BringUpAsync();
        await move.ReleaseAsync();

        var status = await move.EndsAsync();
        await guest.MustBeWholeAsync(moves ? move.Target : move.Source, counter);
        witness.MustHaveSeenOneAtATime();
        MustSay(status, victim, moves, reason);
        shared.GiveBack(guest);
    }

    [Fact]
    public async Task A_target_QEMU_that_dies_when_the_guest_has_moved_is_a_crash_and_its_virtual_machine_boots_it_anew()
    {
        var guest = await shared.TakeAsync("tiny.rate=20M tiny.set=16M tiny.ballast=16M");
        var (before, sourceQemu) = ((await guest.FindAsync())!.Metadata.Uid, Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", MoveHoldPoints.Moved);
        await move.IsHeldAtAsync(MoveHoldPoints.Moved);

        await GodwitLab.KillAsync(Assert.Single(guest.ProcessIds(), processId => processId != sourceQemu));
        await move.ReleaseAsync();

        Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase); // It did; what is left at the source must not be taken for the guest.
        await guest.MustBeBootedAnewAsync(before);
        Assert.DoesNotContain(sourceQemu, guest.ProcessIds());
        witness.MustHaveSeenOneAtATime();
    }

    [Fact]
    public async Task A_move_that_is_held_says_where_and_goes_on_when_it_is_let_go()
    {
        var guest = await shared.TakeAsync("tiny.rate=20M tiny.set=16M tiny.ballast=16M");
        var counter = await guest.CounterAsync();
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", MoveHoldPoints.Prepared);

        var condition = await move.HasConditionAsync("Held", "True", MoveHoldPoints.Prepared);
        Assert.Contains("godwit.dev/hold-at", condition.Message, StringComparison.Ordinal);
        Assert.Equal(2, guest.ProcessIds().Count);
        await move.ReleaseAsync();

        Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase);
        await move.HasConditionAsync("Held", "False", "Released");
        await guest.MustBeWholeAsync(move.Target, counter);
        shared.GiveBack(guest);
    }

    private static void MustSay(VirtualMachineInstanceMigrationStatus? status, Victim victim, bool moves, string reason)
    {
        if (victim == Victim.Move)
        {
            Assert.Null(status);
            return;
        }

        Assert.NotNull(status);
        Assert.Equal(moves ? MigrationPhases.Succeeded : MigrationPhases.Failed, status.Phase);
        if (moves)
        {
            Assert.True(status.MigrationState?.Completed, "It does not say that it is completed.");
        }
        else
        {
            Assert.Contains(reason, status.MigrationState?.FailureReason ?? "(nothing)", StringComparison.Ordinal);
        }
    }
}
