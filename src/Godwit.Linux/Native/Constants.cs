namespace Godwit.Linux.Native;

// The kernel's numbers, named as in its headers so that they can be looked up. Those that differ between
// architectures hold for x86-64 and arm64 both, unless a line says otherwise.

internal static class OpenFlags
{
    internal const int O_RDONLY = 0;
    internal const int O_WRONLY = 1;
    internal const int O_RDWR = 2;
    internal const int O_CREAT = 0x40;
    internal const int O_EXCL = 0x80;
    internal const int O_APPEND = 0x400;
    internal const int O_NONBLOCK = 0x800;
    internal const int O_CLOEXEC = 0x80000;

    /// <summary>The two flags that arm64 swaps around.</summary>
    internal static readonly int O_DIRECTORY = IsArm ? 0x4000 : 0x10000;

    internal static readonly int O_NOFOLLOW = IsArm ? 0x8000 : 0x20000;

    private static bool IsArm => System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture
        is System.Runtime.InteropServices.Architecture.Arm64;
}

internal static class MemoryAdvice
{
    internal const int MADV_DONTNEED = 4;
}

internal static class SystemCalls
{
    internal const int PidfdSendSignal = 424;
    internal const int PidfdOpen = 434;
    internal const int OpenTree = 428;
    internal const int MoveMount = 429;
    internal const int MountSetAttributes = 442;
    internal const int CloseRange = 436;
    internal const int CloseRangeCloseOnExec = 4;

    /// <summary>getdents64, whose number differs.</summary>
    internal static readonly int GetFolderEntries = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture
        is System.Runtime.InteropServices.Architecture.Arm64 ? 61 : 217;
}

internal static class SpawnFlags
{
    internal const short SetSignalDefault = 0x04;
    internal const short SetSignalMask = 0x08;
    internal const short SetSession = 0x80;
}

internal static class WaitConstants
{
    internal const int P_PIDFD = 3;
    internal const int WNOHANG = 1;
    internal const int WEXITED = 4;
    internal const int CLD_EXITED = 1;
}

internal static class PollConstants
{
    internal const short POLLIN = 1;
    internal const int EPOLLIN = 1;
    internal const int EPOLLONESHOT = 1 << 30;
    internal const int EPOLL_CTL_ADD = 1;
    internal const int EPOLL_CTL_DEL = 2;
    internal const int EPOLL_CLOEXEC = 0x80000;
}

internal static class LockOperations
{
    internal const int LOCK_EX = 2;
    internal const int LOCK_NB = 4;
    internal const int LOCK_UN = 8;
}

internal static class MountFlags
{
    internal const nuint MS_RDONLY = 1;
    internal const nuint MS_NOSUID = 2;
    internal const nuint MS_NODEV = 4;
    internal const nuint MS_NOEXEC = 8;
    internal const nuint MS_REMOUNT = 32;
    internal const nuint MS_BIND = 4096;
    internal const nuint MS_REC = 16384;
    internal const nuint MS_SLAVE = 1 << 19;
    internal const nuint MS_SHARED = 1 << 20;
    internal const int MNT_DETACH = 2;
    internal const ulong MS_PRIVATE = 1 << 18;
    internal const int AT_FDCWD = -100;
    internal const int AT_EMPTY_PATH = 0x1000;
    internal const int OPEN_TREE_CLONE = 1;
    internal const int MOVE_MOUNT_F_EMPTY_PATH = 4;
    internal const ulong MOUNT_ATTR_IDMAP = 0x100000;
}

internal static class NamespaceFlags
{
    internal const int CLONE_NEWNET = 0x40000000;
    internal const int CLONE_NEWNS = 0x00020000;
    internal const int CLONE_NEWIPC = 0x08000000;
    internal const int CLONE_NEWUTS = 0x04000000;
    internal const int CLONE_FS = 0x00000200;
    internal const nuint NS_GET_USERNS = 0xb701;
}

internal static class ProcessControls
{
    internal const int PR_SET_SECUREBITS = 28;
    internal const int SECBIT_NO_SETUID_FIXUP = 4;
}

internal static class SocketConstants
{
    internal const int AF_UNSPEC = 0;
    internal const int AF_INET = 2;
    internal const int AF_INET6 = 10;
    internal const int AF_BRIDGE = 7;
    internal const int AF_NETLINK = 16;
    internal const int AF_PACKET = 17;
    internal const int SOCK_RAW = 3;
    internal const int SOCK_CLOEXEC = 0x80000;
    internal const int NETLINK_ROUTE = 0;
    internal const int SOL_SOCKET = 1;
    internal const int SO_RCVBUF = 8;
    internal const int SO_RCVTIMEO = 20;
    internal const int SOL_NETLINK = 270;
    internal const int NETLINK_EXT_ACK = 11;
    internal const int MSG_DONTWAIT = 0x40;
    internal const int MSG_TRUNC = 0x20;
}

internal static class InotifyConstants
{
    internal const int IN_CLOEXEC = 0x80000;
    internal const uint IN_MODIFY = 0x002;
    internal const uint IN_MOVED_TO = 0x080;
    internal const uint IN_CREATE = 0x100;

    /// <summary>The fixed part of <c>struct inotify_event</c>: watch, mask, cookie, length of the name.</summary>
    internal const int EventLength = 16;
}

internal static class FileControls
{
    internal const int F_GETFL = 3;
    internal const int F_SETFL = 4;
    internal const int F_DUPFD_CLOEXEC = 1030;
}
