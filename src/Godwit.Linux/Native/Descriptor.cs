using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Linux.Native;

/// <summary>An owned file descriptor: closed once, by the one who holds it.</summary>
internal sealed class Descriptor : SafeHandleZeroOrMinusOneIsInvalid
{
    internal Descriptor(int value)
        : base(ownsHandle: true) => SetHandle(value);

    /// <summary>Valid as long as this object is reachable and not disposed.</summary>
    internal int Value => (int)handle;

    /// <summary>Opens a path, always close-on-exec.</summary>
    /// <exception cref="LinuxException">The path cannot be opened this way.</exception>
    internal static Descriptor Open(string path, int flags, uint mode = 0)
    {
        var value = LibC.Open(path, flags | OpenFlags.O_CLOEXEC, mode);
        return value >= 0 ? new Descriptor(value) : throw LinuxException.FromLastCall($"open {path}");
    }

    /// <summary>Hands the descriptor over to a handle of the runtime's; this one holds nothing any more.</summary>
    internal SafeFileHandle Release()
    {
        var released = new SafeFileHandle(handle, ownsHandle: true);
        SetHandleAsInvalid();
        return released;
    }

    /// <summary>The same open file under a number that is out of the way of those that a child is given.</summary>
    internal Descriptor DuplicateAbove(int number)
    {
        var value = LibC.FileControl(Value, FileControls.F_DUPFD_CLOEXEC, number);
        return value >= 0 ? new Descriptor(value) : throw LinuxException.FromLastCall("duplicate a descriptor");
    }

    internal static unsafe (Descriptor Read, Descriptor Write) OpenPipe()
    {
        var pair = stackalloc int[2];
        return LibC.Pipe2(pair, OpenFlags.O_CLOEXEC) == 0
            ? (new Descriptor(pair[0]), new Descriptor(pair[1]))
            : throw LinuxException.FromLastCall("open a pipe");
    }

    /// <summary>Writes all of it.</summary>
    internal unsafe void Write(ReadOnlySpan<byte> bytes, string what)
    {
        while (!bytes.IsEmpty)
        {
            nint written;
            fixed (byte* start = bytes)
            {
                written = LibC.Write(Value, start, (nuint)bytes.Length);
            }

            if (written < 0)
            {
                if ((Errno)Marshal.GetLastPInvokeError() is Errno.EINTR)
                {
                    continue;
                }

                throw LinuxException.FromLastCall($"write {what}");
            }

            bytes = bytes[(int)written..];
        }
    }

    protected override bool ReleaseHandle() => LibC.Close((int)handle) == 0;
}
