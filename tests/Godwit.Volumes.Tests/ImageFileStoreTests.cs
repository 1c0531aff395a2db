using Godwit.Linux.Files;

namespace Godwit.Volumes.Tests;

/// <summary>Files of images: each once, for those machines that have it, and no longer than they.</summary>
public sealed class ImageFileStoreTests : IDisposable
{
    private const string First = "00000000-0000-0000-0000-000000000001";
    private const string Second = "00000000-0000-0000-0000-000000000002";

    private readonly TemporaryFolder folder = new();
    private readonly ImageFileStore store;

    public ImageFileStoreTests()
    {
        Assert.SkipUnless(Environment.UserName == "root", "This test gives files to users: run it as root.");
        store = new ImageFileStore(Path.Combine(folder.Path, "store"));
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_file_is_kept_once_under_its_digest_with_its_holes()
    {
        var bytes = new byte[8 << 20];
        bytes[5 << 20] = 1;
        using var one = await KeepAsync(bytes);
        using var again = await KeepAsync(bytes);

        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)), one.Digest);
        Assert.Equal(one.Path, again.Path);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(one.Path, TestContext.Current.CancellationToken));
        Assert.InRange(FileIdentity.FindAllocatedBytes(one.Path), 1, 1 << 20);
        Assert.Equal([one.Path], Files());
    }

    [Fact]
    public async Task A_machines_user_reads_its_own_files_and_no_others_and_can_change_none()
    {
        using var disk = await KeepAsync([1, 2, 3]);
        store.Give(First, 4_000_001, new Dictionary<string, ImageFileLease> { ["disk-0"] = disk }, "{}"u8.ToArray());

        var own = store.PathFor(First, "disk-0");
        Assert.Equal(FileIdentity.Find(disk.Path)!.Value.InodeNumber, FileIdentity.Find(own)!.Value.InodeNumber);
        Assert.Equal((0u, 0u), (FileIdentity.Find(own)!.Value.UserId, FileIdentity.Find(own)!.Value.GroupId));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead, File.GetUnixFileMode(own));
        var mine = Path.GetDirectoryName(own)!;
        Assert.Equal((0u, 4_000_001u), (FileIdentity.Find(mine)!.Value.UserId, FileIdentity.Find(mine)!.Value.GroupId));
        Assert.Equal("rwxr-x---", Mode(mine));
        Assert.Equal("rwx------", Mode(Path.GetDirectoryName(disk.Path)!));
        Assert.Equal("rw-------", Mode(Path.Combine(mine, "images.json")));
    }

    [Fact]
    public async Task What_a_machine_has_or_somebody_holds_stays_and_the_rest_goes_also_after_a_restart()
    {
        using (var disk = await KeepAsync([1]))
        using (var kernel = await KeepAsync([2]))
        {
            store.Give(First, 1, new Dictionary<string, ImageFileLease> { ["disk-0"] = disk, ["kernel"] = kernel }, "first"u8.ToArray());
            store.Give(Second, 2, new Dictionary<string, ImageFileLease> { ["disk-0"] = disk }, "second"u8.ToArray());
        }

        using var held = await KeepAsync([3]);
        store.Release(First);
        store.Release(First);
        Assert.Equal(2, Files().Count); // The second machine's, and the one that is held.
        Assert.Null(store.RecordOf(First));

        held.Dispose();
        await File.WriteAllTextAsync(Path.Combine(Path.GetDirectoryName(held.Path)!, "half.part"), "a crash left it", TestContext.Current.CancellationToken);
        var next = new ImageFileStore(store.Folder);
        next.Collect(machine => machine == Second);
        Assert.Equal("second"u8.ToArray(), next.RecordOf(Second));
        Assert.Equal([1], await File.ReadAllBytesAsync(next.PathFor(Second, "disk-0"), TestContext.Current.CancellationToken));
        Assert.Single(Files());
        next.Collect(_ => false);
        Assert.Empty(Files());
        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(store.Folder, "machines")));
    }

    [Fact]
    public async Task A_copy_that_is_cancelled_or_cut_short_leaves_nothing()
    {
        using var source = File.OpenHandle(folder.File("short", [1, 2, 3]));
        await Assert.ThrowsAsync<VolumeException>(() => store.KeepAsync(source, 4, 4, "a short file", TestContext.Current.CancellationToken));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.KeepAsync(source, 3, 3, "a file", new CancellationToken(canceled: true)));
        Assert.Contains("The disk is full", (await Assert.ThrowsAsync<VolumeException>(() => store.KeepAsync(source, 3, 1L << 60, "a large file", TestContext.Current.CancellationToken))).Message, StringComparison.Ordinal);
        Assert.Empty(Files());
        Assert.Null(store.Find("../../../etc/passwd"));
        Assert.Throws<ArgumentException>(() => store.PathFor("..", "disk-0"));
    }

    [Fact]
    public void An_image_of_unknown_format_is_found_out_by_its_first_bytes_and_may_have_nothing_below_it()
    {
        Assert.Equal(DiskFormat.Qcow2, DiskImage.Probe(folder.File("a", Sample.Qcow2())).Format);
        Assert.Equal((DiskFormat.Raw, 1024L), (DiskImage.Probe(folder.File("b", new byte[1024])).Format, DiskImage.Probe(folder.File("b", new byte[1024])).VirtualSizeBytes));
        var chained = Sample.Qcow2();
        chained[15] = 104; // The offset of a backing file's name.
        Assert.Contains("backing file", Base.ErrorChain.Describe(Assert.Throws<VolumeException>(() => DiskImage.Probe(folder.File("c", chained)))), StringComparison.Ordinal);
        Assert.Throws<VolumeException>(() => DiskImage.Probe(folder.File("d", [0x1f, 0x8b, .. new byte[510]])));
        Assert.Throws<VolumeException>(() => DiskImage.Probe(folder.File("e", new byte[513])));
    }

    private async Task<ImageFileLease> KeepAsync(byte[] bytes)
    {
        using var source = File.OpenHandle(folder.File($"source-{Guid.NewGuid():N}", bytes));
        return await store.KeepAsync(source, bytes.Length, 1 << 20, "a file", TestContext.Current.CancellationToken);
    }

    private List<string> Files() => [.. Directory.EnumerateFiles(Path.Combine(store.Folder, "files"))];

    private static string Mode(string path)
    {
        const string letters = "rwxrwxrwx";
        var mode = (int)File.GetUnixFileMode(path);
        return new string([.. letters.Select((letter, index) => (mode & (0x100 >> index)) != 0 ? letter : '-')]);
    }
}
