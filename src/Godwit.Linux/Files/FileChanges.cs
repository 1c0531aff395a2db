using System.Buffers.Binary;
using Godwit.Linux.Native;

namespace Godwit.Linux.Files;

/// <summary>
/// Says when a file was written to, or when a folder got a new entry (inotify(7)). One descriptor and one thread serve all
/// of them. A signal says "look again", never what happened: several changes may come as one.
/// </summary>
public sealed class FileChanges : IDisposable
{
    private readonly SemaphoreSlim changed = new(0, 1);
    private readonly int watch;

    private FileChanges(int watch) => this.watch = watch;

    /// <summary>Watches from now on; look at the path once after this call.</summary>
    /// <param name="path">An existing file or folder; it is its inode that is watched, whatever its name becomes.</param>
    /// <exception cref="LinuxException">It is not there, or the user's limit of watches (fs.inotify.max_user_watches) is used up.</exception>
    public static FileChanges Watch(string path) => Watcher.Shared.Add(path);

    /// <summary>Returns at the next change, at once if there was one since the last return.</summary>
    public Task WaitAsync(CancellationToken stopping) => changed.WaitAsync(stopping);

    public void Dispose() => Watcher.Shared.Remove(this);

    private void Signal()
    {
        lock (changed)
        {
            if (changed.CurrentCount == 0)
            {
                changed.Release();
            }
        }
    }

    private sealed unsafe class Watcher
    {
        private const int BufferBytes = 1 << 14;
        private const uint Mask = InotifyConstants.IN_MODIFY | InotifyConstants.IN_CREATE | InotifyConstants.IN_MOVED_TO;

        private readonly Lock gate = new();
        private readonly Descriptor descriptor;

        // The kernel gives one number to all watches of one inode.
        private readonly Dictionary<int, List<FileChanges>> watches = [];

        private Watcher()
        {
            var value = LibC.InotifyInit(InotifyConstants.IN_CLOEXEC);
            descriptor = value >= 0 ? new Descriptor(value) : throw LinuxException.FromLastCall("watch files (fs.inotify.max_user_instances)");
            new Thread(Read) { IsBackground = true, Name = "godwit-inotify" }.Start();
        }

        internal static Watcher Shared { get; } = new();

        internal FileChanges Add(string path)
        {
            lock (gate)
            {
                var number = LibC.InotifyAddWatch(descriptor.Value, path, Mask);
                if (number < 0)
                {
                    throw LinuxException.FromLastCall($"watch {path}");
                }

                var added = new FileChanges(number);
                if (!watches.TryGetValue(number, out var list))
                {
                    watches.Add(number, list = []);
                }

                list.Add(added);
                return added;
            }
        }

        internal void Remove(FileChanges gone)
        {
            lock (gate)
            {
                if (watches.TryGetValue(gone.watch, out var list) && list.Remove(gone) && list.Count == 0)
                {
                    watches.Remove(gone.watch);
                    _ = LibC.InotifyRemoveWatch(descriptor.Value, gone.watch); // Already gone with its file, perhaps.
                }
            }
        }

        private void Read()
        {
            var buffer = new byte[BufferBytes];
            while (true)
            {
                nint count;
                fixed (byte* start = buffer)
                {
                    count = LibC.Read(descriptor.Value, start, BufferBytes);
                }

                for (var rest = buffer.AsSpan(0, (int)Math.Max(0, count)); rest.Length >= InotifyConstants.EventLength;)
                {
                    Tell(BinaryPrimitives.ReadInt32LittleEndian(rest));
                    var length = InotifyConstants.EventLength + BinaryPrimitives.ReadInt32LittleEndian(rest[12..]);
                    rest = rest[Math.Min(length, rest.Length)..];
                }
            }
        }

        /// <summary>-1 stands for an overflow of the kernel's queue: then all look again.</summary>
        private void Tell(int number)
        {
            lock (gate)
            {
                foreach (var list in number == -1 ? [.. watches.Values] : watches.TryGetValue(number, out var one) ? [one] : Array.Empty<List<FileChanges>>())
                {
                    list.ForEach(watch => watch.Signal());
                }
            }
        }
    }
}
