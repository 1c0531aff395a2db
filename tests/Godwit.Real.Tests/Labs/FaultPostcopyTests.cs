using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// Post-copy, hurt while the guest runs on the target and a part of its memory is still at the source. The stream breaks
/// with either agent, and with the link: it is mended by itself, and nothing is lost. Only the loss of a QEMU loses the guest.
/// </summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class FaultPostcopyTests(SharedGuest shared) : IClassFixture<SharedGuest>
{
    /// <summary>More is rewritten in the first pass than can be sent within any downtime limit: so it is post-copy, and takes seconds.</summary>
    private const string Settings = "tiny.rate=-1 tiny.set=64M tiny.ballast=8M";

    private const string Bandwidth = "32M";
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);
    private readonly GodwitLab lab = shared.Lab;

    [Theory]
    [InlineData(Victim.SourceAgent)]
    [InlineData(Victim.TargetAgent)]
    [InlineData(Victim.BothAgents)]
    [InlineData(Victim.Server)]
    [InlineData(Victim.Move)]
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

    [Fact]
    public async Task A_target_QEMU_that_dies_while_memory_is_pulled_loses_the_guest_and_its_virtual_machine_boots_it_anew()
    {
        var guest = await shared.TakeAsync(Settings);
        var before = (await guest.FindAsync())!.Metadata.Uid;
        var sourceQemu = Assert.Single(guest.ProcessIds());
        var move = await TroubledMove.StartAsync(lab, guest, "postcopy", bandwidth: Bandwidth);
        await move.TargetEntersAsync("Running");

        await GodwitLab.KillAsync(Assert.Single(guest.ProcessIds(), processId => processId != sourceQemu));

        var status = await move.EndsAsync();
        Assert.Equal(MigrationPhases.Failed, status!.Phase);
        Assert.Contains("the guest is lost", status.MigrationState!.FailureReason, StringComparison.Ordinal);
        var next = await Eventually.GetAsync("a new incarnation runs", Bound, async () =>
            await guest.FindAsync() is { Status.Phase: VirtualMachineInstancePhases.Running } vmi && vmi.Metadata.Uid != before ? vmi : null);
        await Eventually.IsTrueAsync("one QEMU is left, and it is the new one", Bound, () => Task.FromResult(guest.ProcessIds().Count == 1));
        Assert.DoesNotContain(sourceQemu, guest.ProcessIds());
        Assert.NotEqual(before, next.Metadata.Uid);
        foreach (var node in GodwitLab.Nodes)
        {
            Assert.False(Directory.Exists(Path.Combine(lab.AgentFolder(node), "machines", before)), $"The lost guest's folder is still on {node}.");
        }
    }
}
