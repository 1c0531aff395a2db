using Godwit.Machines;
using Godwit.Node.Migrations;
using Godwit.Volumes;

namespace Godwit.Node.Tests.Migrations;

public sealed class MovingDisksTests : IDisposable
{
    private const int MiB = 1 << 20;

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("godwit-disks-");

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public void Counted_is_what_is_stored_of_a_disk_and_of_the_image_below_it_where_that_goes_along()
    {
        var (layer, image) = (Sparse("layer", 64, storedMiB: 3), Sparse("image", 64, storedMiB: 5));
        MachineDisk[] disks = [new("root", layer, DiskFormat.Raw, ReadOnly: false) { Backing = new(image, FileStamp.Of(image)) }, new("seed", image, DiskFormat.Raw, ReadOnly: true)];

        Assert.Equal(0, MovingDisks.BytesOf(disks, []));
        Assert.InRange(MovingDisks.BytesOf(disks, [new(0, 64 * MiB, "digest")]), 3 * MiB, 4 * MiB);
        Assert.InRange(MovingDisks.BytesOf(disks, [new(0, 64 * MiB, null)]), 8 * MiB, 9 * MiB);
        Assert.Equal(2 * MiB, MovingDisks.BytesOf(disks, [new(0, 2 * MiB, "digest")]));
    }

    [Fact]
    public void A_disk_that_cannot_be_looked_at_is_counted_whole()
    {
        MachineDisk[] disks = [new("gone", Path.Combine(folder.FullName, "gone"), DiskFormat.Raw, ReadOnly: false)];

        Assert.Equal(7 * MiB, MovingDisks.BytesOf(disks, [new(0, 7 * MiB, null)]));
    }

    private string Sparse(string name, int sizeMiB, int storedMiB)
    {
        var path = Path.Combine(folder.FullName, name);
        using var file = File.Create(path);
        var block = new byte[MiB];
        Random.Shared.NextBytes(block);
        for (var written = 0; written < storedMiB; written++)
        {
            file.Write(block);
        }

        file.SetLength((long)sizeMiB * MiB);
        file.Flush(flushToDisk: true);
        return path;
    }
}
