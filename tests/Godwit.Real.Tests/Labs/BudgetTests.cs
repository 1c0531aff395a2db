using Godwit.Api;
using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>What a move may cost is changed by kubectl while a real guest moves.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class BudgetTests(SharedGuest shared) : IClassFixture<SharedGuest>
{
    /// <summary>Writes more in a second than the bandwidths below carry, all over its working set.</summary>
    private const string Settings = "tiny.rate=20M tiny.set=16M tiny.ballast=16M";

    private readonly GodwitLab lab = shared.Lab;

    [Fact]
    public async Task A_move_that_would_not_end_is_freed_by_raising_its_bandwidth()
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", bandwidth: "1M");
        await move.HasSentAsync(1 << 20);
        var progress = (await move.FindAsync())!.Status.Progress!;
        Assert.True(progress.RemainingBytes > 10 << 20, $"At 1 MB/s so little is left that it might have ended by itself: {progress}.");

        (await lab.KubectlAsync(null, "annotate", "vmim", move.Name, $"{AnnotationNames.Bandwidth}=500M", "--overwrite")).MustSucceed();

        var condition = await move.HasConditionAsync("BudgetChanged", "True", "Changed");
        Assert.Equal("bandwidth from 1000000 bytes/s to 500000000 bytes/s", condition.Message);
        var status = (await move.EndsAsync())!;
        Assert.Equal(MigrationPhases.Succeeded, status.Phase);
        Assert.True(status.Measurement!.ThroughputBytesPerSecond > 2_000_000, $"It went on slowly: {status.Measurement}.");
        Assert.Contains("BudgetChanged", await move.EventReasonsAsync());
        await guest.MustBeWholeAsync(move.Target, counter);
        shared.GiveBack(guest);
    }

    [Fact]
    public async Task A_disk_that_is_being_copied_obeys_a_changed_bandwidth()
    {
        await using var guest = await TinyGuest.StartAsync(
            lab, "paced", "tiny.rate=1M tiny.set=4M tiny.ballast=4M tiny.disk=48M tiny.disk-rate=100k", memoryMib: 128, volume: "emptyDisk: { capacity: 1Gi }");
        await Eventually.IsTrueAsync("the guest has written its part of the disk", TimeSpan.FromMinutes(2), async () => await guest.DiskWritesAsync() >= (48 << 20) / 4096);
        var counter = await guest.CounterAsync();
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", bandwidth: "500k");
        await Eventually.IsTrueAsync("the disk is being copied", TimeSpan.FromMinutes(1), async () =>
            await move.FindAsync() is { Status.Progress: { Phase: MovePhases.CopyingDisks, DiskCopiedBytes: > 0 } });

        (await lab.KubectlAsync(null, "annotate", "vmim", move.Name, $"{AnnotationNames.Bandwidth}=100M", "--overwrite")).MustSucceed();

        var condition = await move.HasConditionAsync("BudgetChanged", "True", "Changed");
        Assert.Equal("bandwidth from 500000 bytes/s to 100000000 bytes/s", condition.Message);
        var status = (await move.EndsAsync())!;
        Assert.Equal(MigrationPhases.Succeeded, status.Phase);
        Assert.True(status.Measurement!.DisksMs < 60_000, $"At 500 kB/s the disk takes more than 90 s, and it took {status.Measurement}.");
        await guest.MustHaveItsDiskAsync();
        await guest.MustBeWholeAsync(move.Target, counter);
    }

    [Fact]
    public async Task A_guest_that_may_be_slowed_down_is_slowed_until_its_rounds_converge()
    {
        // All over its working set as fast as it can, of which the budget holds a half: only a guest that has lost nearly all of its time leaves so little.
        await using var guest = await TinyGuest.StartAsync(lab, "slowed", "tiny.rate=-1 tiny.set=8M tiny.ballast=16M");
        var counter = await guest.CounterAsync();
        const string Policy = """
            apiVersion: migrations.kubevirt.io/v1alpha1
            kind: MigrationPolicy
            metadata: { name: slowing }
            spec:
              selectors: { virtualMachineInstanceSelector: {} }
              bandwidthPerMigration: 16M
              allowPostCopy: false
              allowAutoConverge: true
              godwit: { downtimeLimitMs: 300, onNotConverging: AutoConverge, copiedMemoryFactorMax: 50, roundsMax: 300 }
            """;
        (await lab.KubectlAsync(Policy, "create", "-f", "-")).MustSucceed();
        try
        {
            var move = await TroubledMove.StartAsync(lab, guest, "precopy");
            var status = (await move.EndsAsync())!;
            Assert.Equal(MigrationPhases.Succeeded, status.Phase);
            Assert.Equal("FitsDowntimeLimit", status.Measurement!.Termination);
            Assert.True(status.Measurement.Rounds > 3, $"It converged before it can have been slowed: {status.Measurement}.");
            await guest.MustBeWholeAsync(move.Target, counter);
        }
        finally
        {
            (await lab.KubectlAsync(null, "delete", "migrationpolicy", "slowing")).MustSucceed();
        }
    }

    [Fact]
    public async Task A_policy_that_is_edited_while_its_move_runs_holds_it_to_the_smaller_downtime()
    {
        var guest = await shared.TakeAsync(Settings);
        var counter = await guest.CounterAsync();

        // By this policy the guest would be stopped for the two seconds that its working set takes.
        const string Policy = """
            apiVersion: migrations.kubevirt.io/v1alpha1
            kind: MigrationPolicy
            metadata: { name: patient }
            spec:
              selectors: { virtualMachineInstanceSelector: {} }
              bandwidthPerMigration: 8M
              godwit: { downtimeLimitMs: 5000, onNotConverging: GiveUp }
            """;
        (await lab.KubectlAsync(Policy, "create", "-f", "-")).MustSucceed();
        try
        {
            var move = await TroubledMove.StartAsync(lab, guest, "precopy");
            await move.HasSentAsync(1 << 20);
            var editor = new Dictionary<string, string> { ["KUBE_EDITOR"] = "sed -i s/downtimeLimitMs:.5000/downtimeLimitMs:\\ 50/" };
            (await Command.RunAsync("kubectl", ["--kubeconfig", lab.KubeconfigPath, "edit", "migrationpolicy", "patient"], TimeSpan.FromMinutes(1), environment: editor)).MustSucceed();

            var condition = await move.HasConditionAsync("BudgetChanged", "True", "Changed");
            Assert.Equal("downtime budget from 5000 ms to 50 ms", condition.Message);
            var status = (await move.EndsAsync())!;
            Assert.Equal(MigrationPhases.Failed, status.Phase);
            Assert.True(status.MigrationState!.FailureReason!.Contains("by the rule NotConverging and the policy is to leave the guest", StringComparison.Ordinal), status.MigrationState.FailureReason);
            await guest.MustBeWholeAsync(move.Source, counter);
            shared.GiveBack(guest);
        }
        finally
        {
            (await lab.KubectlAsync(null, "delete", "migrationpolicy", "patient")).MustSucceed();
        }
    }
}
