using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Godwit.Machines;
using Godwit.Volumes;

namespace Godwit.Real.Tests.Machines;

/// <summary>A whole distribution from a disk image: an overlay over it, a cloud-init seed beside it.</summary>
[Trait("Needs", "root")]
public sealed class DebianGuestTests
{
    /// <summary>systemd and cloud-init on an emulated CPU, with the host's cores shared.</summary>
    private static readonly TimeSpan BootBound = TimeSpan.FromMinutes(10);

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Debian_boots_from_an_overlay_and_cloud_init_obeys_its_seed()
    {
        await using var lab = await MachineLab.CreateAsync();
        var image = Guests.RequireBuilt("debian");
        var spec = lab.Spec(memoryBytes: 1L << 30);
        var place = await lab.Host.ReserveAsync(spec.Id, Stopping);

        var root = await new DiskMaker(TimeProvider.System).CreateOverlayAsync(Path.Combine(place.Folder, "root.qcow2"), image.Disk!, null, Stopping);
        var data = new CloudInitData("vm-1", "flight", "#cloud-config\nruncmd:\n  - echo \"seed-was-\"obeyed by $(hostname) > /dev/ttyS0\n", null);
        var seed = await new CloudInitSeed(TimeProvider.System).CreateAsync(Path.Combine(place.Folder, "seed.iso"), data, Stopping);
        foreach (var disk in new[] { root, seed })
        {
            Ownership.Change(disk.Path, new ProcessUser(place.UserId, place.UserId));
        }

        var before = FileIdentity.Find(image.Disk!.Path);
        var machine = await lab.Host.CreateAsync(
            spec with
            {
                Kernel = new DirectKernel(image.KernelPath!, image.InitrdPath, image.KernelCommandLine + " systemd.mask=systemd-networkd-wait-online.service"), // It has no NIC here.
                Disks =
                [
                    new MachineDisk("root", root.Path, root.Format, ReadOnly: false),
                    new MachineDisk("seed", seed.Path, seed.Format, ReadOnly: true),
                ],
            },
            MachineStart.Boot,
            Stopping);
        await machine.ResumeAsync(Stopping);
        await machine.WaitForLogAsync("seed-was-obeyed by flight", BootBound);

        var usage = await machine.GetUsageAsync(Stopping);
        Assert.True(usage.DiskReadBytes > 10 << 20 && usage.DiskWrittenBytes > 0);
        await machine.StopAsync(Until.Patience, Stopping);
        Assert.Equal("the guest shut down", machine.RunStateReason);
        Assert.Equal(before, FileIdentity.Find(image.Disk.Path)); // The image itself was never written.
    }
}
