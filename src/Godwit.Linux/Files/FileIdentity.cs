using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Godwit.Linux.Native;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Linux.Files;

public enum FileKind
{
    Other,
    Regular,
    Folder,
    Link,
    BlockDevice,
    CharacterDevice,
    Pipe,
    Socket,
}

/// <summary>Which file this is, whatever its name: two paths with the same device and inode are one file (statx(2)).</summary>
/// <param name="DeviceId">Major number times 2^32 plus minor; another on each host, even for one shared file system.</param>
/// <param name="InodeNumber">The same on every host that mounts a shared file system.</param>
/// <param name="Kind">Of the path itself: a link is a link.</param>
/// <param name="SizeBytes">Length; for others than regular files without meaning.</param>
/// <param name="UserId">Its owner.</param>
/// <param name="GroupId">Its group.</param>
public readonly record struct FileIdentity(ulong DeviceId, ulong InodeNumber, FileKind Kind, long SizeBytes, uint UserId, uint GroupId)
{
    private const int CurrentFolder = -100; // AT_FDCWD
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH
    private const uint BasicStatistics = 0x7ff; // STATX_BASIC_STATS
    private const int StatisticsBytes = 256;

    /// <summary>The file at this path, links not followed; null when there is none.</summary>
    /// <exception cref="LinuxException">It is there, or may be, but cannot be looked at.</exception>
    public static unsafe FileIdentity? Find(string path)
    {
        var statistics = stackalloc byte[StatisticsBytes];
        if (LibC.StatX(CurrentFolder, path, NoFollow, BasicStatistics, statistics) != 0)
        {
            return (Errno)Marshal.GetLastPInvokeError() is Errno.ENOENT or Errno.ENOTDIR ? null : throw LinuxException.FromLastCall($"look at {path}");
        }

        return Read(statistics);
    }

    /// <summary>Room that the file at this path takes on its storage, which is less than its size where it has holes; zero when there is none.</summary>
    /// <exception cref="LinuxException">It is there, or may be, but cannot be looked at.</exception>
    public static unsafe long FindAllocatedBytes(string path)
    {
        var statistics = stackalloc byte[StatisticsBytes];
        if (LibC.StatX(CurrentFolder, path, NoFollow, BasicStatistics, statistics) != 0)
        {
            return (Errno)Marshal.GetLastPInvokeError() is Errno.ENOENT or Errno.ENOTDIR ? 0 : throw LinuxException.FromLastCall($"look at {path}");
        }

        return BinaryPrimitives.ReadInt64LittleEndian(new ReadOnlySpan<byte>(statistics, StatisticsBytes)[48..]) * 512; // stx_blocks
    }

    /// <summary>The file that is open there, whatever leads to it now.</summary>
    /// <exception cref="LinuxException">It cannot be looked at.</exception>
    public static FileIdentity Of(SafeFileHandle file)
    {
        var isHeld = false;
        try
        {
            file.DangerousAddRef(ref isHeld);
            return Of((int)file.DangerousGetHandle());
        }
        finally
        {
            if (isHeld)
            {
                file.DangerousRelease();
            }
        }
    }

    internal static FileIdentity Of(Descriptor file) => Of(file.Value);

    private static unsafe FileIdentity Of(int file)
    {
        var statistics = stackalloc byte[StatisticsBytes];
        return LibC.StatX(file, "", EmptyPath, BasicStatistics, statistics) == 0 ? Read(statistics) : throw LinuxException.FromLastCall("look at an open file");
    }

    /// <summary>Whether it is the same file, though size or owner may have changed between the two looks.</summary>
    public bool IsSameFileAs(FileIdentity other) => DeviceId == other.DeviceId && InodeNumber == other.InodeNumber;

    private static unsafe FileIdentity Read(byte* statistics)
    {
        // struct statx: uid at 20, gid at 24, mode at 28, inode at 32, size at 40, device major and minor at 136 and 140.
        var fields = new ReadOnlySpan<byte>(statistics, StatisticsBytes);
        return new FileIdentity(
            ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(fields[136..]) << 32) | BinaryPrimitives.ReadUInt32LittleEndian(fields[140..]),
            BinaryPrimitives.ReadUInt64LittleEndian(fields[32..]),
            KindOf(BinaryPrimitives.ReadUInt16LittleEndian(fields[28..])),
            BinaryPrimitives.ReadInt64LittleEndian(fields[40..]),
            BinaryPrimitives.ReadUInt32LittleEndian(fields[20..]),
            BinaryPrimitives.ReadUInt32LittleEndian(fields[24..]));
    }

    internal static FileKind KindOf(ushort mode) => (mode & 0xf000) switch
    {
        0x8000 => FileKind.Regular,
        0x4000 => FileKind.Folder,
        0xa000 => FileKind.Link,
        0x6000 => FileKind.BlockDevice,
        0x2000 => FileKind.CharacterDevice,
        0x1000 => FileKind.Pipe,
        0xc000 => FileKind.Socket,
        _ => FileKind.Other,
    };
}
