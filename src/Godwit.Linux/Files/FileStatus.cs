using System.Buffers.Binary;

namespace Godwit.Linux.Files;

/// <summary>What statx(2) says of a file itself; a link is not followed.</summary>
public readonly record struct FileStatus
{
    internal const int Bytes = 256;

    public required FileKind Kind { get; init; }

    /// <summary>Permissions with set-user-id, set-group-id and sticky: the lower twelve bits.</summary>
    public required uint Mode { get; init; }

    public required uint UserId { get; init; }

    public required uint GroupId { get; init; }

    public required uint Links { get; init; }

    public required long SizeBytes { get; init; }

    /// <summary>What it takes on the disk.</summary>
    public required long AllocatedBytes { get; init; }

    public required ulong InodeNumber { get; init; }

    public required ulong DeviceId { get; init; }

    /// <summary>Of a device: which one it stands for.</summary>
    public required uint DeviceMajor { get; init; }

    public required uint DeviceMinor { get; init; }

    public required FileTime Modified { get; init; }

    /// <summary>How overlayfs notes in its upper folder that a name below is gone.</summary>
    public bool IsWhiteout => Kind is FileKind.CharacterDevice && DeviceMajor == 0 && DeviceMinor == 0;

    /// <summary>struct statx: blocks at 48, times at 64, 80, 96, 112 (modified), device numbers from 128.</summary>
    internal static FileStatus Read(ReadOnlySpan<byte> fields)
    {
        var mode = BinaryPrimitives.ReadUInt16LittleEndian(fields[28..]);
        return new FileStatus
        {
            Kind = FileIdentity.KindOf(mode),
            Mode = mode & 0xfffu,
            Links = BinaryPrimitives.ReadUInt32LittleEndian(fields[16..]),
            UserId = BinaryPrimitives.ReadUInt32LittleEndian(fields[20..]),
            GroupId = BinaryPrimitives.ReadUInt32LittleEndian(fields[24..]),
            InodeNumber = BinaryPrimitives.ReadUInt64LittleEndian(fields[32..]),
            SizeBytes = BinaryPrimitives.ReadInt64LittleEndian(fields[40..]),
            AllocatedBytes = BinaryPrimitives.ReadInt64LittleEndian(fields[48..]) * 512,
            Modified = new FileTime(BinaryPrimitives.ReadInt64LittleEndian(fields[112..]), BinaryPrimitives.ReadInt32LittleEndian(fields[120..])),
            DeviceMajor = BinaryPrimitives.ReadUInt32LittleEndian(fields[128..]),
            DeviceMinor = BinaryPrimitives.ReadUInt32LittleEndian(fields[132..]),
            DeviceId = ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(fields[136..]) << 32) | BinaryPrimitives.ReadUInt32LittleEndian(fields[140..]),
        };
    }
}

/// <summary>A file's time as the kernel keeps it.</summary>
/// <param name="Seconds">Since 1970, before it negative.</param>
/// <param name="Nanoseconds">Onwards from there, below 10^9.</param>
public readonly record struct FileTime(long Seconds, int Nanoseconds);

/// <summary>One name in a folder.</summary>
/// <param name="Name">As bytes; never <c>.</c> or <c>..</c>.</param>
/// <param name="Kind"><see cref="FileKind.Other"/> where the file system does not tell.</param>
public readonly record struct FolderEntry(byte[] Name, FileKind Kind);
