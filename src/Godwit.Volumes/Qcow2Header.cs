using System.Buffers.Binary;

namespace Godwit.Volumes;

/// <summary>
/// The header of a qcow2 image, after QEMU's <c>docs/interop/qcow2</c>. Read by us and not by <c>qemu-img info</c>, because
/// an image comes from anywhere: one with a backing or data file would make QEMU open files of the host for the guest.
/// </summary>
internal sealed record Qcow2Header(int Version, long VirtualSizeBytes)
{
    public const int Bytes = 104;

    private const uint Magic = 0x514649fb;
    private const ulong Dirty = 1 << 0;
    private const ulong Corrupt = 1 << 1;
    private const ulong ExternalData = 1 << 2;
    private const ulong CompressionType = 1 << 3;
    private const ulong ExtendedL2 = 1 << 4;

    public static bool IsQcow2(ReadOnlySpan<byte> start) => start.Length >= 4 && BinaryPrimitives.ReadUInt32BigEndian(start) == Magic;

    /// <summary>The size alone, of an image that may have others below it.</summary>
    /// <exception cref="FormatException">Not a qcow2 image, or of a size that is not believed.</exception>
    public static long ReadVirtualSize(ReadOnlySpan<byte> start) =>
        IsQcow2(start) && start.Length >= 32 && BinaryPrimitives.ReadUInt64BigEndian(start[24..]) is var size and > 0 and <= DiskImage.VirtualSizeBytesMax
            ? (long)size
            : throw new FormatException("it does not begin as a qcow2 image of a possible size does");

    /// <summary>The header of an image that stands alone; everything else is refused with its reason.</summary>
    /// <param name="start">The first bytes of the file; as many as there are, up to <see cref="Bytes"/>.</param>
    /// <exception cref="FormatException">Not a qcow2 image that may be used.</exception>
    public static Qcow2Header Parse(ReadOnlySpan<byte> start)
    {
        if (!IsQcow2(start))
        {
            throw new FormatException("it does not begin as a qcow2 image does");
        }

        if (start.Length < 72)
        {
            throw new FormatException("it ends within its qcow2 header");
        }

        var version = BinaryPrimitives.ReadUInt32BigEndian(start[4..]);
        if (version is not (2 or 3) || (version == 3 && start.Length < Bytes))
        {
            throw new FormatException($"its qcow2 version is {version}; 2 and 3 are known");
        }

        if (BinaryPrimitives.ReadUInt64BigEndian(start[8..]) != 0)
        {
            throw new FormatException("it has a backing file, which an image may not have: flatten it with 'qemu-img convert -O qcow2'");
        }

        if (BinaryPrimitives.ReadUInt32BigEndian(start[20..]) is var clusterBits and not (>= 9 and <= 21))
        {
            throw new FormatException($"its clusters have 2^{clusterBits} bytes, which no qcow2 image has");
        }

        if (BinaryPrimitives.ReadUInt32BigEndian(start[32..]) != 0)
        {
            throw new FormatException("it is encrypted, which is not supported");
        }

        if (version == 3)
        {
            CheckFeatures(BinaryPrimitives.ReadUInt64BigEndian(start[72..]));
        }

        var size = BinaryPrimitives.ReadUInt64BigEndian(start[24..]);
        return size is > 0 and <= DiskImage.VirtualSizeBytesMax
            ? new Qcow2Header((int)version, (long)size)
            : throw new FormatException($"its disk would have {size} bytes; 1 to {DiskImage.VirtualSizeBytesMax} are believed");
    }

    private static void CheckFeatures(ulong incompatible)
    {
        if ((incompatible & ExternalData) != 0)
        {
            throw new FormatException("its data lie in another file, which an image may not have: flatten it with 'qemu-img convert -O qcow2'");
        }

        if ((incompatible & Corrupt) != 0)
        {
            throw new FormatException("it is marked as corrupt: repair it with 'qemu-img check -r all'");
        }

        if ((incompatible & ~(Dirty | CompressionType | ExtendedL2)) != 0)
        {
            throw new FormatException($"it needs features (0x{incompatible:x}) that are not known here");
        }
    }
}
