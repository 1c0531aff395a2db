using System.Net.Sockets;
using System.Runtime.InteropServices;
using Godwit.Linux.Native;

namespace Godwit.Linux.Networking;

/// <summary>
/// Gives a socket that .NET has used asynchronously, and so made non-blocking for good, back its blocking calls
/// (fcntl(2), F_SETFL): a thread that waits in the kernel is woken by the data itself, without epoll and a pool between.
/// </summary>
public static class BlockingMode
{
    /// <summary>No asynchronous operation may be under way; later ones may block their thread.</summary>
    /// <exception cref="LinuxException">The socket is closed.</exception>
    public static void Restore(Socket socket)
    {
        var held = false;
        try
        {
            socket.SafeHandle.DangerousAddRef(ref held);
            var descriptor = (int)socket.SafeHandle.DangerousGetHandle();
            var flags = LibC.FileControl(descriptor, FileControls.F_GETFL, 0);
            if (flags < 0 || LibC.FileControl(descriptor, FileControls.F_SETFL, flags & ~OpenFlags.O_NONBLOCK) < 0)
            {
                throw LinuxException.FromLastCall("make a socket blocking");
            }
        }
        catch (ObjectDisposedException error)
        {
            throw new LinuxException("make a socket blocking", Errno.EBADF, error.Message);
        }
        finally
        {
            if (held)
            {
                socket.SafeHandle.DangerousRelease();
            }
        }
    }
}
