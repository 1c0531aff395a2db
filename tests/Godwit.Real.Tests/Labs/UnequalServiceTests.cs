using System.Text.Json.Nodes;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;

namespace Godwit.Real.Tests.Labs;

/// <summary>Guests of one service of which one is a small and idle one, and the other large, busy, and long under way.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class UnequalServiceTests(GodwitLab lab)
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(4);

    private const string SlowLink = """
        apiVersion: migrations.kubevirt.io/v1alpha1
        kind: MigrationPolicy
        metadata: { name: unequal }
        spec: { bandwidthPerMigration: 40M, selectors: { virtualMachineInstanceSelector: {} } }
        """;

    [Fact]
    public async Task A_small_idle_guest_begins_later_than_a_large_busy_one_and_both_arrive_together()
    {
        (await lab.GodwitAsync("cordon", "node-2")).MustSucceed(); // So that both begin on node-1.
        await using var small = await TinyGuest.StartAsync(lab, "small", "tiny.rate=0 tiny.ballast=64M", memoryMib: 160);
        await using var large = await TinyGuest.StartAsync(lab, "large", "tiny.rate=8M tiny.set=16M tiny.ballast=496M", memoryMib: 640);
        (await lab.GodwitAsync("uncordon", "node-2")).MustSucceed();
        var (smallCounter, largeCounter) = (await small.CounterAsync(), await large.CounterAsync());
        (await lab.KubectlAsync(SlowLink, "create", "-f", "-")).MustSucceed();
        try
        {
            var run = await lab.GodwitAsync(Bound, "migrate", "--group", "small", "large", "--to", "node-2", "--promise", "one-service", "-o", "json");
            var moved = JsonNode.Parse(run.Output)!["status"]!;
            Assert.True(moved["phase"]!.GetValue<string>() == "Succeeded" && moved["service"]?["decision"]?.GetValue<string>() == "RunAll", moved["reason"]?.GetValue<string>());
            await small.MustBeWholeAsync("node-2", smallCounter);
            await large.MustBeWholeAsync("node-2", largeCounter);

            var took = (await lab.Cluster.For<VirtualMachineInstanceMigration>().ListAsync(ListOptions.All, TestContext.Current.CancellationToken)).Items
                .Where(move => move.Spec.VmiName is "small" or "large").ToDictionary(move => move.Spec.VmiName!, move => move.Status.Measurement!.TotalMs!.Value);
            var words = string.Join(", ", took);
            Assert.True(took["small"] < took["large"] / 2, $"They were under way for {words} ms.");
            TestContext.Current.SendDiagnosticMessage($"The service stood still for {moved["measurement"]!["downtimeMs"]} ms; under way its guests were for {words} ms.");
        }
        finally
        {
            await lab.KubectlAsync(null, "delete", "migrationpolicy", "unequal", "--ignore-not-found");
        }
    }
}
