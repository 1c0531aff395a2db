using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Godwit.Linux.Files;

namespace Godwit.Volumes;

/// <summary>Which file lies at a path, and whether it was written since: device, inode, length and time of change as one word.</summary>
public static class FileStamp
{
    /// <exception cref="VolumeException">There is no file.</exception>
    public static string Of(string path) => FileIdentity.Find(path) is { } file
        ? string.Create(CultureInfo.InvariantCulture, $"{file.DeviceId:x}-{file.InodeNumber}-{file.SizeBytes}-{File.GetLastWriteTimeUtc(path).Ticks}")
        : throw new VolumeException($"There is no file {path}.");
}

/// <summary>The SHA-256 of image files, read once for each stamp: how two hosts know that they have the same image.</summary>
public sealed class ImageDigests
{
    /// <summary>Images that are remembered; a host has far fewer, and one that is forgotten is only read again.</summary>
    private const int KnownMax = 1000;

    private readonly ConcurrentDictionary<string, string> known = new(StringComparer.Ordinal);

    /// <summary>In hexadecimal.</summary>
    /// <exception cref="VolumeException">The file cannot be read.</exception>
    public async Task<string> OfAsync(string path, CancellationToken stopping)
    {
        var stamp = FileStamp.Of(path);
        if (known.TryGetValue(stamp, out var digest))
        {
            return digest;
        }

        try
        {
            await using var file = new FileStream(path, new FileStreamOptions { Options = FileOptions.Asynchronous | FileOptions.SequentialScan, BufferSize = 1 << 20 });
            digest = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, stopping));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"cannot read the image {path}", error);
        }

        if (FileStamp.Of(path) == stamp)
        {
            if (known.Count >= KnownMax)
            {
                known.Clear();
            }

            known[stamp] = digest;
        }

        return digest;
    }
}

/// <summary>A disk that a machine uses, looked at from outside while it does.</summary>
/// <param name="VirtualSizeBytes">As the guest sees it.</param>
/// <param name="AllocatedBytes">Room that its file takes; of a layer over an image, the layer's alone.</param>
public sealed record UsedDisk(long VirtualSizeBytes, long AllocatedBytes)
{
    /// <exception cref="VolumeException">It is not there, or not of that format.</exception>
    public static UsedDisk Look(string path, DiskFormat format)
    {
        if (FileIdentity.Find(path) is not { Kind: FileKind.Regular } file)
        {
            throw new VolumeException($"{path} is no regular file, so how large it is cannot be told.");
        }

        try
        {
            var size = format is DiskFormat.Qcow2 ? Qcow2Header.ReadVirtualSize(DiskImage.ReadStart(path, Qcow2Header.Bytes, out _)) : file.SizeBytes;
            return new UsedDisk(size, FileIdentity.FindAllocatedBytes(path));
        }
        catch (FormatException reason)
        {
            throw new VolumeException($"{path} is no disk", reason);
        }
    }
}
