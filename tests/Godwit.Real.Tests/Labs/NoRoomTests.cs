using Godwit.Api.KubeVirt.V1;
using Godwit.Client;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Real.Tests.Labs;

/// <summary>A target without memory for the guest: refused by name before anything is started, and the guest goes on.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class NoRoomTests(GodwitLab lab)
{
    private const string Shortage = "TargetMemoryShort";

    /// <summary>Less than the tests' guest has, once the part that is not for guests is taken off.</summary>
    private const string LittleMemory = "700Mi";

    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task A_node_that_is_known_to_be_full_is_refused_by_name_and_nothing_is_started_there()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "known-full");
        var (source, target, counter) = (await guest.NodeAsync(), await guest.OtherNodeAsync(), await guest.CounterAsync());
        var agent = lab.AgentCommandLine(target);
        await GodwitLab.KillAsync(lab.AgentProcessId(target));
        await using var full = await lab.StartAgentAsync(target, [.. agent, "--memory", LittleMemory]);
        await SaysHowLittleItOffersAsync(target);

        var refused = await lab.GodwitAsync("migrate", guest.Name, "--to", target);

        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains(Shortage, refused.Errors, StringComparison.Ordinal);
        await guest.MustBeWholeAsync(source, counter);
    }

    [Fact]
    public async Task A_node_that_filled_up_since_it_was_chosen_refuses_by_name_before_it_starts_anything()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "filled-up");
        var counter = await guest.CounterAsync();
        var (source, target) = (await guest.NodeAsync(), await guest.OtherNodeAsync());
        var (sourceAgent, targetAgent) = (lab.AgentCommandLine(source), lab.AgentCommandLine(target));
        await GodwitLab.KillAsync(lab.AgentProcessId(source));
        var move = await TroubledMove.StartAsync(lab, guest, "precopy");
        await Eventually.IsTrueAsync($"{target} is chosen while it has room", Bound, async () =>
            (await move.FindAsync())?.Status.MigrationState?.TargetNode == target);

        await GodwitLab.KillAsync(lab.AgentProcessId(target));
        await using var full = await lab.StartAgentAsync(target, [.. targetAgent, "--memory", LittleMemory]);
        await SaysHowLittleItOffersAsync(target);
        await using var returned = await lab.StartAgentAsync(source, sourceAgent);

        var status = (await move.EndsAsync())!;
        Assert.Equal(MigrationPhases.Failed, status.Phase);
        Assert.Contains(Shortage, status.MigrationState!.FailureReason, StringComparison.Ordinal);
        await guest.MustBeWholeAsync(move.Source, counter);
        Assert.DoesNotContain("Started QEMU for default/filled-up", lab.LogOf(target), StringComparison.Ordinal);
    }

    private Task SaysHowLittleItOffersAsync(string node) => Eventually.IsTrueAsync($"{node} says how little it offers", Bound, async () =>
        (await lab.Cluster.For<KubeNode>().GetAsync(new ResourceKey("", node), TestContext.Current.CancellationToken)).Status.Allocatable["memory"].ToInt64() < 192 << 20);
}
