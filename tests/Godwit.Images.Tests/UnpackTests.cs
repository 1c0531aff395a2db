using System.Text;
using CsCheck;
using Godwit.Images.Tar;
using Godwit.Linux.Files;

namespace Godwit.Images.Tests;

/// <summary>What a layer becomes on the disk, and that nothing of it gets out of its place.</summary>
[Trait("Needs", "root")]
public sealed class UnpackTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly string target;

    public UnpackTests()
    {
        Needs.Root();
        target = folder.Sub("target");
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Everything_that_a_layer_says_of_a_file_is_kept()
    {
        byte[] capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]; // cap_net_raw; its bytes are no text.
        var result = Unpack(Sample.Tar(
            (Sample.Folder("etc/", 0x3ff) with { UserId = 5 }, ""),
            (Sample.File("etc/program", 0x9ed) with { UserId = 1000, GroupId = 2000, Attributes = [new TarAttribute("security.capability"u8.ToArray(), capability)] }, "12345"),
            (Sample.HardLink("etc/same", "etc/program"), ""),
            (Sample.Link("link", "/etc/program") with { UserId = 7 }, ""),
            (new TarEntry { Name = "pipe"u8.ToArray(), Kind = TarKind.Pipe, Mode = 0x180 }, ""),
            (new TarEntry { Name = "null"u8.ToArray(), Kind = TarKind.CharacterDevice, Mode = 0x1b6, DeviceMajor = 1, DeviceMinor = 3 }, "")));

        Assert.Equal((6, 5L, 0), (result.Entries, result.SizeBytes, result.DevicesLeftOut));
        using var root = HeldFolder.Open(target);
        using var etc = root.OpenFolder("etc"u8)!;
        var program = etc.Find("program"u8)!.Value;
        Assert.Equal((0x9edu, 1000u, 2000u, 2u, 1_700_000_000L), (program.Mode, program.UserId, program.GroupId, program.Links, program.Modified.Seconds));
        Assert.Equal(program.InodeNumber, etc.Find("same"u8)!.Value.InodeNumber);
        Assert.Equal(capability, etc.GetAttribute("program"u8, "security.capability"u8));
        Assert.Equal((0x3ffu, 5u, 1_700_000_000L), (etc.Status().Mode, etc.Status().UserId, etc.Status().Modified.Seconds));
        Assert.Equal("/etc/program", Encoding.UTF8.GetString(root.ReadLink("link"u8)!));
        Assert.Equal(7u, root.Find("link"u8)!.Value.UserId);
        Assert.Equal(FileKind.Pipe, root.Find("pipe"u8)!.Value.Kind);
        Assert.Equal((FileKind.CharacterDevice, 1u, 3u), (root.Find("null"u8)!.Value.Kind, root.Find("null"u8)!.Value.DeviceMajor, root.Find("null"u8)!.Value.DeviceMinor));
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("a/../../outside")]
    [InlineData("/../outside")]
    [InlineData("..")]
    public void Names_that_lead_upwards_are_refused(string name)
    {
        Refused(Sample.Tar((Sample.File(name), "x")));
        Assert.Equal(["target"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("..")]
    [InlineData("../../../../../../../../..")]
    public void Links_that_lead_out_are_followed_inside_only(string elsewhere)
    {
        var outside = folder.Sub("outside");
        var way = elsewhere == "/" ? outside : $"{elsewhere}{outside}";
        try
        {
            Unpack(Sample.Tar((Sample.Link("door", way), ""), (Sample.File("door/stolen"), "x")));
        }
        catch (ImageException refusal)
        {
            Assert.Equal(ImageErrorKind.Corrupt, refusal.Kind); // It led to what is not there inside.
        }

        Assert.Empty(Directory.GetFileSystemEntries(outside));
    }

    [Fact]
    public void A_link_at_the_last_name_is_replaced_and_never_written_through()
    {
        var outside = Path.Combine(folder.Path, "secret");
        File.WriteAllText(outside, "mine");
        Unpack(Sample.Tar((Sample.Link("x", outside), ""), (Sample.File("x", 0x1ff) with { UserId = 99 }, "theirs"), (Sample.Link("y", outside), ""), (Sample.Folder("y/", 0x1ff), "")));
        Assert.Equal("mine", File.ReadAllText(outside));
        Assert.Equal(0u, FileIdentity.Find(outside)!.Value.UserId);
        Assert.Equal("theirs", File.ReadAllText(Path.Combine(target, "x")));
    }

    [Theory]
    [InlineData("../secret")]
    [InlineData("/etc/passwd")]
    [InlineData("nothing")]
    [InlineData("door/passwd")]
    public void Hard_links_reach_only_files_of_the_archive(string to) =>
        Refused(Sample.Tar((Sample.Link("door", "/etc"), ""), (Sample.HardLink("mine", to), "")));

    [Fact]
    public void Devices_of_the_host_are_left_out_and_counted()
    {
        var result = Unpack(Sample.Tar(
            (new TarEntry { Name = "sda"u8.ToArray(), Kind = TarKind.BlockDevice, Mode = 0x1b6, DeviceMajor = 8 }, ""),
            (new TarEntry { Name = "mem"u8.ToArray(), Kind = TarKind.CharacterDevice, Mode = 0x1b6, DeviceMajor = 1, DeviceMinor = 1 }, ""),
            (new TarEntry { Name = "whiteout"u8.ToArray(), Kind = TarKind.CharacterDevice, Mode = 0x1b6 }, "")));
        Assert.Equal(3, result.DevicesLeftOut);
        Assert.Empty(Directory.GetFileSystemEntries(target));
    }

    [Fact]
    public void Attributes_that_steer_overlayfs_or_the_host_are_not_taken()
    {
        Unpack(Sample.Tar((Sample.Folder("a/") with { Attributes = [new("trusted.overlay.redirect"u8.ToArray(), "/etc"u8.ToArray()), new("trusted.overlay.opaque"u8.ToArray(), "y"u8.ToArray()), new("security.selinux"u8.ToArray(), "x"u8.ToArray())] }, "")));
        using var root = HeldFolder.Open(target);
        Assert.Empty(root.ListAttributes("a"u8));
    }

    [Fact]
    public void Marks_of_a_layer_become_overlayfs_own_in_whatever_order_they_come()
    {
        Unpack(Sample.Tar(
            (Sample.File("etc/.wh.motd"), ""), (Sample.File("opaque/.wh..wh..opq"), ""), (Sample.File("opaque/new"), "x"),
            (Sample.File("kept"), "x"), (Sample.File(".wh.kept"), ""), (Sample.File(".wh.back"), ""), (Sample.Folder("back/"), ""), (Sample.File("back/file"), "x"), (Sample.File(".wh..wh.plnk"), "")));
        using var root = HeldFolder.Open(target);
        using var etc = root.OpenFolder("etc"u8)!;
        Assert.True(etc.Find("motd"u8)!.Value.IsWhiteout);
        Assert.Equal("y"u8, root.GetAttribute("opaque"u8, "trusted.overlay.opaque"u8)!);
        Assert.Equal("y"u8, root.GetAttribute("back"u8, "trusted.overlay.opaque"u8)!);
        Assert.Equal(FileKind.Regular, root.Find("kept"u8)!.Value.Kind);
        Assert.Equal(["back", "etc", "kept", "opaque"], root.List().Select(entry => Encoding.UTF8.GetString(entry.Name)));
    }

    [Theory]
    [InlineData(".wh.")]
    [InlineData(".wh..")]
    [InlineData(".wh...")]
    public void Marks_without_a_proper_name_are_refused(string name) => Refused(Sample.Tar((Sample.File(name), "")));

    [Fact]
    public void Bombs_stop_at_each_limit()
    {
        Refused(Sample.Tar((Sample.File("a"), ""), (Sample.File("b"), ""), (Sample.File("c"), "")), new UnpackLimits { EntriesMax = 2 }, "more than 2 members");
        Refused(Sample.Tar((Sample.File("a"), "12345"), (Sample.File("b"), "67890")), new UnpackLimits { TotalBytesMax = 9 }, "more than 9 bytes");
        Refused(Sample.Tar((Sample.File(new string('n', 11)), "")), new UnpackLimits { PathBytesMax = 10 }, "11 bytes");
        Refused(Sample.Tar((Sample.File("a/b/c/d"), "")), new UnpackLimits { DepthMax = 3 }, "3 folders deep");
    }

    [Fact]
    public void Whatever_is_packed_from_a_tree_unpacks_to_the_same_tree_and_packs_to_the_same_bytes()
    {
        var name = Gen.Char["abc"].Select(letter => letter.ToString());
        var path = name.Array[1, 3].Select(parts => string.Join('/', parts));
        var kinds = Gen.Select(path, path, Gen.Int[0, 6], Gen.String[0, 50], Gen.UInt[0, 0xfff]);
        var round = 0;
        kinds.Array[1, 12].Sample(
            members =>
            {
                var start = folder.Sub($"a{++round}");
                UnpackWhatWorks(start, members);
                var first = Pack(start);
                var copy = folder.Sub($"b{round}");
                using (var root = HeldFolder.Open(copy))
                {
                    TreeUnpacker.Unpack(new MemoryStream(first), root, new UnpackOptions { IsLayer = true }, Sample.Stopping);
                }

                Assert.Equal(first, Pack(copy));
            },
            iter: 150, threads: 1);
    }

    private static void UnpackWhatWorks(string start, (string Name, string Other, int Kind, string Text, uint Mode)[] members)
    {
        using var root = HeldFolder.Open(start);
        foreach (var (name, other, kind, text, mode) in members)
        {
            var entry = kind switch
            {
                0 or 1 => Sample.File(name, mode),
                2 => Sample.Folder(name + "/", mode),
                3 => Sample.Link(name, other),
                4 => Sample.HardLink(name, other),
                5 => Sample.File(name.Insert(name.LastIndexOf('/') + 1, ".wh.")),
                _ => new TarEntry { Name = Sample.Bytes(name), Kind = TarKind.Pipe, Mode = mode },
            };
            try
            {
                TreeUnpacker.Unpack(new MemoryStream(Sample.Tar((entry, kind < 2 ? text : ""))), root, new UnpackOptions { IsLayer = true }, Sample.Stopping);
            }
            catch (ImageException)
            {
                // A file as a folder, a link to nothing: what came before it stays.
            }
        }
    }

    private static byte[] Pack(string path)
    {
        using var bytes = new MemoryStream();
        using var root = HeldFolder.Open(path);
        var tar = new TarWriter(bytes);
        TreePacker.Pack(root, tar, new PackOptions { IsLayer = true }, Sample.Stopping);
        tar.End();
        return bytes.ToArray();
    }

    private UnpackResult Unpack(byte[] tar, UnpackLimits? limits = null)
    {
        using var root = HeldFolder.Open(target);
        return TreeUnpacker.Unpack(new MemoryStream(tar), root, new UnpackOptions { IsLayer = true, Limits = limits ?? new UnpackLimits() }, Sample.Stopping);
    }

    private void Refused(byte[] tar, UnpackLimits? limits = null, string words = "")
    {
        var refusal = Assert.Throws<ImageException>(() => Unpack(tar, limits));
        Assert.Equal(ImageErrorKind.Corrupt, refusal.Kind);
        Assert.Contains(words, refusal.Message, StringComparison.Ordinal);
    }
}
