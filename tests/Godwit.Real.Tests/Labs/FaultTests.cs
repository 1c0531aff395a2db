using System.Text.Json.Nodes;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// What goes wrong while a real guest moves. After each fault: one running copy, its counter went on, its memory is what
/// it was, nothing is left behind, and the status says what happened.
/// </summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class FaultTests(GodwitLab lab)
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData("Preparing")]
    [InlineData("Precopying")]
    public async Task A_source_agent_that_is_killed_leaves_the_guest_where_it_was(string phase)
    {
        await using var guest = await TinyGuest.StartAsync(lab, $"sourcekill-{phase.ToLowerInvariant()}");
        var source = await guest.NodeAsync();
        var counter = await guest.CounterAsync();
        var move = await StartMoveAsync(guest, "precopy", "8M");
        await ReachesAsync(move, phase);

        lab.Kill(lab.AgentProcessId(source));
        await lab.BringUpAsync();

        await EndsAsync(move, "Failed");
        await MustBeWholeAsync(guest, source, counter);
    }

    [Fact]
    public async Task A_target_agent_that_is_killed_leaves_the_guest_where_it_was()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "targetkill");
        var (source, target) = (await guest.NodeAsync(), await guest.OtherNodeAsync());
        var counter = await guest.CounterAsync();
        var move = await StartMoveAsync(guest, "precopy", "8M");
        await ReachesAsync(move, "Precopying");

        lab.Kill(lab.AgentProcessId(target));
        await lab.BringUpAsync();

        await EndsAsync(move, "Failed");
        await MustBeWholeAsync(guest, source, counter);
    }

    [Fact]
    public async Task A_target_QEMU_that_is_killed_leaves_the_guest_where_it_was_and_it_can_be_moved_again()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "qemukill");
        var (source, target) = (await guest.NodeAsync(), await guest.OtherNodeAsync());
        var counter = await guest.CounterAsync();
        var sourceProcess = Assert.Single(guest.ProcessIds());
        var move = await StartMoveAsync(guest, "precopy", "8M");
        await ReachesAsync(move, "Precopying");

        lab.Kill(guest.ProcessIds().Single(processId => processId != sourceProcess));

        await EndsAsync(move, "Failed");
        await MustBeWholeAsync(guest, source, counter);
        (await lab.GodwitAsync(Bound, "migrate", guest.Name, "--to", target)).MustSucceed();
        await MustBeWholeAsync(guest, target, counter);
    }

    [Fact]
    public async Task A_link_that_dies_while_memory_is_copied_is_noticed_and_the_guest_stays()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "linkcut");
        var source = await guest.NodeAsync();
        var move = await StartMoveAsync(guest, "precopy", "8M");
        await ReachesAsync(move, "Precopying");

        await lab.SetLinkAsync(await guest.OtherNodeAsync(), up: false);
        try
        {
            await EndsAsync(move, "Failed");
        }
        finally
        {
            await lab.SetLinkAsync(await guest.OtherNodeAsync(), up: true);
        }

        await MustBeWholeAsync(guest, source, await guest.CounterAsync());
    }

    [Fact]
    public async Task A_post_copy_whose_link_dies_goes_on_when_the_link_is_back()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "postcut", "tiny.rate=-1 tiny.set=96M tiny.ballast=16M");
        var (source, target) = (await guest.NodeAsync(), await guest.OtherNodeAsync());
        var counter = await guest.CounterAsync();
        var move = await StartMoveAsync(guest, "postcopy", "8M");
        await ReachesAsync(move, "Postcopying");

        await lab.SetLinkAsync(source, up: false);
        try
        {
            await ReachesWithoutServerAsync();
        }
        finally
        {
            await lab.SetLinkAsync(source, up: true);
        }

        await EndsAsync(move, "Succeeded");
        await MustBeWholeAsync(guest, target, counter);
    }

    [Fact]
    public async Task A_server_that_is_killed_while_a_guest_moves_changes_nothing_but_when_it_is_told()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "serverkill");
        var target = await guest.OtherNodeAsync();
        var counter = await guest.CounterAsync();
        var move = await StartMoveAsync(guest, "precopy", "16M");
        await ReachesAsync(move, "Precopying");

        lab.Kill(lab.ServerProcessId());
        await lab.BringUpAsync();

        await EndsAsync(move, "Succeeded");
        await MustBeWholeAsync(guest, target, counter);
    }

    private async Task<string> StartMoveAsync(TinyGuest guest, string mode, string bandwidth)
    {
        var name = $"{guest.Name}-move";
        var manifest = $$"""
            apiVersion: kubevirt.io/v1
            kind: VirtualMachineInstanceMigration
            metadata: { name: {{name}}, annotations: { godwit.dev/mode: {{mode}}, godwit.dev/bandwidth: "{{bandwidth}}" } }
            spec: { vmiName: {{guest.Name}} }
            """;
        (await lab.KubectlAsync(manifest, "create", "-f", "-")).MustSucceed();
        return name;
    }

    private Task ReachesAsync(string move, string phase) => Eventually.IsTrueAsync($"the move {move} reaches {phase}", Bound, async () =>
    {
        var status = (await lab.FindAsync("vmim", move))?["status"];
        Assert.True(status?["phase"]?.GetValue<string>() is not ("Failed" or "Succeeded"), $"the move was over before {phase}: {status}");
        return status?["progress"]?["phase"]?.GetValue<string>() == phase;
    });

    /// <summary>The source's link is down and with it its word to the server: the time that its agent needs to give the stream up, seen by its own log.</summary>
    private Task ReachesWithoutServerAsync() => Eventually.IsTrueAsync(
        "the source's agent stops the stream to mend it", Bound, () => Task.FromResult(lab.AgentLogs().Contains(": Recovering:", StringComparison.Ordinal)));

    private Task EndsAsync(string move, string phase) => Eventually.IsTrueAsync($"the move {move} ends as {phase}", Bound, async () =>
    {
        var status = (await lab.FindAsync("vmim", move))?["status"];
        var now = status?["phase"]?.GetValue<string>();
        Assert.True(now == phase || now is not ("Failed" or "Succeeded"), $"the move ended as {now}: {status}");
        return now == phase && (phase == "Succeeded" || status?["migrationState"]?["failureReason"] is JsonValue);
    });

    private static async Task MustBeWholeAsync(TinyGuest guest, string node, long counter)
    {
        await guest.MustHaveGoneOnAsync(counter);
        await Eventually.IsTrueAsync($"the API says that {guest.Name} is on {node}", Bound, async () => await guest.NodeAsync() == node);
        await Eventually.IsTrueAsync("one QEMU is left", Bound, () => Task.FromResult(guest.ProcessIds().Count == 1));
    }
}
