using System.Globalization;
using Godwit.Linux.Native;

namespace Godwit.Linux.Processes;

/// <summary>
/// A user namespace, held open. A process with more than one thread, as ours, can neither make nor enter one; it can have others enter it, mount trees as it
/// sees them (<see cref="Files.Mounts.MountAsSeenBy"/>), and act on files as its root (<see cref="Act{T}"/>).
/// </summary>
public sealed class UserNamespace : IDisposable
{
    private readonly Descriptor descriptor;

    private UserNamespace(Descriptor descriptor, IdMap ids) => (this.descriptor, Ids) = (descriptor, ids);

    public IdMap Ids { get; }

    /// <summary>Where other processes find it, as long as this is not disposed.</summary>
    public string PathForOthers => string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{descriptor.Value}");

    internal int Value => descriptor.Value;

    /// <summary>The user namespace that a network namespace belongs to (ioctl_ns(2)).</summary>
    public static unsafe UserNamespace OpenOwner(string networkFile, IdMap ids)
    {
        using var network = Descriptor.Open(networkFile, OpenFlags.O_RDONLY);
        var owner = LibC.IoCtl(network.Value, NamespaceFlags.NS_GET_USERNS, null);
        return owner >= 0 ? new UserNamespace(new Descriptor(owner), ids) : throw LinuxException.FromLastCall($"find the user namespace of {networkFile}");
    }

    /// <summary>That of a process.</summary>
    public static UserNamespace OpenOf(int processId, IdMap ids) =>
        new(Descriptor.Open(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/ns/user"), OpenFlags.O_RDONLY), ids);

    /// <summary>
    /// Runs code on a thread whose file system ids are those of the namespace's root, with all capabilities that this process has: what it makes belongs to that
    /// root, which is how the kernel wants it where ids are mapped. It is an ordinary thread otherwise, and the host's ids are what it sees and sets.
    /// </summary>
    public static T Act<T>(IdMap ids, Func<T> code) => DedicatedThread.Run("godwit-ids", () =>
    {
        // Else the change of ids would take the capabilities on files away (capabilities(7)). All of this ends with the thread.
        if (LibC.ProcessControl(ProcessControls.PR_SET_SECUREBITS, ProcessControls.SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0)
        {
            throw LinuxException.FromLastCall("keep capabilities while acting for a user namespace (needs CAP_SETPCAP)");
        }

        _ = LibC.SetFileGroup(ids.FirstGroupId);
        _ = LibC.SetFileUser(ids.FirstUserId);
        return code();
    });

    public void Dispose() => descriptor.Dispose();
}
