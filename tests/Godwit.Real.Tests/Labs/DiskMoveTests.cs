using System.Text.Json.Nodes;
using Godwit.Api.KubeVirt.V1;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// Guests whose disk is on their host alone. The guest writes to it all the time and knows what every block must hold, so a disk
/// that is not of the same moment as its memory shows.
/// </summary>
[Collection(LabCollection.Name)]
[Trait("Needs", "qemu")]
public sealed class DiskMoveTests(GodwitLab lab)
{
    private const string Settings = "tiny.rate=2M tiny.set=8M tiny.ballast=8M tiny.disk=24M tiny.disk-rate=400k";
    private const string EmptyDisk = "emptyDisk: { capacity: 1Gi }";
    private const long DiskSetBytes = 24 << 20;
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData("precopy")]
    [InlineData("postcopy")]
    [InlineData("cold")]
    public async Task A_disk_goes_along_while_it_is_written_and_stays_thin(string mode)
    {
        await using var guest = await StartAsync($"disk-{mode}");
        var counter = await guest.CounterAsync();
        var target = await guest.OtherNodeAsync();
        await using var witness = RunWitness.Of(guest);

        var result = await lab.GodwitAsync(Bound, "migrate", guest.Name, "--mode", mode, "-o", "json");

        var measured = JsonNode.Parse(result.MustSucceed().Output)!["status"]!["measurement"]!;
        await guest.MustHaveItsDiskAsync();
        var writes = await guest.DiskWritesAsync();
        await Eventually.IsTrueAsync("the guest goes on writing to its disk", Bound, async () => await guest.DiskWritesAsync() > writes);
        await guest.MustBeWholeAsync(target, counter);
        witness.MustHaveSeenOneAtATime();
        var carried = measured["bytesByKind"]!["disk"]!.GetValue<long>();
        Assert.InRange(carried, DiskSetBytes, DiskSetBytes * 4); // Of a disk of 1 GiB.
        Assert.True(measured["disksMs"]!.GetValue<long>() > 0, "The copy of the disk was not measured.");
        Assert.InRange(AllocatedBytes(await DiskOfAsync(guest, target)), DiskSetBytes, DiskSetBytes * 2);
    }

    private async Task<TinyGuest> StartAsync(string name, string volume = EmptyDisk)
    {
        var guest = await TinyGuest.StartAsync(lab, name, Settings, volume: volume);
        await Eventually.IsTrueAsync("the guest has written all of its part of the disk", Bound, async () => await guest.DiskWritesAsync() >= DiskSetBytes / 4096);
        return guest;
    }

    private async Task<string> DiskOfAsync(TinyGuest guest, string node) =>
        Path.Combine(lab.AgentFolder(node), "machines", (await guest.FindAsync())!.Metadata.Uid, "disk-0.qcow2");

    private static long AllocatedBytes(string path) => Linux.Files.FileIdentity.FindAllocatedBytes(path);
}
