using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// The source's QEMU is killed. Until all had been sent the guest is lost with it, which the status says, and its virtual machine boots it anew;
/// after that the move goes on as if nothing had happened.
/// </summary>
[Collection(FaultLabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class FaultSourceTests(SharedGuest shared) : IClassFixture<SharedGuest>
{
    private const string Precopying = "Precopying";
    private const string Settings = "tiny.rate=20M tiny.set=16M tiny.ballast=16M";
    private readonly GodwitLab lab = shared.Lab;

    [Theory]
    [InlineData(MoveHoldPoints.Prepared)]
    [InlineData(Precopying)]
    [InlineData(MoveHoldPoints.Barrier)]
    public async Task A_source_QEMU_that_dies_before_all_was_sent_takes_the_guest_with_it_and_its_virtual_machine_boots_it_anew(string point)
    {
        var guest = await shared.TakeAsync(Settings);
        var before = (await guest.FindAsync())!.Metadata.Uid;
        var sourceQemu = Assert.Single(guest.ProcessIds());
        await using var witness = RunWitness.Of(guest);
        var move = await ToAsync(guest, point);

        await GodwitLab.KillAsync(sourceQemu);
        await move.ReleaseAsync();

        var status = await move.EndsAsync();
        Assert.Equal(MigrationPhases.Failed, status!.Phase);

        Assert.Matches("^the guest is lost: .*QEMU (has )?ended", status.MigrationState!.FailureReason!); // By what was seen first, the end or its effect.
        await guest.MustBeBootedAnewAsync(before);
        witness.MustHaveSeenOneAtATime();
    }

    [Theory]
    [InlineData(MoveHoldPoints.Arrived)]
    [InlineData(MoveHoldPoints.Granted)]
    [InlineData(MoveHoldPoints.Moved)]
    public async Task A_source_QEMU_that_dies_after_all_was_sent_costs_nothing(string point)
    {
        var guest = await shared.TakeAsync(Settings);
        var (counter, sourceQemu) = (await guest.CounterAsync(), Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var move = await ToAsync(guest, point);

        await GodwitLab.KillAsync(sourceQemu);
        await move.ReleaseAsync();

        Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase);
        await guest.MustBeWholeAsync(move.Target, counter);
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
