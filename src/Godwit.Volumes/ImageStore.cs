using System.Text.Json;
using System.Text.Json.Serialization;

namespace Godwit.Volumes;

/// <summary>An image whose parts were found and checked. At least a kernel or a disk is there.</summary>
public sealed record MachineImage
{
    public required string Name { get; init; }

    public required string Folder { get; init; }

    public string? KernelPath { get; init; }

    public string? InitrdPath { get; init; }

    /// <summary>What the image's maker wants on the kernel's command line when the user says nothing.</summary>
    public string? KernelCommandLine { get; init; }

    /// <summary>Never written: machines get an overlay.</summary>
    public DiskImage? Disk { get; init; }

    /// <summary>Another file of the image, as a VM names it: <c>/boot/vmlinuz</c> is <c>boot/vmlinuz</c> in the image's folder.</summary>
    /// <exception cref="VolumeException">Outside the image, through a link, or not there.</exception>
    public string FindFile(string pathInImage) => SafePath.FindFile(Folder, pathInImage);
}

/// <summary>
/// The images of this host: <c>IMAGES/NAME/</c> with <c>vmlinuz</c>, <c>initrd</c>, and <c>disk.qcow2</c>, <c>disk.raw</c>
/// or <c>disk.img</c>; an optional <c>image.json</c> names other files (<c>kernel</c>, <c>initrd</c>, <c>disk</c>) and the kernel's arguments (<c>kernelArgs</c>). Links inside are refused.
/// </summary>
public sealed class ImageStore(string imagesFolder)
{
    private const int DescriptionBytesMax = 64 << 10;

    private static readonly (string File, DiskFormat Format)[] DiskNames =
    [
        ("disk.qcow2", DiskFormat.Qcow2),
        ("disk.raw", DiskFormat.Raw),
        ("disk.img", DiskFormat.Raw),
    ];

    public string Folder { get; } = Path.GetFullPath(imagesFolder);

    /// <summary>The folder of an image that is an OCI layout, whose files are found by a container's rules and not by names here; null for every other.</summary>
    /// <exception cref="VolumeException">No name of an image here.</exception>
    public string? FindLayout(string reference)
    {
        var folder = Path.Combine(Folder, ImageReference.Parse(reference).FolderName);
        if (!File.Exists(Path.Combine(folder, "oci-layout")))
        {
            return null;
        }

        SafePath.RefuseLink(folder);
        return folder;
    }

    /// <summary>Finds and checks an image by its name.</summary>
    /// <exception cref="VolumeException">No such image, or it is broken; says what to do.</exception>
    public MachineImage Open(string reference)
    {
        var name = ImageReference.Parse(reference).FolderName;
        var folder = Path.Combine(Folder, name);
        if (!Directory.Exists(folder))
        {
            throw new VolumeException($"There is no image '{name}': make the folder {folder} with vmlinuz and initrd, or disk.qcow2, disk.raw or disk.img.");
        }

        SafePath.RefuseLink(folder);
        var description = ReadDescription(folder);
        var image = new MachineImage
        {
            Name = name,
            Folder = folder,
            KernelPath = Find(folder, description.Kernel, "vmlinuz"),
            InitrdPath = Find(folder, description.Initrd, "initrd"),
            KernelCommandLine = description.KernelArgs,
            Disk = FindDisk(folder, description.Disk),
        };

        if (image.KernelPath is null && image.Disk is null)
        {
            throw new VolumeException($"The image '{name}' is empty: {folder} has neither vmlinuz nor disk.qcow2, disk.raw or disk.img.");
        }

        if (image.KernelPath is { } kernel)
        {
            BootFile.CheckKernel(kernel);
        }

        if (image.InitrdPath is { } initrd)
        {
            BootFile.CheckInitrd(initrd);
        }

        return image;
    }

    private static string? Find(string folder, string? named, string standard)
    {
        if (named is not null)
        {
            return SafePath.FindFile(folder, named);
        }

        return Path.Exists(Path.Combine(folder, standard)) ? SafePath.FindFile(folder, standard) : null;
    }

    private static DiskImage? FindDisk(string folder, string? named)
    {
        if (named is not null)
        {
            return DiskImage.Check(SafePath.FindFile(folder, named), named.EndsWith(".qcow2", StringComparison.Ordinal) ? DiskFormat.Qcow2 : DiskFormat.Raw);
        }

        foreach (var (file, format) in DiskNames)
        {
            if (Path.Exists(Path.Combine(folder, file)))
            {
                return DiskImage.Check(SafePath.FindFile(folder, file), format);
            }
        }

        return null;
    }

    private static ImageDescription ReadDescription(string folder)
    {
        var path = Path.Combine(folder, "image.json");
        if (!Path.Exists(path))
        {
            return new ImageDescription();
        }

        var json = DiskImage.ReadStart(SafePath.FindFile(folder, "image.json"), DescriptionBytesMax, out var length);
        try
        {
            return length <= DescriptionBytesMax
                ? JsonSerializer.Deserialize(json, ImageJson.Default.ImageDescription) ?? throw new JsonException("it is null")
                : throw new JsonException($"it has {length} bytes; at most {DescriptionBytesMax} are read");
        }
        catch (JsonException reason)
        {
            throw new VolumeException($"{path} does not describe an image", reason);
        }
    }
}

internal sealed record ImageDescription
{
    public string? Kernel { get; init; }

    public string? Initrd { get; init; }

    public string? Disk { get; init; }

    public string? KernelArgs { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, MaxDepth = 8)]
[JsonSerializable(typeof(ImageDescription))]
internal sealed partial class ImageJson : JsonSerializerContext;
