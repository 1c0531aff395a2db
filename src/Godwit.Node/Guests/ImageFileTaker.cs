using System.Collections.Concurrent;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Images;
using Godwit.Images.Layers;
using Godwit.Linux;
using Godwit.Node.Pulling;
using Godwit.Volumes;

namespace Godwit.Node.Guests;

/// <summary>Takes files out of images of layers, as hostile as they come, and keeps each if it is what it is to be.</summary>
internal sealed class ImageFileTaker(NodeImages images, ImageFileStore files)
{
    /// <summary>Where a disk lies in an image that is one, as KubeVirt has it.</summary>
    public const string DiskFolder = "/disk";

    private const long KernelBytesMax = 256L << 20;
    private const long InitrdBytesMax = 2L << 30;

    /// <summary>Files whose digests are remembered, so that they are not copied to be known again; one that is forgotten only is.</summary>
    private const int KnownMax = 1000;

    private readonly ConcurrentDictionary<(Oci.Digest Image, string Path), string> known = new();

    /// <summary>Whether one repository could hold both.</summary>
    public static bool IsOfOneRepository(Oci.ImageReference left, Oci.ImageReference right) => left.Registry == right.Registry && left.Repository == right.Repository;

    /// <summary>The file that is wished of an image that is here.</summary>
    /// <exception cref="GuestImageException">There is no such file in the image, or it is no disk, kernel or initial memory disk that may be used; or it cannot be kept.</exception>
    public async Task<FetchedFile> TakeAsync(StoredImage image, GuestImageWish wish, CancellationToken stopping)
    {
        try
        {
            using var held = await images.Store.Layers.HoldAsync(image, stopping);
            using var file = held.OpenFile(wish.Path ?? OnlyDisk(held));
            if (file.SizeBytes > BytesMax(wish.Use))
            {
                throw new GuestImageException("InvalidImage", $"The file {file.Path} of the image {wish.Image} has {file.SizeBytes} bytes; at most {BytesMax(wish.Use)} are taken for a {Word(wish.Use)}");
            }

            var lease = await KeepAsync(image, wish, file, stopping);
            try
            {
                return new FetchedFile(Check(new GuestImageFile(wish.Slot, wish.Use, wish.Image, image.Id.ToString(), PullNameOf(image, wish), file.Path, lease.Digest), lease.Path), lease);
            }
            catch
            {
                lease.Dispose();
                throw;
            }
        }
        catch (Exception error) when (error is ImageException or LinuxException)
        {
            throw new GuestImageException("InvalidImage", $"The image {wish.Image} cannot be a guest's {Word(wish.Use)}: {ErrorChain.Describe(error)}", error);
        }
        catch (VolumeException error)
        {
            throw new GuestImageException("CannotStart", $"The image {wish.Image} cannot be kept for a guest: {ErrorChain.Describe(error)}", error);
        }
    }

    /// <summary>The file at this path as what it is said to be, with what it says of itself.</summary>
    /// <exception cref="GuestImageException">It is none.</exception>
    public static GuestImageFile Check(GuestImageFile file, string path)
    {
        try
        {
            switch (file.Use)
            {
                case GuestImageUse.Kernel:
                    BootFile.CheckKernel(path);
                    return file;
                case GuestImageUse.Initrd:
                    BootFile.CheckInitrd(path);
                    return file;
                default:
                    var disk = DiskImage.Probe(path);
                    return file with { Format = disk.Format, VirtualSizeBytes = disk.VirtualSizeBytes };
            }
        }
        catch (VolumeException wrong)
        {
            throw new GuestImageException("InvalidImage", $"The file {file} is no {Word(file.Use)} that a guest may have: {ErrorChain.Describe(wrong)}", wrong);
        }
    }

    private static string OnlyDisk(HeldImage held)
    {
        var found = held.ListFiles(DiskFolder);
        return found.Count == 1
            ? found[0]
            : throw new ImageException(ImageErrorKind.Invalid, $"{DiskFolder} holds {found.Count} files; one is taken for the disk, and of several the volume's 'path' says which");
    }

    private async Task<ImageFileLease> KeepAsync(StoredImage image, GuestImageWish wish, ImageFile file, CancellationToken stopping)
    {
        if (known.TryGetValue((image.Id, file.Path), out var digest) && files.Find(digest) is { } here)
        {
            return here;
        }

        var lease = await files.KeepAsync(file.Contents, file.SizeBytes, file.AllocatedBytes, $"{file.Path} of the image {wish.Image}", stopping);
        if (known.Count >= KnownMax)
        {
            known.Clear();
        }

        known[(image.Id, file.Path)] = lease.Digest;
        return lease;
    }

    /// <summary>By which a registry gives this image and no other; null: it came from none.</summary>
    private string? PullNameOf(StoredImage image, GuestImageWish wish) => GuestImageNames.IsPulled(wish.Image) && images.Store.ParseReference(wish.Image) is var wished
        ? image.RepositoryDigests.FirstOrDefault(name => IsOfOneRepository(name, wished))?.ToString()
        : null;

    private static long BytesMax(GuestImageUse use) => use switch
    {
        GuestImageUse.Kernel => KernelBytesMax,
        GuestImageUse.Initrd => InitrdBytesMax,
        _ => DiskImage.VirtualSizeBytesMax,
    };

    private static string Word(GuestImageUse use) => use switch
    {
        GuestImageUse.Kernel => "kernel",
        GuestImageUse.Initrd => "initial memory disk",
        _ => "disk",
    };
}
