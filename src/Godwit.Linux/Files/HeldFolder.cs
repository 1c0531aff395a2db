using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Godwit.Linux.Native;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Linux.Files;

/// <summary>
/// A folder held by its descriptor, to work below it whatever happens to its path. This is how a tree is written or read
/// that somebody hostile wrote, or is writing at the same time:
/// <code>
///   a/b/c  --OpenBeneath(a/b)-->  [b]  --any call with the single name c-->
/// </code>
/// A path is resolved once, by the kernel, as if this folder were the root of everything (openat2(2), RESOLVE_IN_ROOT):
/// neither <c>..</c> nor an absolute link leads out, even while somebody renames folders beneath us. Each further call takes
/// one name without slashes and never follows it if it is a link. Names are bytes.
/// </summary>
public sealed unsafe partial class HeldFolder : IDisposable
{
    private const int NameBytesMax = 255;
    private const int PathBytesMax = 4095;
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const uint BasicStatistics = 0x7ff; // STATX_BASIC_STATS
    private const ulong ResolveNoMagicLinks = 0x02;
    private const ulong ResolveInRoot = 0x10;
    private const int OpenAt2 = 437;

    private readonly Descriptor descriptor;

    private HeldFolder(Descriptor descriptor, string path)
    {
        this.descriptor = descriptor;
        Path = path;
    }

    /// <summary>Where it was when it was opened: for messages alone.</summary>
    public string Path { get; }

    /// <exception cref="LinuxException">There is no such folder; a link in its place is refused.</exception>
    public static HeldFolder Open(string path) => new(Descriptor.Open(path, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW), path);

    /// <summary>The folder at a path below this one; links on the way are followed inside this folder only. Null when a part is missing or no folder.</summary>
    /// <exception cref="LinuxException">Among others <see cref="Errno.ELOOP"/>.</exception>
    public HeldFolder? OpenBeneath(ReadOnlySpan<byte> path)
    {
        var found = Resolve(path.IsEmpty ? "."u8 : path, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
        return found is null ? null : new HeldFolder(found, Join(path));
    }

    /// <summary>The folder of this name here; null when there is none, or something else.</summary>
    public HeldFolder? OpenFolder(ReadOnlySpan<byte> name)
    {
        var opened = TryOpen(name, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW);
        return opened is null ? null : new HeldFolder(opened, Join(name));
    }

    /// <summary>The regular file of this name, for reading; null when there is none, or something else.</summary>
    public SafeFileHandle? OpenFile(ReadOnlySpan<byte> name)
    {
        // Not even opened if it is no regular file: opening a device or a pipe can do something. O_NOFOLLOW and O_NONBLOCK hold if it changes in between.
        if (Find(name) is not { Kind: FileKind.Regular } || TryOpen(name, OpenFlags.O_RDONLY | OpenFlags.O_NOFOLLOW | OpenFlags.O_NONBLOCK) is not { } opened)
        {
            return null;
        }

        var handle = new SafeFileHandle(opened.Value, ownsHandle: true);
        opened.SetHandleAsInvalid(); // The handle owns it now.
        return handle;
    }

    /// <summary>What has this name; null when nothing has.</summary>
    public FileStatus? Find(ReadOnlySpan<byte> name)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        Close(name, closed, NameBytesMax);
        return Status(closed, name);
    }

    /// <summary>This folder itself.</summary>
    public FileStatus Status()
    {
        var here = stackalloc byte[] { (byte)'.', 0 };
        return Status(here, "."u8) ?? throw new LinuxException($"look at {Path}", Errno.ENOENT, "it was removed");
    }

    /// <summary>All names here, sorted by their bytes.</summary>
    public IReadOnlyList<FolderEntry> List()
    {
        const int bufferBytes = 32 << 10;
        var entries = new List<FolderEntry>();
        var buffer = new byte[bufferBytes];
        _ = LibC.Seek(descriptor.Value, 0, 0);
        fixed (byte* start = buffer)
        {
            nint count;
            while ((count = LibC.SystemCall(SystemCalls.GetFolderEntries, descriptor.Value, (nint)start, bufferBytes, 0)) > 0)
            {
                ReadEntries(buffer.AsSpan(0, (int)count), entries);
            }

            if (count < 0)
            {
                throw LinuxException.FromLastCall($"list {Path}");
            }
        }

        entries.Sort(static (left, right) => left.Name.AsSpan().SequenceCompareTo(right.Name));
        return entries;
    }

    /// <summary>Where a link of this name leads; null when there is none.</summary>
    public byte[]? ReadLink(ReadOnlySpan<byte> name)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        Close(name, closed, NameBytesMax);
        var target = stackalloc byte[PathBytesMax + 1];
        var length = LibC.ReadLinkAt(descriptor.Value, closed, target, PathBytesMax + 1);
        return length >= 0 ? new ReadOnlySpan<byte>(target, (int)length).ToArray()
            : LastError is Errno.ENOENT or Errno.EINVAL or Errno.ENOTDIR ? null
            : throw LinuxException.FromLastCall($"read link {Join(name)}");
    }

    /// <summary>Writes all that the file system of this folder holds in memory to its disk (syncfs(2)); a failed write since the last time is an error.</summary>
    public void SyncFileSystem() => Check(LibC.SyncFileSystem(descriptor.Value), "sync", ""u8);

    /// <summary>
    /// Has the kernel begin to write to the disk what an open file holds in memory, and does not wait (sync_file_range(2)): a sync that is to come has less to wait for. What
    /// goes wrong is that sync's to tell.
    /// </summary>
    public static void BeginWriting(SafeFileHandle file)
    {
        const uint write = 2; // SYNC_FILE_RANGE_WRITE
        _ = LibC.SyncFileRange(file, 0, 0, write);
    }

    /// <summary>Makes durable which names this folder holds.</summary>
    public void Sync() => Check(LibC.FSync(descriptor.Value), "sync", ""u8);

    public void Dispose() => descriptor.Dispose();

    private static Errno LastError => (Errno)Marshal.GetLastPInvokeError();

    private static void ReadEntries(ReadOnlySpan<byte> records, List<FolderEntry> entries)
    {
        // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name closed by a zero.
        while (!records.IsEmpty)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(records[16..]);
            var name = records[19..length];
            name = name[..name.IndexOf((byte)0)];
            if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
            {
                entries.Add(new FolderEntry(name.ToArray(), FileIdentity.KindOf((ushort)(records[18] << 12))));
            }

            records = records[length..];
        }
    }

    /// <summary>Copies a name and closes it with a zero; a slash, a zero, nothing, <c>.</c> or <c>..</c> is a mistake of the caller.</summary>
    private static void Close(ReadOnlySpan<byte> name, byte* closed, int bytesMax)
    {
        if (name.Length > bytesMax)
        {
            throw new LinuxException($"use the name {Text(name)}", Errno.ENAMETOOLONG);
        }

        if (name.IsEmpty || name.Contains((byte)0) || (bytesMax == NameBytesMax && (name.Contains((byte)'/') || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))))
        {
            throw new ArgumentException($"'{Text(name)}' is no single name.", nameof(name));
        }

        name.CopyTo(new Span<byte>(closed, bytesMax));
        closed[name.Length] = 0;
    }

    private static void CloseOrSelf(ReadOnlySpan<byte> name, byte* closed)
    {
        if (name.IsEmpty)
        {
            (closed[0], closed[1]) = ((byte)'.', 0);
        }
        else
        {
            Close(name, closed, NameBytesMax);
        }
    }

    private static string Text(ReadOnlySpan<byte> name) => Encoding.UTF8.GetString(name.Length <= 300 ? name : name[..300]);

    private string Join(ReadOnlySpan<byte> name) => name.IsEmpty ? Path : $"{Path}/{Text(name)}";

    private Descriptor? Resolve(ReadOnlySpan<byte> path, int flags)
    {
        const int triesMax = 32; // EAGAIN: somebody renamed on the way; the kernel cannot be sure and lets us ask again.
        var closed = stackalloc byte[PathBytesMax + 1];
        Close(path, closed, PathBytesMax);
        var how = stackalloc ulong[] { (ulong)(flags | OpenFlags.O_CLOEXEC), 0, ResolveInRoot | ResolveNoMagicLinks };
        for (var tries = 0; ; tries++)
        {
            var value = LibC.SystemCall(OpenAt2, descriptor.Value, (nint)closed, (nint)how, 3 * sizeof(ulong));
            if (value >= 0)
            {
                return new Descriptor((int)value);
            }

            if (LastError is Errno.ENOENT or Errno.ENOTDIR)
            {
                return null;
            }

            if (LastError is not (Errno.EAGAIN or Errno.EINTR) || tries >= triesMax)
            {
                throw LinuxException.FromLastCall($"open {Join(path)}");
            }
        }
    }

    private Descriptor? TryOpen(ReadOnlySpan<byte> name, int flags, uint mode = 0)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        Close(name, closed, NameBytesMax);
        var value = LibC.OpenAt(descriptor.Value, closed, flags | OpenFlags.O_CLOEXEC, mode);
        return value >= 0 ? new Descriptor(value)
            : LastError is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP ? null
            : throw LinuxException.FromLastCall($"open {Join(name)}");
    }

    private FileStatus? Status(byte* closed, ReadOnlySpan<byte> name)
    {
        var fields = stackalloc byte[FileStatus.Bytes];
        return LibC.StatXBytes(descriptor.Value, closed, NoFollow, BasicStatistics, fields) == 0 ? FileStatus.Read(new ReadOnlySpan<byte>(fields, FileStatus.Bytes))
            : LastError is Errno.ENOENT or Errno.ENOTDIR ? null
            : throw LinuxException.FromLastCall($"look at {Join(name)}");
    }

    /// <summary>A path to that name through our own descriptor, for the calls that know no folder to start from. The name itself is not followed by them.</summary>
    private int ProcessPath(ReadOnlySpan<byte> name, Span<byte> path)
    {
        Encoding.UTF8.TryGetBytes(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{descriptor.Value}"), path, out var length);
        if (!name.IsEmpty)
        {
            path[length++] = (byte)'/';
            name.CopyTo(path[length..]);
            length += name.Length;
        }

        path[length] = 0;
        return length;
    }

    private void Check(int result, string attempt, ReadOnlySpan<byte> name)
    {
        if (result != 0)
        {
            throw LinuxException.FromLastCall($"{attempt} {Join(name)}");
        }
    }
}
