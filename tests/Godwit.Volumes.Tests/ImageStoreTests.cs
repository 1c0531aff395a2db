using Godwit.Base;

namespace Godwit.Volumes.Tests;

public sealed class ImageStoreTests : IDisposable
{
    private readonly TemporaryFolder images = new();

    public void Dispose() => images.Dispose();

    [Fact]
    public void Kernel_image_is_found_with_all_its_parts()
    {
        images.File("tiny/vmlinuz", Sample.Kernel());
        images.File("tiny/initrd", Sample.Initrd());
        images.File("tiny/image.json", """{"name": "tiny", "kind": "kernel", "kernel": "vmlinuz", "initrd": "initrd", "kernelArgs": "console=ttyS0"}"""u8);

        var image = new ImageStore(images.Path).Open("tiny:latest");
        Assert.Equal(Path.Combine(images.Path, "tiny/vmlinuz"), image.KernelPath);
        Assert.Equal(Path.Combine(images.Path, "tiny/initrd"), image.InitrdPath);
        Assert.Equal("console=ttyS0", image.KernelCommandLine);
        Assert.Null(image.Disk);
    }

    [Fact]
    public void Disk_image_is_found_with_its_format_and_size()
    {
        images.File("debian-12/disk.qcow2", Sample.Qcow2());
        Assert.Equal(new DiskImage(Path.Combine(images.Path, "debian-12/disk.qcow2"), DiskFormat.Qcow2, 1 << 30), new ImageStore(images.Path).Open("debian:12").Disk);

        images.File("plain/disk.raw", new byte[1024]);
        Assert.Equal((DiskFormat.Raw, 1024L), (new ImageStore(images.Path).Open("plain").Disk!.Format, new ImageStore(images.Path).Open("plain").Disk!.VirtualSizeBytes));
    }

    [Theory]
    [InlineData("../tiny")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("/etc")]
    [InlineData("a/../b")]
    [InlineData("tiny/")]
    [InlineData("-rf")]
    [InlineData("a..b")]
    [InlineData("TINY")]
    [InlineData("tiny:")]
    [InlineData("tiny:../x")]
    [InlineData("tiny\0")]
    [InlineData("tiny\n")]
    [InlineData("quay.io/containerdisks/debian")]
    [InlineData("tiny@sha256:0000")]
    public void Names_that_are_paths_or_not_local_are_refused_by_name(string reference)
    {
        var error = Assert.Throws<VolumeException>(() => new ImageStore(images.Path).Open(reference));
        Assert.Contains("is not the name of an image here", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Very_long_name_is_refused_without_being_repeated_whole() =>
        Assert.InRange(Assert.Throws<VolumeException>(() => new ImageStore(images.Path).Open(new string('a', 100_000))).Message.Length, 1, 500);

    [Fact]
    public void Missing_image_says_where_it_should_be()
    {
        var error = Assert.Throws<VolumeException>(() => new ImageStore(images.Path).Open("tiny"));
        Assert.Contains(Path.Combine(images.Path, "tiny"), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Links_are_not_followed_wherever_they_stand()
    {
        using var elsewhere = new TemporaryFolder();
        var secret = elsewhere.File("disk.raw", new byte[512]);
        Directory.CreateDirectory(Path.Combine(images.Path, "file"));
        File.CreateSymbolicLink(Path.Combine(images.Path, "file/disk.raw"), secret);
        Directory.CreateSymbolicLink(Path.Combine(images.Path, "folder"), elsewhere.Path);

        Assert.Contains("link", Assert.Throws<VolumeException>(() => new ImageStore(images.Path).Open("file")).Message, StringComparison.Ordinal);
        Assert.Contains("link", Assert.Throws<VolumeException>(() => new ImageStore(images.Path).Open("folder")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"kernel": "../../etc/passwd"}""")]
    [InlineData("""{"kernel": "a/../../x"}""")]
    [InlineData("""{"disk": ""}""")]
    [InlineData("""{"disk": "missing"}""")]
    [InlineData("""{"disk": 7}""")]
    [InlineData("""[]""")]
    [InlineData("""{""")]
    public void Description_that_points_outside_or_is_no_description_is_refused(string json)
    {
        images.File("bad/vmlinuz", Sample.Kernel());
        images.File("bad/image.json", System.Text.Encoding.UTF8.GetBytes(json));
        Assert.Throws<VolumeException>(() => new ImageStore(images.Path).Open("bad"));
    }

    [Fact]
    public void File_of_an_image_is_found_as_the_VM_names_it()
    {
        images.File("tiny/vmlinuz", Sample.Kernel());
        images.File("tiny/boot/other", Sample.Kernel());
        var image = new ImageStore(images.Path).Open("tiny");
        Assert.Equal(Path.Combine(images.Path, "tiny/boot/other"), image.FindFile("/boot/other"));
        Assert.Throws<VolumeException>(() => image.FindFile("/../../etc/passwd"));
        Assert.Throws<VolumeException>(() => image.FindFile("/boot"));
    }

    [Fact]
    public void Images_that_are_not_images_are_refused_with_the_reason()
    {
        var cases = new (string File, byte[] Contents, string Reason)[]
        {
            ("vmlinuz", "#!/bin/sh\n"u8.ToArray(), "not a Linux kernel"),
            ("initrd", "hello"u8.ToArray(), "not an initial memory disk"),
            ("disk.qcow2", new byte[512], "does not begin as a qcow2 image"),
            ("disk.qcow2", Sample.Qcow2()[..50], "ends within its qcow2 header"),
            ("disk.qcow2", Sample.Qcow2(version: 9), "version is 9"),
            ("disk.qcow2", Sample.Qcow2(backingFileOffset: 0x150), "backing file"),
            ("disk.qcow2", Sample.Qcow2(incompatible: 4), "another file"),
            ("disk.qcow2", Sample.Qcow2(incompatible: 2), "corrupt"),
            ("disk.qcow2", Sample.Qcow2(incompatible: 1UL << 40), "features"),
            ("disk.qcow2", Sample.Qcow2(sizeBytes: ulong.MaxValue), "believed"),
            ("disk.qcow2", Sample.Qcow2(clusterBits: 63), "clusters"),
            ("disk.raw", [], "sectors"),
            ("disk.raw", new byte[1000], "sectors"),
            ("disk.raw", Sample.Qcow2(), "qcow2"),
            ("disk.img", [0x1f, 0x8b, .. new byte[510]], "gzip"),
        };
        Assert.All(cases, (each, index) =>
        {
            using var folder = new TemporaryFolder();
            if (each.File == "initrd")
            {
                folder.File("x/vmlinuz", Sample.Kernel());
            }

            folder.File($"x/{each.File}", each.Contents);
            var error = Assert.Throws<VolumeException>(() => new ImageStore(folder.Path).Open("x"));
            Assert.Contains(each.Reason, ErrorChain.Describe(error), StringComparison.Ordinal);
        });
    }
}
