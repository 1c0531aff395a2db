using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>Who is stopped for a while, as by SIGSTOP, a debugger, or a host that has no time for it.</summary>
public enum Frozen
{
    SourceQemu,
    TargetQemu,
    SourceAgent,
    TargetAgent,
    Server,
}

/// <summary>
/// A process stands still at some point of a move and goes on later: for less than the watchdogs allow, or until they have turned the move back.
/// It must not be taken for dead, and when it goes on it must not do what it was told before the others had decided otherwise.
/// </summary>
[Collection(FaultLabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class FaultFrozenTests(SharedGuest shared) : IClassFixture<SharedGuest>
{
    public const string Precopying = "Precopying";
    private const string Settings = "tiny.rate=20M tiny.set=16M tiny.ballast=16M";

    /// <summary>How long the fault lasts: less than the watchdog of a guest that runs, as long as that of one that stands still nearly is.</summary>
    private static readonly TimeSpan FrozenFor = TimeSpan.FromSeconds(3.5);

    private readonly GodwitLab lab = shared.Lab;

    [Theory]
    [InlineData(MoveHoldPoints.Prepared, Frozen.SourceQemu)]
    [InlineData(MoveHoldPoints.Prepared, Frozen.TargetQemu)]
    [InlineData(MoveHoldPoints.Prepared, Frozen.SourceAgent)]
    [InlineData(MoveHoldPoints.Prepared, Frozen.TargetAgent)]
    [InlineData(MoveHoldPoints.Prepared, Frozen.Server)]
    [InlineData(Precopying, Frozen.SourceQemu)]
    [InlineData(Precopying, Frozen.TargetQemu)]
    [InlineData(Precopying, Frozen.SourceAgent)]
    [InlineData(Precopying, Frozen.TargetAgent)]
    [InlineData(Precopying, Frozen.Server)]
    [InlineData(MoveHoldPoints.Barrier, Frozen.SourceAgent)]
    [InlineData(MoveHoldPoints.Barrier, Frozen.Server)]
    [InlineData(MoveHoldPoints.Arrived, Frozen.SourceQemu)]
    [InlineData(MoveHoldPoints.Arrived, Frozen.TargetQemu)]
    [InlineData(MoveHoldPoints.Arrived, Frozen.SourceAgent)]
    [InlineData(MoveHoldPoints.Arrived, Frozen.TargetAgent)]
    [InlineData(MoveHoldPoints.Arrived, Frozen.Server)]
    [InlineData(MoveHoldPoints.Granted, Frozen.SourceQemu)]
    [InlineData(MoveHoldPoints.Granted, Frozen.TargetQemu)]
    [InlineData(MoveHoldPoints.Granted, Frozen.SourceAgent)]
    [InlineData(MoveHoldPoints.Granted, Frozen.TargetAgent)]
    [InlineData(MoveHoldPoints.Granted, Frozen.Server)]
    [InlineData(MoveHoldPoints.Moved, Frozen.SourceQemu)]
    [InlineData(MoveHoldPoints.Moved, Frozen.TargetQemu)]
    [InlineData(MoveHoldPoints.Moved, Frozen.SourceAgent)]
    [InlineData(MoveHoldPoints.Moved, Frozen.TargetAgent)]
    [InlineData(MoveHoldPoints.Moved, Frozen.Server)]
    public async Task Who_stands_still_for_a_while_is_waited_for(string point, Frozen who)
    {
        var guest = await shared.TakeAsync(Settings);
        var (counter, sourceQemu) = (await guest.CounterAsync(), Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var move = await ToAsync(guest, point);

        var frozen = move.ProcessOf(who, guest, sourceQemu);
        var fault = GodwitLab.FreezeForAsync(frozen, FrozenFor);
        await GodwitLab.StandsStillAsync(frozen);
        await move.ReleaseAsync();
        await fault;

        Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase);
        await guest.MustBeWholeAsync(move.Target, counter);
        witness.MustHaveSeenOneAtATime();
        shared.GiveBack(guest);
    }

    [Theory]
    [InlineData(MoveHoldPoints.Barrier, Frozen.SourceQemu, "TurningBack")]
    [InlineData(MoveHoldPoints.Barrier, Frozen.TargetQemu, "Fencing")]
    [InlineData(MoveHoldPoints.Barrier, Frozen.TargetAgent, "Fencing")]
    public async Task Who_stands_still_for_too_long_while_the_guest_does_turns_the_move_back_and_changes_nothing_when_it_goes_on(string point, Frozen who, string phase)
    {
        var guest = await shared.TakeAsync(Settings);
        var (counter, sourceQemu) = (await guest.CounterAsync(), Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var move = await ToAsync(guest, point);

        var frozen = move.ProcessOf(who, guest, sourceQemu);
        await GodwitLab.FreezeAsync(frozen);
        try
        {
            await move.ReleaseAsync();
            await move.SourceEntersAsync(phase);
        }
        finally
        {
            await GodwitLab.ThawAsync(frozen);
        }

        var status = (await move.EndsAsync())!;
        Assert.Equal(MigrationPhases.Failed, status.Phase);
        Assert.Contains("the last of the guest's state did not reach", status.MigrationState!.FailureReason, StringComparison.Ordinal);
        await guest.MustBeWholeAsync(move.Source, counter);
        witness.MustHaveSeenOneAtATime();
        shared.GiveBack(guest);
    }

    private async Task<TroubledMove> ToAsync(TinyGuest guest, string point)
    {
        var held = point != Precopying;
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", held ? point : null, held ? null : "24M");
        await (held ? move.IsHeldAtAsync(point) : move.SourceEntersAsync(point));
        return move;
    }
}
