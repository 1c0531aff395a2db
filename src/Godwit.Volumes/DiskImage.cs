using System.Buffers.Binary;

namespace Godwit.Volumes;

public enum DiskFormat
{
    Raw,
    Qcow2,
}

/// <summary>A disk as a file: where, in which format, and how large the guest sees it.</summary>
public sealed record DiskImage(string Path, DiskFormat Format, long VirtualSizeBytes)
{
    /// <summary>64 TiB: above it a size is a mistake or a lie.</summary>
    public const long VirtualSizeBytesMax = 64L << 40;

    private const int SectorBytes = 512;

    /// <summary>What people put in place of a raw disk, by its first bytes.</summary>
    private static readonly (int Offset, byte[] Magic, string Kind)[] NotRaw =
    [
        (0, [0x51, 0x46, 0x49, 0xfb], "qcow2"),
        (0, "KDMV"u8.ToArray(), "VMDK"),
        (0, "# Disk DescriptorFile"u8.ToArray(), "VMDK"),
        (0, "vhdxfile"u8.ToArray(), "VHDX"),
        (0, "conectix"u8.ToArray(), "VHD"),
        (0x40, [0x7f, 0x10, 0xda, 0xbe], "VDI"),
        (0, [0x1f, 0x8b], "gzip"),
        (0, [0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz"),
        (0, [0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (0, "PK\u0003\u0004"u8.ToArray(), "zip"),
    ];

    /// <summary>Checks an image that somebody provided: of the declared format, whole, and standing alone.</summary>
    /// <exception cref="VolumeException">Why it is no such image, and what to do.</exception>
    public static DiskImage Check(string path, DiskFormat format)
    {
        var start = ReadStart(path, Qcow2Header.Bytes, out var length);
        try
        {
            return new DiskImage(path, format, format is DiskFormat.Qcow2 ? Qcow2Header.Parse(start).VirtualSizeBytes : CheckRaw(start, length));
        }
        catch (FormatException reason)
        {
            throw new VolumeException($"{path} cannot be used as a {Word(format)} disk", reason);
        }
    }

    /// <summary>Checks an image of which nobody has said the format: qcow2 by its first bytes, else raw, and by the same rules as <see cref="Check"/>. Only for images that no guest has written to.</summary>
    /// <exception cref="VolumeException">Why it is no such image, and what to do.</exception>
    public static DiskImage Probe(string path) =>
        Check(path, Qcow2Header.IsQcow2(ReadStart(path, Qcow2Header.Bytes, out _)) ? DiskFormat.Qcow2 : DiskFormat.Raw);

    /// <summary>
    /// A disk that guests have written to. As raw it is taken as it stands: what a guest wrote at its start must never
    /// change what the host takes the file for.
    /// </summary>
    public static DiskImage CheckUsed(string path, DiskFormat format)
    {
        if (format is DiskFormat.Qcow2)
        {
            return Check(path, format);
        }

        ReadStart(path, 1, out var length);
        return length > 0 && length % SectorBytes == 0
            ? new DiskImage(path, format, length)
            : throw new VolumeException($"{path} cannot be used as a raw disk: it has {length} bytes, which is no whole number of {SectorBytes}-byte sectors.");
    }

    /// <summary>The format's name for QEMU.</summary>
    public static string Word(DiskFormat format) => format is DiskFormat.Qcow2 ? "qcow2" : "raw";

    internal static byte[] ReadStart(string path, int bytes, out long length)
    {
        try
        {
            using var file = File.OpenHandle(path);
            length = RandomAccess.GetLength(file);
            var start = new byte[(int)Math.Min(bytes, length)];
            var read = RandomAccess.Read(file, start, 0);
            return read == start.Length ? start : start[..read];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new VolumeException($"cannot read {path}", error);
        }
    }

    private static long CheckRaw(ReadOnlySpan<byte> start, long length)
    {
        foreach (var (offset, magic, kind) in NotRaw)
        {
            if (start.Length >= offset + magic.Length && start.Slice(offset, magic.Length).SequenceEqual(magic))
            {
                throw new FormatException($"it is a {kind} file; unpack it, or convert it with 'qemu-img convert -O raw' (or name it disk.qcow2 if it is qcow2)");
            }
        }

        return length > 0 && length % SectorBytes == 0
            ? length
            : throw new FormatException($"it has {length} bytes, which is no whole number of {SectorBytes}-byte sectors");
    }
}

/// <summary>Kernels and initial memory disks by their first bytes, so that a mistake is told before a guest hangs on it.</summary>
public static class BootFile
{
    private const int KernelHeaderBytes = 0x206;

    /// <summary>Linux's x86 boot protocol: <c>0xAA55</c> at 0x1fe and <c>HdrS</c> at 0x202; or an ELF kernel (PVH).</summary>
    /// <exception cref="VolumeException">It is none.</exception>
    public static void CheckKernel(string path)
    {
        ReadOnlySpan<byte> start = DiskImage.ReadStart(path, KernelHeaderBytes, out _);
        var isBzImage = start.Length == KernelHeaderBytes
            && BinaryPrimitives.ReadUInt16LittleEndian(start[0x1fe..]) == 0xAA55
            && start[0x202..].SequenceEqual("HdrS"u8);
        if (!isBzImage && !start.StartsWith("\u007fELF"u8))
        {
            throw new VolumeException($"{path} is not a Linux kernel for x86 (neither a bzImage nor an ELF kernel).");
        }
    }

    /// <summary>A cpio archive, plain or compressed as Linux knows it.</summary>
    /// <exception cref="VolumeException">It is none.</exception>
    public static void CheckInitrd(string path)
    {
        ReadOnlySpan<byte> start = DiskImage.ReadStart(path, 6, out _);
        var isKnown = start.StartsWith("070701"u8) || start.StartsWith("070702"u8)
            || start.StartsWith<byte>([0x1f, 0x8b]) || start.StartsWith<byte>([0xfd, 0x37, 0x7a, 0x58, 0x5a])
            || start.StartsWith<byte>([0x28, 0xb5, 0x2f, 0xfd]) || start.StartsWith<byte>([0x02, 0x21, 0x4c, 0x18])
            || start.StartsWith("BZh"u8) || start.StartsWith<byte>([0x5d, 0x00, 0x00]);
        if (!isKnown)
        {
            throw new VolumeException($"{path} is not an initial memory disk (no cpio archive, plain or compressed by gzip, xz, zstd, lz4, bzip2 or lzma).");
        }
    }
}
