using System.Text;
using Godwit.Linux.Native;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Linux.Files;

/// <summary>Owner, permissions, times and extended attributes: of a name, never of where it leads as a link. An empty name is this folder itself.</summary>
public sealed unsafe partial class HeldFolder
{
    private const int AttributeNameBytesMax = 255;
    private const int AttributeBytesMax = 64 << 10; // The kernel's own limit, of one value and of the list of names.
    private const int OpenPathOnly = 0x200000; // O_PATH

    public void SetOwner(ReadOnlySpan<byte> name, uint userId, uint groupId)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        CloseOrSelf(name, closed);
        Check(LibC.ChangeOwnerAt(descriptor.Value, closed, userId, groupId, NoFollow), $"give to user {userId}", name);
    }

    /// <summary>Sets the lower twelve bits. A link has no permissions: it is refused.</summary>
    public void SetMode(ReadOnlySpan<byte> name, uint mode)
    {
        if (name.IsEmpty)
        {
            SetMode(mode);
            return;
        }

        // chmod(2) follows links and has no folder to start from: so the file is taken hold of first, and then changed through that hold.
        using var held = TryOpen(name, OpenPathOnly | OpenFlags.O_NOFOLLOW) ?? throw new LinuxException($"set the mode of {Join(name)}", Errno.ENOENT);
        using var file = new HeldFolder(held, Join(name));
        file.SetMode(mode);
    }

    /// <summary>Sets the lower twelve bits of this folder itself.</summary>
    public void SetMode(uint mode)
    {
        var path = stackalloc byte[64];
        ProcessPath([], new Span<byte>(path, 64));
        Check(LibC.ChangeMode(path, mode & 0xfff), "set the mode of", []);
    }

    /// <summary>Sets when it was last changed, and last read to the same.</summary>
    public void SetTime(ReadOnlySpan<byte> name, FileTime modified)
    {
        var closed = stackalloc byte[NameBytesMax + 1];
        CloseOrSelf(name, closed);
        var times = stackalloc long[] { modified.Seconds, modified.Nanoseconds, modified.Seconds, modified.Nanoseconds };
        Check(LibC.SetTimesAt(descriptor.Value, closed, times, NoFollow), "set the time of", name);
    }

    /// <summary>Gives an open file its owner and then its permissions, the lower twelve bits: a change of owner clears set-user-id.</summary>
    public static void SetOwnerAndMode(SafeFileHandle file, uint userId, uint groupId, uint mode)
    {
        Check(LibC.ChangeOwnerOf(file, userId, groupId), $"give a new file to user {userId}");
        Check(LibC.ChangeModeOf(file, mode & 0xfff), "set the mode of a new file");
    }

    /// <summary>Sets when an open file was last changed, and last read to the same. Writing to it later changes it again.</summary>
    public static void SetTime(SafeFileHandle file, FileTime modified)
    {
        var times = stackalloc long[] { modified.Seconds, modified.Nanoseconds, modified.Seconds, modified.Nanoseconds };
        Check(LibC.SetTimesOf(file, times), "set the time of a new file");
    }

    /// <summary>Sets an extended attribute (xattr(7)).</summary>
    /// <param name="name">Of the file.</param>
    /// <param name="attribute">With its namespace: <c>security.capability</c>.</param>
    /// <param name="value">Bytes.</param>
    /// <returns>False when this file system, or this kind of file, has no such attributes.</returns>
    public bool TrySetAttribute(ReadOnlySpan<byte> name, ReadOnlySpan<byte> attribute, ReadOnlySpan<byte> value)
    {
        const int pathBytes = NameBytesMax + 64;
        var path = stackalloc byte[pathBytes];
        ProcessPath(name.IsEmpty ? "."u8 : name, new Span<byte>(path, pathBytes));
        var closed = stackalloc byte[AttributeNameBytesMax + 1];
        Close(attribute, closed, AttributeNameBytesMax);
        fixed (byte* start = value)
        {
            return LibC.SetAttribute(path, closed, start, (nuint)value.Length, 0) == 0
                || (LastError is Errno.EOPNOTSUPP or Errno.EPERM ? false : throw LinuxException.FromLastCall($"set {Text(attribute)} of {Join(name)}"));
        }
    }

    /// <summary>An extended attribute's value; null when the file has none of this name.</summary>
    public byte[]? GetAttribute(ReadOnlySpan<byte> name, ReadOnlySpan<byte> attribute)
    {
        const int pathBytes = NameBytesMax + 64;
        var path = stackalloc byte[pathBytes];
        ProcessPath(name.IsEmpty ? "."u8 : name, new Span<byte>(path, pathBytes));
        var closed = stackalloc byte[AttributeNameBytesMax + 1];
        Close(attribute, closed, AttributeNameBytesMax);
        var buffer = stackalloc byte[256];
        var length = LibC.GetAttribute(path, closed, buffer, 256);
        if (length >= 0)
        {
            return new ReadOnlySpan<byte>(buffer, (int)length).ToArray();
        }

        if (LastError is not Errno.ERANGE)
        {
            return LastError is Errno.ENODATA or Errno.EOPNOTSUPP or Errno.ENOENT ? null : throw LinuxException.FromLastCall($"read {Text(attribute)} of {Join(name)}");
        }

        var large = new byte[AttributeBytesMax];
        fixed (byte* start = large)
        {
            length = LibC.GetAttribute(path, closed, start, AttributeBytesMax);
            return length >= 0 ? large[..(int)length] : throw LinuxException.FromLastCall($"read {Text(attribute)} of {Join(name)}");
        }
    }

    /// <summary>The names of a file's extended attributes, sorted by their bytes.</summary>
    public IReadOnlyList<byte[]> ListAttributes(ReadOnlySpan<byte> name)
    {
        const int pathBytes = NameBytesMax + 64;
        var path = stackalloc byte[pathBytes];
        ProcessPath(name.IsEmpty ? "."u8 : name, new Span<byte>(path, pathBytes));
        var size = LibC.ListAttributes(path, null, 0);
        if (size <= 0)
        {
            return size == 0 || LastError is Errno.EOPNOTSUPP or Errno.ENOENT ? [] : throw LinuxException.FromLastCall($"list the attributes of {Join(name)}");
        }

        var names = new byte[AttributeBytesMax];
        fixed (byte* start = names)
        {
            size = LibC.ListAttributes(path, start, AttributeBytesMax);
        }

        if (size < 0)
        {
            throw LinuxException.FromLastCall($"list the attributes of {Join(name)}");
        }

        var found = new List<byte[]>();
        foreach (var range in names.AsSpan(0, (int)size).Split((byte)0))
        {
            if (!names.AsSpan(0, (int)size)[range].IsEmpty)
            {
                found.Add(names.AsSpan(0, (int)size)[range].ToArray());
            }
        }

        found.Sort(static (left, right) => left.AsSpan().SequenceCompareTo(right));
        return found;
    }

    private static void Check(int result, string attempt)
    {
        if (result != 0)
        {
            throw LinuxException.FromLastCall(attempt);
        }
    }
}
