using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>Guests that are put into a file and go on from it, on their own node and on another.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class SuspendTests(GodwitLab lab)
{
    private const string DiskSettings = "tiny.rate=2M tiny.set=8M tiny.ballast=8M tiny.disk=16M tiny.disk-rate=400k";
    private const string EmptyDisk = "emptyDisk: { capacity: 256Mi }";
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task A_suspended_guest_uses_nothing_outlives_its_agent_and_goes_on_where_it_was()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "asleep", DiskSettings, volume: EmptyDisk);
        await Eventually.IsTrueAsync("the guest writes to its disk", Bound, async () => await guest.DiskWritesAsync() > 100);
        var node = await guest.NodeAsync();
        for (var round = 0; round < 2; round++)
        {
            var counter = await guest.CounterAsync();
            (await lab.GodwitAsync("vm", "suspend", guest.Name, "--wait")).MustSucceed();
            Assert.Empty(guest.ProcessIds());
            Assert.True(File.Exists(await StateFileAsync(guest, node)));
            await Eventually.IsTrueAsync("the machine is shown as suspended", Bound, async () =>
                (await lab.FindAsync("vm", guest.Name))?["status"]?["printableStatus"]?.GetValue<string>() == "Suspended");

            await GodwitLab.KillAsync(lab.AgentProcessId(node));
            await lab.BringUpAsync();
            Assert.Empty(guest.ProcessIds());

            (await lab.GodwitAsync("vm", "resume", guest.Name, "--wait")).MustSucceed();
            await guest.MustBeWholeAsync(node, counter);
            await guest.MustHaveItsDiskAsync();
            await Eventually.IsTrueAsync("the file is used up", Bound, async () => !File.Exists(await StateFileAsync(guest, node)));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_suspended_guest_is_resumed_on_another_node_with_its_disk(bool hasDisk)
    {
        await using var guest = await TinyGuest.StartAsync(lab, $"away-{hasDisk}".ToLowerInvariant(), DiskSettings, volume: hasDisk ? EmptyDisk : null);
        using var connection = await guest.ConnectAsync();
        await connection.RequestAsync();
        var counter = await guest.CounterAsync();
        var target = await guest.OtherNodeAsync();
        (await lab.GodwitAsync("vm", "suspend", guest.Name, "--wait")).MustSucceed();
        await using var witness = RunWitness.Of(guest);

        var move = JsonNode.Parse((await lab.GodwitAsync("vm", "resume", guest.Name, "--to", target, "-o", "json")).MustSucceed().Output)!;

        Assert.Equal("Succeeded", move["status"]!["phase"]!.GetValue<string>());
        await guest.MustBeWholeAsync(target, counter);
        witness.MustHaveSeenOneAtATime();
        await connection.RequestAsync(); // The same connection as before it slept.
        if (hasDisk)
        {
            await guest.MustHaveItsDiskAsync();
        }

        var metadata = (await guest.FindAsync())!.Metadata;
        Assert.DoesNotContain(AnnotationNames.Suspend, metadata.Annotations.Keys);
    }

    /// <summary>The agent is killed as soon as it has written down each step; what it had begun goes on to its end.</summary>
    [Fact]
    public async Task An_agent_that_is_killed_between_any_two_steps_leaves_the_guest_or_the_whole_file()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "cut", "tiny.rate=20M tiny.set=32M tiny.ballast=64M", memoryMib: 256);
        var node = await guest.NodeAsync();
        foreach (var stage in (string[])["Suspending", "Suspended", "Resuming"])
        {
            var counter = await guest.CounterAsync();
            var isWaking = stage == "Resuming";
            if (isWaking)
            {
                (await lab.GodwitAsync("vm", "suspend", guest.Name, "--wait")).MustSucceed();
            }

            var killed = KillAtAsync(await WitnessAsync(guest, node), stage);
            (await lab.GodwitAsync("vm", isWaking ? "resume" : "suspend", guest.Name)).MustSucceed();
            await killed;
            Assert.True(guest.ProcessIds().Count <= 1);
            await lab.BringUpAsync();
            if (!isWaking)
            {
                await Eventually.IsTrueAsync("the guest is suspended all the same", Bound, async () => await IsSuspendedAsync(guest) && guest.ProcessIds().Count == 0);
                (await lab.GodwitAsync("vm", "resume", guest.Name, "--wait")).MustSucceed();
            }

            await guest.MustBeWholeAsync(node, counter);
        }
    }

    [Fact]
    public async Task A_suspension_that_is_called_off_before_its_end_leaves_the_guest_running()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "awake", "tiny.rate=20M tiny.set=32M tiny.ballast=64M", memoryMib: 256);
        var node = await guest.NodeAsync();
        var counter = await guest.CounterAsync();
        var killed = KillAtAsync(await WitnessAsync(guest, node), "Suspending");
        (await lab.GodwitAsync("vm", "suspend", guest.Name)).MustSucceed();
        await killed;
        (await lab.GodwitAsync("vm", "resume", guest.Name)).MustSucceed();

        await lab.BringUpAsync();

        await guest.MustBeWholeAsync(node, counter);
        Assert.False(File.Exists(await StateFileAsync(guest, node)));
    }

    private async Task<bool> IsSuspendedAsync(TinyGuest guest) =>
        (await guest.FindAsync())!.Status.Conditions.Any(condition => condition is { Type: VirtualMachineInstanceConditions.Suspended, Status: "True" });

    private async Task<string> StateFileAsync(TinyGuest guest, string node) =>
        Path.Combine(lab.AgentFolder(node), "machines", (await guest.FindAsync())!.Metadata.Uid, "guest.state");

    /// <summary>What is to be watched, found out before anything begins: a stage lasts for some tenths of a second.</summary>
    private async Task<(string Record, int Agent)> WitnessAsync(TinyGuest guest, string node) =>
        (Path.Combine(lab.AgentFolder(node), "incarnations", $"{(await guest.FindAsync())!.Metadata.Uid}.json"), lab.AgentProcessId(node));

    private static async Task KillAtAsync((string Record, int Agent) witness, string stage)
    {
        await Eventually.IsTrueAsync(
            $"the agent has written down that the guest is {stage}",
            Bound,
            () => Task.FromResult(File.ReadAllText(witness.Record).Contains($"\"{stage}\"", StringComparison.OrdinalIgnoreCase)),
            TimeSpan.FromMilliseconds(1));
        await GodwitLab.KillAsync(witness.Agent);
    }
}
