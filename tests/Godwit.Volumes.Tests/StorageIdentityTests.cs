using Godwit.Linux.Files;

namespace Godwit.Volumes.Tests;

public sealed class StorageIdentityTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Storage_is_found_from_anywhere_inside_it_and_keeps_its_id()
    {
        var made = StorageIdentity.Ensure(folder.Path);
        folder.File("vms/a/disk.img", new byte[512]);
        Assert.Equal(made, StorageIdentity.Find(Path.Combine(folder.Path, "vms/a/disk.img")));
        Assert.Equal(made, StorageIdentity.Ensure(folder.Path));
        Assert.Equal([StorageIdentity.MarkerName], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Hosts_that_mark_a_storage_at_once_all_get_the_same_id()
    {
        var ids = new StorageId[8];
        Parallel.For(0, ids.Length, index => ids[index] = StorageIdentity.Ensure(folder.Path).Id);
        Assert.Single(ids.Distinct());
    }

    [Fact]
    public void Storage_without_marker_is_no_shared_storage() => Assert.Null(StorageIdentity.View(folder.File("disk.img", new byte[512])));

    [Fact]
    public void What_was_put_on_a_storage_is_read_there_and_on_no_copy_of_it_and_is_gone_afterwards()
    {
        var here = StorageIdentity.Ensure(folder.Path);
        using var copy = new TemporaryFolder();
        File.Copy(Path.Combine(folder.Path, StorageIdentity.MarkerName), Path.Combine(copy.Path, StorageIdentity.MarkerName));
        string name;
        using (var proof = here.Prove())
        {
            name = proof.Name;
            Assert.Equal(proof.Secret, StorageIdentity.Find(folder.Path)!.ReadProof(name));
            Assert.Null(StorageIdentity.Find(copy.Path)!.ReadProof(name));
        }

        Assert.Null(here.ReadProof(name));
        Assert.All(Directory.EnumerateFiles(folder.Path), path => Assert.Equal(StorageIdentity.MarkerName, Path.GetFileName(path)));
    }

    [Theory]
    [InlineData("../passwd")]
    [InlineData(".godwit-storage")]
    [InlineData(".godwit-proof-../../passwd")]
    public void Only_a_proof_is_read_for_another_host(string name)
    {
        var here = StorageIdentity.Ensure(folder.Path);
        folder.File("passwd", new byte[8]);
        Assert.Null(here.ReadProof(name));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not a uuid")]
    [InlineData("00000000-0000-0000-0000-000000000000")]
    public void Broken_marker_is_told_and_not_guessed_around(string text)
    {
        folder.File(StorageIdentity.MarkerName, System.Text.Encoding.ASCII.GetBytes(text));
        Assert.Throws<VolumeException>(() => StorageIdentity.Find(folder.Path));
    }

    [Fact]
    public void One_file_seen_twice_is_shared_and_a_copy_with_the_same_marker_is_not()
    {
        StorageIdentity.Ensure(folder.Path);
        var disk = folder.File("vm/disk.img", new byte[512]);
        var view = StorageIdentity.View(disk);
        Assert.Null(SharedDiskView.FindDifference(view, StorageIdentity.View(disk)));

        using var copy = new TemporaryFolder();
        File.Copy(Path.Combine(folder.Path, StorageIdentity.MarkerName), Path.Combine(copy.Path, StorageIdentity.MarkerName));
        var copied = StorageIdentity.View(copy.File("vm/disk.img", new byte[512]));
        Assert.Contains("copied", SharedDiskView.FindDifference(view, copied)!, StringComparison.Ordinal);
        Assert.Contains("target does not see", SharedDiskView.FindDifference(view, null)!, StringComparison.Ordinal);
        Assert.Contains("no shared storage", SharedDiskView.FindDifference(null, view)!, StringComparison.Ordinal);
        Assert.NotNull(SharedDiskView.FindDifference(view, view! with { RelativePath = "vm/other.img" }));
        Assert.NotNull(SharedDiskView.FindDifference(view, view! with { Kind = FileKind.BlockDevice }));
    }
}
