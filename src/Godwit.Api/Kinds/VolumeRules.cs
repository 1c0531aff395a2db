using System.Buffers.Text;
using System.Text;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds;

/// <summary>What a volume must hold beyond its schema.</summary>
internal static class VolumeRules
{
    private const int PathLengthMax = 1024;
    private const int ImageLengthMax = 255;

    public static IEnumerable<FieldError> Validate(Volume volume, string path)
    {
        if (Names.CheckDnsLabel(volume.Name) is { } wrong)
        {
            yield return FieldError.Invalid($"{path}.name", volume.Name, wrong);
        }

        var sources = new object?[] { volume.ContainerDisk, volume.HostDisk, volume.CloudInitNoCloud, volume.EmptyDisk }.Count(source => source is not null);
        if (sources != 1)
        {
            yield return FieldError.Invalid(path, null, "must have exactly one source: containerDisk, hostDisk, cloudInitNoCloud or emptyDisk");
        }

        if (volume.ContainerDisk is { } image && CheckImage(image.Image) is { } wrongImage)
        {
            yield return FieldError.Invalid($"{path}.containerDisk.image", image.Image, wrongImage);
        }

        if (volume.ContainerDisk is { Path: { } file } && CheckAbsolutePath(file) is { } wrongFile)
        {
            yield return FieldError.Invalid($"{path}.containerDisk.path", file, wrongFile);
        }

        if (volume.ContainerDisk is { ImagePullSecret: { } secret } && Names.CheckDnsSubdomain(secret) is { } wrongSecret)
        {
            yield return FieldError.Invalid($"{path}.containerDisk.imagePullSecret", secret, wrongSecret);
        }

        if (volume.EmptyDisk is { } empty && CheckCapacity(empty.Capacity.Value) is { } wrongCapacity)
        {
            yield return FieldError.Invalid($"{path}.emptyDisk.capacity", empty.Capacity.ToString(), wrongCapacity);
        }

        foreach (var error in ValidateHostDisk(volume.HostDisk, $"{path}.hostDisk").Concat(ValidateSeed(volume.CloudInitNoCloud, $"{path}.cloudInitNoCloud")))
        {
            yield return error;
        }
    }

    /// <summary>An image's name: parts of letters, digits and a few signs, none of which leads out of the images' folder. Whether a registry could have one of that name is for the node to say.</summary>
    public static string? CheckImage(string image) =>
        image.Length is 0 or > ImageLengthMax ? $"must have 1 to {ImageLengthMax} characters"
        : image.Split('/').All(part => part.Length > 0 && char.IsAsciiLetterOrDigit(part[0])
            && part.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.' or ':' or '@'))
            ? null
            : "must be a name such as debian or team/debian:13: parts of letters, digits, '-', '_', '.', ':' and '@', each beginning with a letter or digit";

    public static string? CheckAbsolutePath(string path) =>
        path.Length is 0 or > PathLengthMax ? $"must have 1 to {PathLengthMax} characters"
        : path[0] != '/' ? "must begin at the root, with '/'"
        : path.Any(letter => char.IsControl(letter) || letter == ',') ? "must not have control characters or commas"
        : path.Split('/').Any(part => part is "." or "..") ? "must not have '.' or '..' parts"
        : null;

    private static IEnumerable<FieldError> ValidateHostDisk(HostDiskSource? disk, string path)
    {
        if (disk is null)
        {
            yield break;
        }

        if (disk.Path.Length == 0)
        {
            yield return FieldError.Required($"{path}.path", "the file's path on the node");
        }
        else if (CheckAbsolutePath(disk.Path) is { } wrong)
        {
            yield return FieldError.Invalid($"{path}.path", disk.Path, wrong);
        }

        if (disk.Type == "DiskOrCreate" && disk.Capacity is null)
        {
            yield return FieldError.Required($"{path}.capacity", "how large the disk is to be if it must be created");
        }
        else if (disk.Capacity is { } capacity && CheckCapacity(capacity.Value) is { } wrongCapacity)
        {
            yield return FieldError.Invalid($"{path}.capacity", capacity.ToString(), wrongCapacity);
        }
    }

    private static IEnumerable<FieldError> ValidateSeed(CloudInitNoCloudSource? seed, string path)
    {
        if (seed is null)
        {
            yield break;
        }

        var userSources = Count(seed.UserData, seed.UserDataBase64, seed.SecretRef);
        var networkSources = Count(seed.NetworkData, seed.NetworkDataBase64, seed.NetworkDataSecretRef);
        if (userSources != 1)
        {
            yield return FieldError.Invalid(path, null, "must have exactly one of userData, userDataBase64 and secretRef");
        }

        if (networkSources > 1)
        {
            yield return FieldError.Invalid(path, null, "must have at most one of networkData, networkDataBase64 and networkDataSecretRef");
        }

        foreach (var (name, text, encoded) in new[]
        {
            ("userData", seed.UserData, false), ("userDataBase64", seed.UserDataBase64, true),
            ("networkData", seed.NetworkData, false), ("networkDataBase64", seed.NetworkDataBase64, true),
        })
        {
            if (encoded && text is not null && !Base64.IsValid(text))
            {
                yield return FieldError.Invalid($"{path}.{name}", null, "must be base64");
            }

            if (text is not null && Encoding.UTF8.GetByteCount(text) > DomainRules.SeedPartBytesMax)
            {
                yield return FieldError.TooLong($"{path}.{name}", $"must have at most {DomainRules.SeedPartBytesMax} bytes");
            }
        }
    }

    private static int Count(params ReadOnlySpan<object?> sources)
    {
        var count = 0;
        foreach (var source in sources)
        {
            count += source is null ? 0 : 1;
        }

        return count;
    }

    private static string? CheckCapacity(decimal bytes) =>
        bytes > 0 && decimal.IsInteger(bytes) ? null : "must be a whole number of bytes, more than 0";
}
