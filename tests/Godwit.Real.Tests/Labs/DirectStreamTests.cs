using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Migrations.V1Alpha1;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// Streams from QEMU to QEMU, where a policy asks for them: the guest arrives whole, a stranger at the port gets nowhere,
/// and no agent's death breaks the stream, not even in the moment that a stream of the agents' does not survive.
/// </summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class DirectStreamTests(GodwitLab lab)
{
    private const int AgentDeaths = 6;

    /// <summary>The exit code of timeout(1) when it had to end its program.</summary>
    private const int TimedOut = 124;

    private static readonly TimeSpan MoveBound = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData("precopy")]
    [InlineData("postcopy")]
    public async Task A_guest_goes_from_QEMU_to_QEMU_where_its_policy_says_so(string mode)
    {
        await using var guest = await StartAsync($"direct-{mode}");
        using var connection = await guest.ConnectAsync();
        var counter = await guest.CounterAsync();
        var target = await guest.OtherNodeAsync();

        var result = await lab.GodwitAsync(MoveBound, "migrate", guest.Name, "--mode", mode, "-o", "json");

        var measurement = JsonNode.Parse(result.MustSucceed().Output)!["status"]!["measurement"]!;
        Assert.Equal(MigrationTransports.Direct, measurement["transport"]!.GetValue<string>());
        Assert.True(measurement["bytes"]!.GetValue<long>() > 1 << 20, "No bytes were counted.");
        await connection.RequestAsync();
        await guest.MustBeWholeAsync(target, counter);
        foreach (var node in GodwitLab.Nodes)
        {
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(lab.AgentFolder(node), "keys")));
        }
    }

    [Fact]
    public async Task A_stranger_at_the_port_gets_nowhere_and_disturbs_nothing()
    {
        await using var guest = await StartAsync("direct-stranger");
        var counter = await guest.CounterAsync();
        var move = await TroubledMove.StartAsync(lab, guest, "precopy", MoveHoldPoints.Prepared);
        await move.IsHeldAtAsync(MoveHoldPoints.Prepared);
        var door = Assert.Single(await DoorsAsync(move.Target));

        var garbage = await InNodeAsync(move.Source, $"head -c 65536 /dev/urandom | timeout 20 socat -t 2 - TCP:{door}");
        var stranger = await InNodeAsync(move.Source, $"echo QEVM | timeout 20 openssl s_client -connect {door} -tls1_3 -ign_eof 2>&1");

        Assert.Equal("", garbage.Output);
        Assert.Contains("Acceptable client certificate CA names", stranger.Output, StringComparison.Ordinal); // It was asked for a certificate,
        Assert.True(stranger.ExitCode != TimedOut, "QEMU went on speaking with a stranger."); // and hung up on for want of one.
        Assert.Equal(door, Assert.Single(await DoorsAsync(move.Target)));
        await move.ReleaseAsync();
        Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase);
        await guest.MustBeWholeAsync(move.Target, counter);
    }

    [Fact]
    public async Task Agents_that_die_just_when_post_copy_begins_cost_the_guest_nothing()
    {
        await using var guest = await StartAsync("direct-deaths");
        for (var death = 0; death < AgentDeaths; death++)
        {
            var counter = await guest.CounterAsync();
            await using var witness = RunWitness.Of(guest);
            var move = await TroubledMove.StartAsync(lab, guest, "postcopy", bandwidth: "200M");
            await move.SourceEntersAsync("Postcopying");

            await move.HurtAsync(death % 2 == 0 ? Victim.SourceAgent : Victim.BothAgents);
            await lab.BringUpAsync();

            Assert.Equal(MigrationPhases.Succeeded, (await move.EndsAsync())!.Phase);
            await guest.MustBeWholeAsync(move.Target, counter);
            witness.MustHaveSeenOneAtATime();
        }
    }

    [Fact]
    public async Task A_target_QEMU_that_dies_before_the_guest_ran_there_gives_it_back_out_of_a_stream_with_keys()
    {
        await using var guest = await StartAsync("direct-back");
        var (counter, sourceQemu) = (await guest.CounterAsync(), Assert.Single(guest.ProcessIds()));
        await using var witness = RunWitness.Of(guest);
        var move = await TroubledMove.StartAsync(lab, guest, "postcopy", MoveHoldPoints.Arrived, bandwidth: "200M");
        await move.IsHeldAtAsync(MoveHoldPoints.Arrived);
        await move.TargetEntersAsync("Arrived");

        await GodwitLab.KillAsync(move.ProcessOf(Frozen.TargetQemu, guest, sourceQemu));
        await move.SourceEntersAsync("Reclaiming");
        await move.ReleaseAsync();

        Assert.Equal(MigrationPhases.Failed, (await move.EndsAsync())!.Phase);
        await guest.MustBeWholeAsync(move.Source, counter);
        witness.MustHaveSeenOneAtATime();
    }

    private async Task<TinyGuest> StartAsync(string name)
    {
        var policy = $$"""
            apiVersion: migrations.kubevirt.io/v1alpha1
            kind: MigrationPolicy
            metadata: { name: {{name}} }
            spec:
              allowPostCopy: true
              godwit: { transport: direct }
              selectors: { virtualMachineInstanceSelector: { app: {{name}} } }
            """;
        (await lab.KubectlAsync(policy, "apply", "-f", "-")).MustSucceed();
        return await TinyGuest.StartAsync(lab, name);
    }

    /// <summary>The addresses on which QEMUs of a node wait for others.</summary>
    private async Task<IReadOnlyList<string>> DoorsAsync(string node) =>
        [.. (await InNodeAsync(node, "ss -Hltn")).MustSucceed().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3])
            .Where(address => int.Parse(address[(address.LastIndexOf(':') + 1)..], CultureInfo.InvariantCulture) - MigrationTransports.DirectPortFirst is >= 0 and < MigrationTransports.DirectPortCount)];

    private Task<CommandResult> InNodeAsync(string node, string script) =>
        Command.RunAsync("ip", ["netns", "exec", lab.NamespaceOf(node), "sh", "-c", script], TimeSpan.FromSeconds(30));
}
