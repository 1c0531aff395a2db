namespace Godwit.Real.Tests.Labs;

/// <summary>A node is emptied by the real <c>kubectl</c>, which knows pods and no virtual machines.</summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class DrainTests(GodwitLab lab)
{
    private const string Settings = "tiny.rate=4M tiny.set=8M tiny.ballast=8M";
    [Fact]
    public async Task Kubectl_drains_a_node_of_its_guests_and_uncordons_it()
    {
        await using var first = await TinyGuest.StartAsync(lab, "drained-a", Settings, memoryMib: 128);
        var node = await first.NodeAsync();
        var target = await first.OtherNodeAsync();
        (await lab.KubectlAsync(null, "cordon", target)).MustSucceed(); // So that both begin on one node.
        await using var second = await TinyGuest.StartAsync(lab, "drained-b", Settings, memoryMib: 128);
        (await lab.KubectlAsync(null, "uncordon", target)).MustSucceed();
        var counters = (await first.CounterAsync(), await second.CounterAsync());
        using var connection = await first.ConnectAsync();
        await connection.RequestAsync();

        var drained = (await lab.KubectlAsync(null, "drain", node, "--timeout=100s", "--pod-selector=kubevirt.io=virt-launcher")).MustSucceed();

        Assert.Contains($"node/{node} drained", drained.Output, StringComparison.Ordinal);
        await first.MustBeWholeAsync(target, counters.Item1);
        await second.MustBeWholeAsync(target, counters.Item2);
        await connection.RequestAsync();
        Assert.DoesNotContain("virt-launcher-drained", (await lab.KubectlAsync(null, "describe", "node", node)).MustSucceed().Output, StringComparison.Ordinal);
        (await lab.KubectlAsync(null, "uncordon", node)).MustSucceed();
        (await lab.GodwitAsync("migrate", first.Name, "--to", node)).MustSucceed(); // It takes guests again.
        Assert.Null((await first.FindAsync())!.Status.EvacuationNodeName);
    }
}
