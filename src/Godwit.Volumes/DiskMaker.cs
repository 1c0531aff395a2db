namespace Godwit.Volumes;

/// <summary>Makes disks for machines. Each method makes the whole file or leaves none, and leaves one that is there already as it is.</summary>
public sealed class DiskMaker(TimeProvider clock)
{
    /// <summary>Room that a fresh overlay or sparse disk takes at once, tables included.</summary>
    private const long FreshBytes = 16L << 20;

    /// <summary>A qcow2 disk that holds only what differs from an image; the image is never written.</summary>
    /// <param name="path">The new disk; absolute.</param>
    /// <param name="image">An image that was checked.</param>
    /// <param name="sizeBytes">As the guest shall see it; at least the image's, which is the default.</param>
    public async Task<DiskImage> CreateOverlayAsync(string path, DiskImage image, long? sizeBytes, CancellationToken stopping)
    {
        var size = sizeBytes ?? image.VirtualSizeBytes;
        if (size < image.VirtualSizeBytes)
        {
            throw new VolumeException($"{path} cannot be a disk of {size} bytes over {image.Path}, which has {image.VirtualSizeBytes}: a disk does not shrink.");
        }

        if (!File.Exists(image.Path))
        {
            throw new VolumeException($"{path} cannot be a disk over {image.Path}: there is no such file.");
        }

        // -u: qemu-img does not open the image. It would as root, and what it reads there was not checked as its header was.
        await MakeAsync(path, size, FreshBytes, ["-u", "-f", "qcow2", "-F", DiskImage.Word(image.Format), "-b", image.Path], stopping);
        return new DiskImage(path, DiskFormat.Qcow2, size);
    }

    /// <summary>An empty disk; sparse, so it takes room as the guest fills it.</summary>
    public async Task<DiskImage> CreateEmptyAsync(string path, DiskFormat format, long sizeBytes, CancellationToken stopping)
    {
        await MakeAsync(path, sizeBytes, FreshBytes, ["-f", DiskImage.Word(format)], stopping);
        return new DiskImage(path, format, sizeBytes);
    }

    private async Task MakeAsync(string path, long sizeBytes, long roomBytes, IReadOnlyList<string> arguments, CancellationToken stopping)
    {
        if (!Path.IsPathFullyQualified(path))
        {
            throw new VolumeException($"'{path}' is not an absolute path."); // QEMU reads 'name:…' as a protocol.
        }

        if (sizeBytes is <= 0 or > DiskImage.VirtualSizeBytesMax || sizeBytes % 512 != 0)
        {
            throw new VolumeException($"{path} cannot have {sizeBytes} bytes: a disk has 512 to {DiskImage.VirtualSizeBytesMax}, in whole sectors of 512.");
        }

        if (File.Exists(path))
        {
            return;
        }

        DiskSpace.Require(Path.GetDirectoryName(path)!, roomBytes, $"the disk {Path.GetFileName(path)}");
        var temporary = path + ".new";
        try
        {
            await Tool.RunAsync("qemu-img", "qemu-utils", ["create", "-q", .. arguments, temporary, sizeBytes.ToString(System.Globalization.CultureInfo.InvariantCulture)], clock, stopping);
            File.Move(temporary, path);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            throw new VolumeException($"cannot make the disk {path}", error);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
