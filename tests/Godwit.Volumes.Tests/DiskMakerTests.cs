using System.Diagnostics;
using Godwit.Base;

namespace Godwit.Volumes.Tests;

[Trait("Needs", "qemu")]
public sealed class DiskMakerTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly DiskMaker maker = new(TimeProvider.System);

    public DiskMakerTests() => Assert.SkipUnless(File.Exists("/usr/bin/qemu-img"), "qemu-img is not installed (package qemu-utils)");

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Overlay_names_its_image_and_that_images_format()
    {
        var image = DiskImage.Check(folder.File("base.raw", new byte[1 << 20]), DiskFormat.Raw);
        var overlay = await maker.CreateOverlayAsync(Path.Combine(folder.Path, "root.qcow2"), image, 4 << 20, Stopping);
        Assert.Equal((DiskFormat.Qcow2, 4L << 20), (overlay.Format, overlay.VirtualSizeBytes));

        using var info = Process.Start(new ProcessStartInfo("/usr/bin/qemu-img", ["info", "--output=json", overlay.Path]) { RedirectStandardOutput = true })!;
        var json = System.Text.Json.JsonElement.Parse(await info.StandardOutput.ReadToEndAsync(Stopping));
        await info.WaitForExitAsync(Stopping);
        Assert.Equal(image.Path, json.GetProperty("full-backing-filename").GetString());
        Assert.Equal("raw", json.GetProperty("backing-filename-format").GetString());
        Assert.Equal(4L << 20, json.GetProperty("virtual-size").GetInt64());

        // Our own overlay is no image for others: it has a backing file.
        Assert.Throws<VolumeException>(() => DiskImage.Check(overlay.Path, DiskFormat.Qcow2));
    }

    [Fact]
    public async Task Making_a_disk_twice_keeps_the_first()
    {
        var path = Path.Combine(folder.Path, "data.img");
        await maker.CreateEmptyAsync(path, DiskFormat.Raw, 1 << 20, Stopping);
        await File.WriteAllTextAsync(path, "written by the guest", Stopping);
        await maker.CreateEmptyAsync(path, DiskFormat.Raw, 1 << 20, Stopping);
        Assert.Equal("written by the guest", await File.ReadAllTextAsync(path, Stopping));
    }

    [Fact]
    public async Task Disk_never_shrinks_below_its_image()
    {
        var image = DiskImage.Check(folder.File("base.raw", new byte[1 << 20]), DiskFormat.Raw);
        await Assert.ThrowsAsync<VolumeException>(() => maker.CreateOverlayAsync(Path.Combine(folder.Path, "x.qcow2"), image, 512, Stopping));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-512)]
    [InlineData(1000)]
    [InlineData(long.MaxValue)]
    public async Task Impossible_size_is_refused(long sizeBytes) =>
        await Assert.ThrowsAsync<VolumeException>(() => maker.CreateEmptyAsync(Path.Combine(folder.Path, "x.img"), DiskFormat.Raw, sizeBytes, Stopping));

    [Fact]
    public void Full_disk_is_told_with_numbers_and_advice()
    {
        var error = Assert.Throws<VolumeException>(() => DiskSpace.Require(folder.Path, long.MaxValue - DiskSpace.ReserveBytes, "the disk root"));
        Assert.Contains("The disk is full: the disk root needs", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failure_of_the_tool_comes_in_its_own_words_and_leaves_no_file()
    {
        File.CreateSymbolicLink(Path.Combine(folder.Path, "x.qcow2.new"), Path.Combine(folder.Path, "gone", "x"));
        var error = await Assert.ThrowsAsync<VolumeException>(() => maker.CreateEmptyAsync(Path.Combine(folder.Path, "x.qcow2"), DiskFormat.Qcow2, 1 << 20, Stopping));
        Assert.Contains("No such file or directory", ErrorChain.Describe(error), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public async Task A_layer_over_an_image_that_is_gone_is_refused_by_name()
    {
        var image = new DiskImage(Path.Combine(folder.Path, "gone.raw"), DiskFormat.Raw, 1 << 20);
        var error = await Assert.ThrowsAsync<VolumeException>(() => maker.CreateOverlayAsync(Path.Combine(folder.Path, "x.qcow2"), image, null, Stopping));
        Assert.Contains("gone.raw", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public async Task Host_disks_stay_inside_the_folders_that_the_operator_opened()
    {
        var disks = new HostDisks([folder.Path], maker);
        var made = await disks.OpenOrCreateAsync(Path.Combine(folder.Path, "vm.qcow2"), 1 << 20, Stopping);
        Assert.Equal(made, disks.Open(made.Path));

        File.CreateSymbolicLink(Path.Combine(folder.Path, "link.img"), "/etc/passwd");
        Assert.Throws<VolumeException>(() => disks.Open(Path.Combine(folder.Path, "link.img")));
        Assert.Throws<VolumeException>(() => disks.Open("/etc/passwd"));
        Assert.Throws<VolumeException>(() => disks.Open(folder.Path + "/../etc/passwd"));
        Assert.Throws<VolumeException>(() => disks.Open(folder.Path + "-other/x.img"));
        await Assert.ThrowsAsync<VolumeException>(() => disks.OpenOrCreateAsync(folder.Path + "/../x.img", 1 << 20, Stopping));
        await Assert.ThrowsAsync<VolumeException>(() => disks.OpenOrCreateAsync(Path.Combine(folder.Path, "missing/x.img"), 1 << 20, Stopping));
        Assert.Throws<VolumeException>(() => new HostDisks([], maker).Open(made.Path));
    }
}
