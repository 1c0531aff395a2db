using System.Globalization;
using Godwit.Linux.Native;
using Godwit.Linux.Processes;

namespace Godwit.Linux.Networking;

/// <summary>
/// A network namespace: our own, or one with a name under <c>/run/netns</c> as <c>ip netns</c> keeps them (network_namespaces(7)).
/// A thread that has entered one never serves another task: code inside runs on a thread made for it, and what it opens
/// (sockets, processes) belongs to that namespace for good.
/// </summary>
public sealed class NetworkNamespace
{
    private const string Folder = "/run/netns";

    private readonly string? path;

    private NetworkNamespace(string name, string? path)
    {
        Name = name;
        this.path = path;
    }

    /// <summary>The one that this process runs in.</summary>
    public static NetworkNamespace Own { get; } = new("(own)", null);

    public string Name { get; }

    /// <summary>The file that stands for it, for programs that are told to enter it.</summary>
    public string FilePath => path ?? "/proc/self/ns/net";

    /// <summary>
    /// Lets namespaces that get their names from now on be entered from other mount namespaces of this host too, as
    /// <c>ip netns</c> does. Idempotent.
    /// </summary>
    public static void ShareNames()
    {
        Directory.CreateDirectory(Folder);
        Files.Mounts.Share(Folder);
    }

    /// <summary>Makes a namespace with nothing in it but a loopback that is down.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="owner">
    /// Null: it belongs to our user namespace. Else to a new one with these ids, which lives as long as this does (<see cref="UserNamespace.OpenOwner"/>): its root may
    /// set the network up, and nothing else on the host.
    /// </param>
    /// <exception cref="LinuxException"><see cref="Errno.EEXIST"/>: the name is taken.</exception>
    public static NetworkNamespace Create(string name, IdMap? owner = null)
    {
        var made = Named(name);
        ShareNames(); // Before, not after: sharing that makes the folder a mount covers the names that are there, and what is covered cannot be unmounted.
        using (Descriptor.Open(made.path!, OpenFlags.O_RDONLY | OpenFlags.O_CREAT | OpenFlags.O_EXCL, 0))
        {
            // Only the place to mount on.
        }

        try
        {
            if (owner is not null)
            {
                MakeOwned(made, owner);
                return made;
            }

            DedicatedThread.Run("godwit-netns", () =>
            {
                Check(LibC.Unshare(NamespaceFlags.CLONE_NEWNET), $"make network namespace {name}");
                Check(LibC.Mount("/proc/thread-self/ns/net", made.path!, "none", MountFlags.MS_BIND, null), $"keep network namespace {name} at {made.path}");
                return true;
            });
        }
        catch
        {
            File.Delete(made.path!);
            throw;
        }

        return made;
    }

    /// <summary>The namespace of this name, whether it exists or not.</summary>
    /// <exception cref="ArgumentException">The name would lead elsewhere.</exception>
    public static NetworkNamespace Named(string name) =>
        name.Length is > 0 and <= 64 && name is not "." and not ".." && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-')
            ? new NetworkNamespace(name, Path.Combine(Folder, name))
            : throw new ArgumentException($"'{name}' is no name for a network namespace: up to 64 letters, digits, '.', '_' and '-'", nameof(name));

    /// <summary>The namespace of this name, or null when there is none.</summary>
    public static NetworkNamespace? Find(string name) => Named(name) is var found && File.Exists(found.path) ? found : null;

    public static IReadOnlyList<string> List() => Directory.Exists(Folder) ? [.. Directory.EnumerateFiles(Folder).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)] : [];

    /// <summary>Takes the name away; the namespace ends with the last process and socket in it. Idempotent.</summary>
    public static void Delete(string name)
    {
        var gone = Named(name).path!;
        while (LibC.UMount2(gone, MountFlags.MNT_DETACH) == 0)
        {
            // Mounted more than once, if somebody bound it again.
        }

        File.Delete(gone);
    }

    /// <summary>The processes that are in it now, ours not counted.</summary>
    public IReadOnlyList<ProcessIdentity> ListProcesses()
    {
        var wanted = Run(() => File.ResolveLinkTarget("/proc/thread-self/ns/net", returnFinalTarget: false)?.Name);
        return
        [
            .. from folder in Directory.EnumerateDirectories("/proc")
               where int.TryParse(Path.GetFileName(folder), out var processId) && processId != Environment.ProcessId && NetworkOf(folder) == wanted
               let identity = ProcessIdentity.Find(int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture))
               where identity is not null
               select identity.Value,
        ];
    }

    /// <summary>A child of one thread makes both, and waits until the ids are told and the network namespace has its name (unshare(1)).</summary>
    private static void MakeOwned(NetworkNamespace made, IdMap owner)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["PATH"] = "/usr/bin:/bin" };
        string[] command = ["/usr/bin/unshare", "--user", "--net", "/bin/sh", "-c", "echo >&3; read -r end <&4"];
        using var child = PipedProcess.Start(command, environment, place: null, "/dev/null", FileAccess.Read, FileAccess.Write);
        if (child.Process is null || child.Pipes[0].ReadByte() < 0)
        {
            throw new LinuxException($"make network namespace {made.Name} in a user namespace of its own", Errno.EPERM, "is /proc/sys/user/max_user_namespaces 0, or unshare(1) missing?");
        }

        var folder = string.Create(CultureInfo.InvariantCulture, $"/proc/{child.Process.Identity.ProcessId}");
        File.WriteAllText(Path.Combine(folder, "uid_map"), owner.WriteUsers());
        File.WriteAllText(Path.Combine(folder, "gid_map"), owner.WriteGroups());
        Files.Mounts.Bind(Path.Combine(folder, "ns/net"), made.path!);
    }

    private static string? NetworkOf(string processFolder)
    {
        try
        {
            return File.ResolveLinkTarget(Path.Combine(processFolder, "ns/net"), returnFinalTarget: false)?.Name;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // It ended while we looked, or is a kernel thread.
        }
    }

    /// <summary>Runs code inside; its exception is thrown here.</summary>
    public T Run<T>(Func<T> code) => path is null
        ? code()
        : DedicatedThread.Run("godwit-netns", () =>
        {
            Enter();
            return code();
        });

    /// <inheritdoc cref="Run{T}"/>
    public void Run(Action code) => Run(() =>
    {
        code();
        return true;
    });

    public override string ToString() => Name;

    /// <summary>A descriptor that stands for it in netlink requests.</summary>
    internal Descriptor OpenDescriptor() => Descriptor.Open(path ?? "/proc/self/ns/net", OpenFlags.O_RDONLY);

    private void Enter()
    {
        using var descriptor = OpenDescriptor();
        Check(LibC.SetNamespace(descriptor.Value, NamespaceFlags.CLONE_NEWNET), $"enter network namespace {Name}");
    }

    private static void Check(int result, string attempt)
    {
        if (result != 0)
        {
            throw LinuxException.FromLastCall(attempt);
        }
    }
}
