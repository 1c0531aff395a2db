using Godwit.Linux.Native;
using Godwit.Linux.Processes;

namespace Godwit.Linux.Files;

/// <summary>
/// A copy of this process's view of the mounts, in which something can be hidden without anybody else noticing
/// (mount_namespaces(7)). It lives as long as this object or a process in it. What is mounted here later below a folder
/// that <see cref="Mounts.Share"/> was told of is seen there too; nothing comes back.
/// </summary>
public sealed class MountNamespace : IDisposable
{
    private readonly Descriptor descriptor;

    private MountNamespace(Descriptor descriptor) => this.descriptor = descriptor;

    /// <summary>Makes one, with these mounts taken away in it, and these files and folders, where they exist, such that nobody can write to them through it.</summary>
    /// <exception cref="LinuxException">Needs CAP_SYS_ADMIN.</exception>
    public static MountNamespace Create(IEnumerable<string> hidden, IEnumerable<string> readOnly) => DedicatedThread.Run("godwit-mntns", () =>
    {
        Check(LibC.Unshare(NamespaceFlags.CLONE_NEWNS), "make a mount namespace");
        Check(LibC.Mount("none", "/", null, MountFlags.MS_SLAVE | MountFlags.MS_REC, null), "keep the mounts of a new mount namespace to itself");
        foreach (var path in hidden)
        {
            Mounts.Unmount(path);
        }

        foreach (var path in readOnly.Where(Path.Exists))
        {
            Mounts.BindReadOnly(path);
        }

        return new MountNamespace(Descriptor.Open("/proc/thread-self/ns/mnt", OpenFlags.O_RDONLY));
    });

    /// <summary>Runs code on a thread inside, made for it; the processes that it starts stay inside.</summary>
    public T Run<T>(Func<T> code) => DedicatedThread.Run("godwit-mntns", () =>
    {
        // A thread shares its root and working folder with the others until it says otherwise, and may not leave them behind.
        Check(LibC.Unshare(NamespaceFlags.CLONE_FS), "part from the other threads' working folder");
        Check(LibC.SetNamespace(descriptor.Value, NamespaceFlags.CLONE_NEWNS), "enter a mount namespace");
        return code();
    });

    public void Dispose() => descriptor.Dispose();

    private static void Check(int result, string attempt)
    {
        if (result != 0)
        {
            throw LinuxException.FromLastCall(attempt);
        }
    }
}
