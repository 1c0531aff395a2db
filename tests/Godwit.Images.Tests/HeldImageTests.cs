using System.Text;
using Godwit.Images.Layers;
using Godwit.Images.Tar;

namespace Godwit.Images.Tests;

/// <summary>Single files out of images that somebody hostile made: what shows is what a container would see, and nothing leads out.</summary>
public sealed class HeldImageTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public HeldImageTests() => Needs.Root();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_file_is_the_one_that_the_highest_layer_shows_and_what_a_mark_took_away_is_gone()
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        using var image = await HoldAsync(
            store,
            Sample.Tar((Sample.Folder("disk/"), ""), (Sample.File("disk/vm.img"), "old"), (Sample.File("disk/gone"), "gone"), (Sample.Folder("boot/"), ""), (Sample.File("boot/vmlinuz"), "kernel"), (Sample.File("boot/initrd"), "initrd")),
            Sample.Tar((Sample.File("disk/vm.img"), "new"), (Sample.File("disk/.wh.gone"), ""), (Sample.File("boot/.wh..wh..opq"), ""), (Sample.File("boot/vmlinuz"), "newer kernel")));

        Assert.Equal("new", Read(image, "/disk/vm.img"));
        Assert.Equal("new", Read(image, "disk//./vm.img"));
        Assert.Equal("newer kernel", Read(image, "/boot/vmlinuz"));
        Assert.Equal(["/disk/vm.img"], image.ListFiles("/disk"));
        Assert.Equal(["/boot/vmlinuz"], image.ListFiles("boot/"));
        AssertRefused(image, "/disk/gone", ImageErrorKind.NotFound);
        AssertRefused(image, "/boot/initrd", ImageErrorKind.NotFound);
    }

    [Fact]
    public async Task Links_are_followed_inside_the_image_and_one_that_leads_out_is_refused()
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "secret"), "the host's", Sample.Stopping);
        using var image = await HoldAsync(
            store,
            Sample.Tar((Sample.Folder("boot/"), ""), (Sample.File("boot/vmlinuz-6"), "kernel"), (Sample.Link("vmlinuz", "boot/vmlinuz"), ""), (Sample.Link("boot/vmlinuz", "/boot/vmlinuz-6"), "")),
            Sample.Tar(
                (Sample.Link("up", "../../../../etc/passwd"), ""),
                (Sample.Link("out", folder.Path + "/secret"), ""),
                (Sample.Link("there", "boot/../boot"), ""),
                (Sample.Link("a", "b"), ""),
                (Sample.Link("b", "a"), ""),
                (Sample.Link("self", "self/x"), "")));

        Assert.Equal("kernel", Read(image, "/vmlinuz"));
        Assert.Equal("kernel", Read(image, "/there/vmlinuz-6"));
        using (var file = image.OpenFile("vmlinuz"))
        {
            Assert.Equal("/boot/vmlinuz-6", file.Path);
        }

        AssertRefused(image, "/up", ImageErrorKind.Corrupt);
        AssertRefused(image, "/out", ImageErrorKind.NotFound); // From the image's own root, where there is no such file.
        AssertRefused(image, "/../etc/passwd", ImageErrorKind.Corrupt);
        AssertRefused(image, "/boot/../../etc/passwd", ImageErrorKind.Corrupt);
        AssertRefused(image, "/a", ImageErrorKind.Corrupt);
        AssertRefused(image, "/self", ImageErrorKind.Corrupt);
    }

    [Fact]
    public async Task What_is_no_file_is_none()
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        var pipe = new TarEntry { Name = "disk/pipe"u8.ToArray(), Kind = TarKind.Pipe, Mode = 0x1a4 };
        var device = new TarEntry { Name = "disk/null"u8.ToArray(), Kind = TarKind.CharacterDevice, Mode = 0x1b6, DeviceMajor = 1, DeviceMinor = 3 };
        using var image = await HoldAsync(store, Sample.Tar((Sample.Folder("disk/"), ""), (pipe, ""), (device, ""), (Sample.Folder("disk/lost+found/"), ""), (Sample.File("disk/vm.img"), "a disk"), (Sample.File("file"), "")));

        Assert.Equal(["/disk/vm.img"], image.ListFiles("/disk"));
        AssertRefused(image, "/disk/pipe", ImageErrorKind.NotFound);
        AssertRefused(image, "/disk/null", ImageErrorKind.NotFound);
        AssertRefused(image, "/disk", ImageErrorKind.NotFound);
        AssertRefused(image, "/", ImageErrorKind.NotFound);
        AssertRefused(image, "", ImageErrorKind.NotFound);
        AssertRefused(image, "/file/below", ImageErrorKind.NotFound);
        AssertRefused(image, "/etc/hosts", ImageErrorKind.NotFound); // Every container has one; this image has not.
        AssertRefused(image, "/nul\0", ImageErrorKind.Invalid);
        AssertRefused(image, "/" + new string('x', 300), ImageErrorKind.Invalid);
        Assert.Equal(ImageErrorKind.NotFound, Assert.Throws<ImageException>(() => image.ListFiles("/none")).Kind);
    }

    [Fact]
    public async Task What_is_held_stays_when_its_image_is_removed_and_goes_after_that()
    {
        using var store = Sample.OpenStore(folder.Sub("a"));
        var image = await store.ImportAsync(new MemoryStream(Sample.Tar((Sample.File("vm.img"), "a disk"))), Sample.Step("machine"), new Heard(), Sample.Stopping);
        using (var held = await store.Layers.HoldAsync(image, Sample.Stopping))
        {
            store.Remove("machine", force: false, keepParents: false, _ => false);
            Assert.Equal("a disk", Read(held, "/vm.img"));
        }

        Assert.NotEmpty(Directory.EnumerateDirectories(Path.Combine(folder.Path, "a", "layers")));
        store.Prune(new PruneFilter());
        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(folder.Path, "a", "layers")));
    }

    /// <summary>An image of these layers, the lowest first, as a registry would give it.</summary>
    private static async Task<HeldImage> HoldAsync(ImageStore store, params IReadOnlyList<byte[]> layers)
    {
        StoredImage? image = null;
        foreach (var layer in layers)
        {
            using var lease = store.Layers.Parts.Pins.Begin();
            var unpacked = await store.Layers.Parts.Unpacker.UnpackAsync(new MemoryStream(layer), Oci.Compression.None, expected: null, lease, Sample.Stopping);
            image = await store.CreateAsync(Sample.Step("image") with { Parent = image, Layer = unpacked.DiffId }, Sample.Stopping);
        }

        return await store.Layers.HoldAsync(image!, Sample.Stopping);
    }

    private static string Read(HeldImage image, string path)
    {
        using var file = image.OpenFile(path);
        var bytes = new byte[file.SizeBytes];
        Assert.Equal(bytes.Length, RandomAccess.Read(file.Contents, bytes, 0));
        return Encoding.UTF8.GetString(bytes);
    }

    private static void AssertRefused(HeldImage image, string path, ImageErrorKind kind) => Assert.Equal(kind, Assert.Throws<ImageException>(() => image.OpenFile(path)).Kind);
}
