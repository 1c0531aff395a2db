using Godwit.Linux.Files;
using Godwit.Linux.Native;

namespace Godwit.Linux.Processes;

/// <summary>
/// Namespaces of interprocess communication and of the host's name (ipc_namespaces(7), uts_namespaces(7)) that no process keeps alive: a file stands for each, as long as it is
/// mounted on. Whoever joins them comes and goes.
/// </summary>
public static class KeptNamespaces
{
    /// <summary>Makes both, in one step.</summary>
    /// <param name="ipcFile">The file that shall stand for the one; made where it is not.</param>
    /// <param name="hostNameFile">The file that shall stand for the other.</param>
    /// <param name="hostName">The name in it.</param>
    /// <exception cref="LinuxException">Needs CAP_SYS_ADMIN.</exception>
    public static void Create(string ipcFile, string hostNameFile, string hostName) => DedicatedThread.Run("godwit-ns", () =>
    {
        File.WriteAllBytes(ipcFile, []);
        File.WriteAllBytes(hostNameFile, []);
        Check(LibC.Unshare(NamespaceFlags.CLONE_NEWIPC | NamespaceFlags.CLONE_NEWUTS), "make namespaces of communication and of the host's name");
        File.WriteAllText("/proc/sys/kernel/hostname", hostName); // The kernel takes it for the namespace of the thread that writes.
        Mounts.Bind("/proc/thread-self/ns/ipc", ipcFile);
        Mounts.Bind("/proc/thread-self/ns/uts", hostNameFile);
    });

    /// <summary>Lets go of a namespace; it ends with its last process. Idempotent.</summary>
    public static void Delete(string file)
    {
        if (File.Exists(file))
        {
            Mounts.Unmount(file);
            File.Delete(file);
        }
    }

    private static void Check(int result, string attempt)
    {
        if (result != 0)
        {
            throw LinuxException.FromLastCall(attempt);
        }
    }
}
