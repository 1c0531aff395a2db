using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// Whatever breaks while a disk is copied, the guest goes on where it was with the disk that it had, and nothing of the copy is
/// left at the target. What only stands still, or is slow, is waited for, and the guest arrives with its disk.
/// </summary>
[Collection(FaultLabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class FaultDiskTests(SharedGuest shared) : IClassFixture<SharedGuest>
{
    private const string Settings = "tiny.rate=1M tiny.set=4M tiny.ballast=8M tiny.disk=24M tiny.disk-rate=400k";
    private const string EmptyDisk = "emptyDisk: { capacity: 256Mi }";

    /// <summary>At it the copy takes some seconds.</summary>
    private const string Bandwidth = "4M";
    private const long WrittenBlocks = (24 << 20) / 4096;
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan FrozenFor = TimeSpan.FromSeconds(3.5);
    private readonly GodwitLab lab = shared.Lab;

    [Theory]
    [InlineData(Victim.Move)]
    [InlineData(Victim.SourceAgent)]
    [InlineData(Victim.TargetAgent)]
    [InlineData(Victim.BothAgents)]
    [InlineData(Victim.TargetQemu)]
    [InlineData(Victim.SourceAgentStopped)]
    [InlineData(Victim.TargetAgentStopped)]
    public async Task Whoever_dies_while_a_disk_is_copied_the_guest_stays_with_its_own(Victim victim)
    {
        var guest = await TakeAsync();
        var counter = await guest.CounterAsync();
        var sourceQemu = Assert.Single(guest.ProcessIds());
        await using var witness = RunWitness.Of(guest);
        var move = await CopyingAsync(guest);

        if (victim == Victim.TargetQemu)
        {
            await GodwitLab.KillAsync(Assert.Single(guest.ProcessIds(), processId => processId != sourceQemu));
        }
        else
        {
            await move.HurtAsync(victim);
            await lab.BringUpAsync();
        }

        await MustHaveStayedAsync(guest, move, counter, await move.EndsAsync());
        witness.MustHaveSeenOneAtATime();
    }

    [Fact]
    public async Task A_link_that_dies_while_a_disk_is_copied_leaves_the_guest_with_its_own()
    {
        var guest = await TakeAsync();
        var counter = await guest.CounterAsync();
        var move = await CopyingAsync(guest);

        await lab.SetLinkAsync(move.Target, up: false);
        try
        {
            await move.SourceEntersAsync("Fencing"); // The guest is free again before the link is.
            await guest.DiskWritesAsync();
        }
        finally
        {
            await lab.SetLinkAsync(move.Target, up: true);
        }

        await MustHaveStayedAsync(guest, move, counter, await move.EndsAsync());
    }

    [Fact]
    public async Task A_server_that_dies_while_a_disk_is_copied_is_not_missed()
    {
        var guest = await TakeAsync();
        var counter = await guest.CounterAsync();
        var move = await CopyingAsync(guest);

        await move.HurtAsync(Victim.Server);
        await lab.BringUpAsync();

        await MustArriveAsync(guest, move, counter);
    }

    [Fact]
    public async Task A_source_QEMU_that_dies_while_a_disk_is_copied_takes_the_guest_with_it_and_its_virtual_machine_boots_it_anew()
    {
        var guest = await TakeAsync();
        var (before, sourceQemu) = ((await guest.FindAsync())!.Metadata.Uid, Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var move = await CopyingAsync(guest);

        await GodwitLab.KillAsync(sourceQemu);

        var status = (await move.EndsAsync())!;
        Assert.Equal(MigrationPhases.Failed, status.Phase);
        Assert.Contains("the guest is lost", status.MigrationState!.FailureReason, StringComparison.Ordinal);
        await guest.MustBeBootedAnewAsync(before);
        witness.MustHaveSeenOneAtATime();
    }

    [Theory]
    [InlineData(Frozen.SourceQemu)]
    [InlineData(Frozen.TargetQemu)]
    [InlineData(Frozen.SourceAgent)]
    [InlineData(Frozen.TargetAgent)]
    [InlineData(Frozen.Server)]
    public async Task Who_stands_still_while_a_disk_is_copied_is_waited_for(Frozen who)
    {
        var guest = await TakeAsync();
        var (counter, sourceQemu) = (await guest.CounterAsync(), Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var move = await CopyingAsync(guest);

        await GodwitLab.FreezeForAsync(move.ProcessOf(who, guest, sourceQemu), FrozenFor);

        await MustArriveAsync(guest, move, counter);
        witness.MustHaveSeenOneAtATime();
    }

    [Fact]
    public async Task A_link_that_becomes_a_hundred_times_slower_while_a_disk_is_copied_is_waited_for()
    {
        var guest = await TakeAsync();
        var counter = await guest.CounterAsync();
        var move = await CopyingAsync(guest);

        await lab.SlowLinkAsync(move.Target, "10mbit");
        try
        {
            var copied = await CopiedBytesAsync(move);
            await Eventually.IsTrueAsync("the copy goes on", Bound, async () => await CopiedBytesAsync(move) > copied + (3 << 20));
        }
        finally
        {
            await lab.SlowLinkAsync(move.Target, "1gbit");
        }

        await MustArriveAsync(guest, move, counter);
    }

    [Fact]
    public async Task A_target_whose_storage_is_full_refuses_the_disk_and_one_that_fills_up_turns_it_back()
    {
        var guest = await TakeAsync();
        var counter = await guest.CounterAsync();
        await using var storage = await SmallStorage.MountAsync(lab, await guest.OtherNodeAsync(), mebibytes: 120);
        var move = await CopyingAsync(guest);

        await storage.FillAsync();

        var status = await move.EndsAsync();
        Assert.Contains("a disk could not be copied", status!.MigrationState!.FailureReason, StringComparison.Ordinal);
        await MustHaveStayedAsync(guest, move, counter, status);

        var refused = await TroubledMove.StartAsync(lab, guest, "precopy");
        Assert.Contains("NoRoomForDisks", (await refused.EndsAsync())!.MigrationState!.FailureReason, StringComparison.Ordinal);
    }

    private async Task<TinyGuest> TakeAsync()
    {
        var guest = await shared.TakeAsync(Settings, EmptyDisk);
        await Eventually.IsTrueAsync("the guest has written all of its part of the disk", Bound, async () => await guest.DiskWritesAsync() >= WrittenBlocks);
        return guest;
    }

    private async Task<TroubledMove> CopyingAsync(TinyGuest guest)
    {
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", bandwidth: Bandwidth);
        await Eventually.IsTrueAsync("the disk is being copied", Bound, async () => await move.FindAsync() is { Status.Progress: { Phase: MovePhases.CopyingDisks, DiskCopiedBytes: > 0 } });
        return move;
    }

    private static async Task<long> CopiedBytesAsync(TroubledMove move) => (await move.FindAsync())?.Status.Progress?.DiskCopiedBytes ?? 0;

    private Task MustHaveStayedAsync(TinyGuest guest, TroubledMove move, long counter, VirtualMachineInstanceMigrationStatus? status)
    {
        Assert.True(status is null || status.Phase == MigrationPhases.Failed, $"The move ended as {status?.Phase}.");
        return MustBeWholeWithItsDiskAsync(guest, move.Source, counter);
    }

    /// <summary>What hurt it is over, so it may take all of the link.</summary>
    private async Task MustArriveAsync(TinyGuest guest, TroubledMove move, long counter)
    {
        await move.UnboundAsync();
        var status = (await move.EndsAsync())!;
        Assert.True(status.Phase == MigrationPhases.Succeeded, $"The move ended as {status.Phase}: {status.MigrationState?.FailureReason}.");
        await MustBeWholeWithItsDiskAsync(guest, move.Target, counter);
    }

    private async Task MustBeWholeWithItsDiskAsync(TinyGuest guest, string node, long counter)
    {
        await guest.MustHaveItsDiskAsync();
        var writes = await guest.DiskWritesAsync();
        await Eventually.IsTrueAsync("the guest goes on writing to its disk", Bound, async () => await guest.DiskWritesAsync() > writes);
        await guest.MustBeWholeAsync(node, counter);
        shared.GiveBack(guest);
    }

    /// <summary>A small file system in place of where a node's machines lie, as that node's agent sees it.</summary>
    private sealed class SmallStorage : IAsyncDisposable
    {
        private readonly string folder;
        private readonly string[] enter;

        private SmallStorage(string folder, int agent)
        {
            this.folder = folder;
            enter = ["--target", agent.ToString(System.Globalization.CultureInfo.InvariantCulture), "--mount"];
        }

        public static async Task<SmallStorage> MountAsync(GodwitLab lab, string node, int mebibytes)
        {
            var storage = new SmallStorage(Path.Combine(lab.AgentFolder(node), "machines"), lab.AgentProcessId(node));
            (await storage.RunAsync("mount", "-t", "tmpfs", "-o", $"size={mebibytes}m,mode=711", "tmpfs", storage.folder)).MustSucceed();
            return storage;
        }

        /// <summary>Leaves next to nothing.</summary>
        public Task<CommandResult> FillAsync() => RunAsync("dd", "if=/dev/zero", $"of={folder}/filling", "bs=64k"); // It ends with an error: that is when it is full.

        public async ValueTask DisposeAsync() => await RunAsync("umount", "--lazy", folder);

        private Task<CommandResult> RunAsync(params IEnumerable<string> command) => Command.RunAsync("nsenter", [.. enter, "--", .. command], Bound);
    }
}
