using System.Runtime.InteropServices;
using Godwit.Linux.Native;
using Godwit.Linux.Processes;

namespace Godwit.Linux.Files;

/// <summary>
/// A FIFO (fifo(7)), opened for reading and writing at once: opening never waits for the other side, and neither side's
/// end is the other's. Reads and writes never block.
/// </summary>
public sealed class NamedPipe : IDisposable
{
    private readonly Descriptor descriptor;
    private readonly string path;

    private NamedPipe(Descriptor descriptor, string path)
    {
        this.descriptor = descriptor;
        this.path = path;
    }

    /// <summary>Makes the FIFO, for this owner alone, where none is.</summary>
    public static void Make(string path, ProcessUser owner)
    {
        const uint privately = 0x180; // 0600
        if (FileIdentity.Find(path) is { Kind: FileKind.Pipe })
        {
            return;
        }

        if (LibC.MakeFifo(path, privately) != 0)
        {
            throw LinuxException.FromLastCall($"make the FIFO {path}");
        }

        Ownership.Change(path, owner);
    }

    /// <exception cref="LinuxException">There is no FIFO at this path; a link is refused.</exception>
    public static NamedPipe Open(string path)
    {
        var opened = Descriptor.Open(path, OpenFlags.O_RDWR | OpenFlags.O_NONBLOCK | OpenFlags.O_NOFOLLOW);
        if (FileIdentity.Find(path) is { Kind: FileKind.Pipe })
        {
            return new NamedPipe(opened, path);
        }

        opened.Dispose();
        throw new LinuxException($"open {path}", Errno.EINVAL, "it is no FIFO");
    }

    /// <summary>What is there to be read now, up to the buffer's length; zero when nothing is.</summary>
    public unsafe int TryRead(Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            var read = LibC.Read(descriptor.Value, start, (nuint)buffer.Length);
            return read >= 0 ? (int)read
                : (Errno)Marshal.GetLastPInvokeError() is Errno.EAGAIN or Errno.EINTR ? 0
                : throw LinuxException.FromLastCall($"read {path}");
        }
    }

    /// <exception cref="LinuxException">Among others <see cref="Errno.EAGAIN"/>: nobody empties it.</exception>
    public void Write(ReadOnlySpan<byte> bytes) => descriptor.Write(bytes, $"to {path}");

    public void Dispose() => descriptor.Dispose();
}
