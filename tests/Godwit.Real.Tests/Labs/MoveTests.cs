using System.Text.Json.Nodes;

namespace Godwit.Real.Tests.Labs;

/// <summary>The main job, end to end: a real guest moves between two real nodes while it runs.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class MoveTests(GodwitLab lab)
{
    private static readonly TimeSpan MoveBound = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData("auto")]
    [InlineData("precopy")]
    [InlineData("postcopy")]
    [InlineData("hybrid")]
    [InlineData("cold")]
    public async Task A_guest_moves_with_its_memory_its_address_and_its_open_connections(string mode)
    {
        await using var guest = await TinyGuest.StartAsync(lab, $"move-{mode}");
        using var connection = await guest.ConnectAsync();
        await connection.RequestAsync();
        var source = await guest.NodeAsync();
        var counter = await guest.CounterAsync();

        var result = await lab.GodwitAsync(MoveBound, "migrate", guest.Name, "--mode", mode, "-o", "json");

        var migration = JsonNode.Parse(result.MustSucceed().Output)!;
        Assert.Equal("Succeeded", migration["status"]!["phase"]!.GetValue<string>());
        await guest.IsOnAsync(source == "node-1" ? "node-2" : "node-1");
        Assert.Single(guest.ProcessIds());
        await connection.RequestAsync();
        await guest.MustHaveGoneOnAsync(counter);
        var status = migration["status"]!;
        Assert.True(status["forecast"]!["totalMs"]!["high"]!.GetValue<double>() > 0, "There was no forecast.");
        Assert.True(status["measurement"]!["totalMs"]!.GetValue<double>() > 0, "Nothing was measured.");
        Assert.InRange(status["measurement"]!["streamMs"]!.GetValue<long>(), 1, status["measurement"]!["totalMs"]!.GetValue<long>());
        Assert.True(status["measurement"]!["pausedMs"]!.GetValue<long>() >= 0, "The stop was not measured.");
        Assert.True(status["measurement"]!["downtimeMs"]!.GetValue<long>() >= 0, "QEMU's own count is missing.");
        Assert.True(status["measurement"]!["bytes"]!.GetValue<long>() > 1 << 20, "No bytes were counted.");
        Assert.True(status["measurement"]!["reachable"]!.GetValue<bool>(), "From a third place it did not answer.");
        Assert.True(status["measurement"]!["networkDowntimeMs"]!.GetValue<long>() >= 0, "From a third place nothing was measured.");
    }

    [Fact]
    public async Task All_modes_are_compared_before_a_move()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "compared");
        var target = await guest.OtherNodeAsync();

        var result = await lab.GodwitAsync(MoveBound, "predict", guest.Name, "--to", target, "-o", "json");

        var status = JsonNode.Parse(result.MustSucceed().Output)!["status"]!;
        Assert.Equal(target, status["targetNode"]!.GetValue<string>());
        var modes = status["modes"]!.AsArray();
        Assert.Equal(["auto-converge", "cold", "hybrid", "postcopy", "precopy"], modes.Select(mode => mode!["mode"]!.GetValue<string>()).Order(StringComparer.Ordinal));
        Assert.All(modes, mode =>
        {
            Assert.Equal(mode!["mode"]!.GetValue<string>() is "cold" or "precopy", mode["textbook"]?["totalMs"]?.GetValue<double>() > 0); // The textbook knows no others.
            Assert.InRange(mode["forecast"]!["totalMs"]!["high"]!.GetValue<double>(), mode["forecast"]!["totalMs"]!["low"]!.GetValue<double>(), double.MaxValue);
            Assert.NotEqual("", mode["reason"]!.GetValue<string>());
        });
        Assert.Contains(status["recommendedMode"]!.GetValue<string>(), modes.Select(mode => mode!["mode"]!.GetValue<string>()));
        Assert.NotEqual("", status["reason"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_guest_moves_there_and_back_several_times_over_one_connection()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "pingpong");
        using var connection = await guest.ConnectAsync();
        var counter = await guest.CounterAsync();
        for (var hop = 0; hop < 4; hop++)
        {
            var target = await guest.OtherNodeAsync();
            (await lab.GodwitAsync(MoveBound, "migrate", guest.Name, "--to", target)).MustSucceed();
            await guest.IsOnAsync(target);
            await connection.RequestAsync();
        }

        Assert.Single(guest.ProcessIds());
        await guest.MustHaveGoneOnAsync(counter);
    }

    [Fact]
    public async Task Kubectl_makes_a_move_and_deleting_it_cancels_it()
    {
        await using var guest = await TinyGuest.StartAsync(lab, "cancelled", "tiny.rate=-1 tiny.set=64M");
        var source = await guest.NodeAsync();
        var counter = await guest.CounterAsync();
        const string Manifest = """
            apiVersion: kubevirt.io/v1
            kind: VirtualMachineInstanceMigration
            metadata: { name: cancelled-move, annotations: { godwit.dev/mode: precopy, godwit.dev/bandwidth: "4M" } }
            spec: { vmiName: cancelled }
            """;
        (await lab.KubectlAsync(Manifest, "create", "-f", "-")).MustSucceed();
        await Eventually.IsTrueAsync("the move copies memory", MoveBound, async () =>
            (await lab.FindAsync("vmim", "cancelled-move"))?["status"]?["progress"]?["phase"]?.GetValue<string>() == "Precopying");

        (await lab.KubectlAsync(null, "delete", "vmim", "cancelled-move", "--timeout=60s")).MustSucceed();

        Assert.Equal(source, await guest.NodeAsync());
        await Eventually.IsTrueAsync("only the source's QEMU is left", MoveBound, () => Task.FromResult(guest.ProcessIds().Count == 1));
        await guest.MustHaveGoneOnAsync(counter);
    }
}
