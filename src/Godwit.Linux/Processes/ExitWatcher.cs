using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Godwit.Linux.Native;

namespace Godwit.Linux.Processes;

/// <summary>The one thread that waits for the end of any number of processes, by their pidfds (readable once a process has ended, zombie or not).</summary>
internal sealed unsafe class ExitWatcher
{
    private const int BatchMax = 32;

    // The kernel packs struct epoll_event on x86-64 only: 4 bytes of events, then 8 of our data, after padding elsewhere.
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture is Architecture.X64 ? 4 : 8;
    private static readonly int EntrySize = DataOffset + sizeof(ulong);

    private readonly Descriptor epoll;
    private readonly ConcurrentDictionary<ulong, Action> waiting = new();
    private ulong lastKey;

    private ExitWatcher()
    {
        var value = LibC.EpollCreate(PollConstants.EPOLL_CLOEXEC);
        epoll = value >= 0 ? new Descriptor(value) : throw LinuxException.FromLastCall("create an epoll");
        new Thread(Watch) { IsBackground = true, Name = "godwit-exits" }.Start();
    }

    internal static ExitWatcher Shared { get; } = new();

    /// <summary>Calls back once, on the watcher's thread, when the process has ended. The key takes the watch back.</summary>
    internal ulong Watch(Descriptor pidfd, Action ended)
    {
        var key = Interlocked.Increment(ref lastKey);
        waiting[key] = ended;
        var entry = stackalloc byte[EntrySize];
        BinaryPrimitives.WriteUInt32LittleEndian(new Span<byte>(entry, EntrySize), PollConstants.EPOLLIN | PollConstants.EPOLLONESHOT);
        BinaryPrimitives.WriteUInt64LittleEndian(new Span<byte>(entry + DataOffset, sizeof(ulong)), key);
        if (LibC.EpollControl(epoll.Value, PollConstants.EPOLL_CTL_ADD, pidfd.Value, entry) != 0)
        {
            waiting.TryRemove(key, out _);
            throw LinuxException.FromLastCall("watch a process for its end");
        }

        return key;
    }

    internal void Forget(ulong key, Descriptor pidfd)
    {
        if (waiting.TryRemove(key, out _))
        {
            LibC.EpollControl(epoll.Value, PollConstants.EPOLL_CTL_DEL, pidfd.Value, null);
        }
    }

    private void Watch()
    {
        var entries = stackalloc byte[EntrySize * BatchMax];
        while (true)
        {
            var count = LibC.EpollWait(epoll.Value, entries, BatchMax, -1);
            if (count < 0 && (Errno)Marshal.GetLastPInvokeError() is not Errno.EINTR)
            {
                throw LinuxException.FromLastCall("wait for the end of processes");
            }

            for (var i = 0; i < count; i++)
            {
                var key = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(entries + (i * EntrySize) + DataOffset, sizeof(ulong)));
                if (waiting.TryRemove(key, out var ended))
                {
                    ended();
                }
            }
        }
    }
}
