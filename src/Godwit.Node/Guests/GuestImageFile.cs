using System.Text.Json.Serialization;
using Godwit.Volumes;

namespace Godwit.Node.Guests;

/// <summary>What a file of an image is to a guest.</summary>
internal enum GuestImageUse
{
    Kernel,
    Initrd,
    Disk,
}

/// <summary>A file of an image that a guest wants, as its object says it.</summary>
/// <param name="Slot">Its name among the guest's files of images: <c>kernel</c>, <c>initrd</c>, <c>disk-0</c>, by the disk's place.</param>
/// <param name="Image">The image's name.</param>
/// <param name="Path">In the image; null: the only file in <c>/disk</c>.</param>
internal sealed record GuestImageWish(string Slot, GuestImageUse Use, string Image, string? Path, ImagePull Pull)
{
    public const string KernelSlot = "kernel";
    public const string InitrdSlot = "initrd";

    private const string KernelPathDefault = "/vmlinuz";

    public static string DiskSlot(int index) => $"disk-{index}";

    /// <summary>Of the images that are taken out of layers; others are files of the images folder and used where they lie.</summary>
    /// <param name="blueprint">The guest.</param>
    /// <param name="isLayered">Whether an image of this name is one.</param>
    public static IReadOnlyList<GuestImageWish> Of(GuestBlueprint blueprint, Func<string, bool> isLayered)
    {
        var wishes = new List<GuestImageWish>();
        if (blueprint.Kernel is { } kernel && isLayered(kernel.Image))
        {
            wishes.Add(new(KernelSlot, GuestImageUse.Kernel, kernel.Image, string.IsNullOrEmpty(kernel.KernelPath) ? KernelPathDefault : kernel.KernelPath, kernel.Pull));
            if (!string.IsNullOrEmpty(kernel.InitrdPath))
            {
                wishes.Add(new(InitrdSlot, GuestImageUse.Initrd, kernel.Image, kernel.InitrdPath, kernel.Pull));
            }
        }

        for (var index = 0; index < blueprint.Disks.Count; index++)
        {
            if (blueprint.Disks[index].Source is DiskSource.Image disk && isLayered(disk.Reference))
            {
                wishes.Add(new(DiskSlot(index), GuestImageUse.Disk, disk.Reference, string.IsNullOrEmpty(disk.Path) ? null : disk.Path, disk.Pull));
            }
        }

        return wishes;
    }
}

/// <summary>A file of an image as a guest began with it, whatever the image's name has come to mean since.</summary>
/// <param name="Slot">As in <see cref="GuestImageWish"/>.</param>
/// <param name="Image">The image's name, as the guest's object has it.</param>
/// <param name="ImageId">The digest of the image's configuration.</param>
/// <param name="PullName">The name by which a registry gives just this image; null: it never came from one.</param>
/// <param name="Path">In the image, without links.</param>
/// <param name="Digest">SHA-256 of the file, in hexadecimal.</param>
internal sealed record GuestImageFile(string Slot, GuestImageUse Use, string Image, string ImageId, string? PullName, string Path, string Digest)
{
    /// <summary>Of a disk.</summary>
    public DiskFormat Format { get; init; }

    /// <summary>Of a disk, as the guest sees it.</summary>
    public long VirtualSizeBytes { get; init; }

    public override string ToString() => $"{Path} of the image {Image}";
}

/// <summary>What is kept with a machine's files.</summary>
internal sealed record GuestImageRecord(IReadOnlyList<GuestImageFile> Files);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(GuestImageRecord))]
internal sealed partial class GuestImageJson : JsonSerializerContext;

/// <summary>A guest's images cannot be had, or are none.</summary>
/// <param name="reason">One word for programs.</param>
internal sealed class GuestImageException(string reason, string message, Exception? cause = null) : Exception(message, cause)
{
    public string Reason { get; } = reason;
}
