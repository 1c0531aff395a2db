using Godwit.Linux.Native;
using Godwit.Linux.Processes;

namespace Godwit.Linux.Files;

/// <summary>One line of the mount table.</summary>
public sealed record Mount(string Source, string Path, string Type);

/// <summary>Mounting, and what is mounted.</summary>
public static class Mounts
{
    /// <summary>What this process sees mounted, in order; the last of several on one path is on top.</summary>
    public static IReadOnlyList<Mount> List() => Parse(File.ReadAllText("/proc/self/mounts"));

    /// <summary>Mounts memory as a folder, without devices or set-user-id programs.</summary>
    /// <param name="path">An existing folder.</param>
    /// <param name="sizeBytes">The most that it holds.</param>
    public static void MountMemory(string path, long sizeBytes) => Check(
        LibC.Mount("tmpfs", path, "tmpfs", MountFlags.MS_NOSUID | MountFlags.MS_NODEV, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"size={sizeBytes},mode=0700")),
        $"mount a tmpfs on {path}");

    /// <summary>Shows one place under another path too; both exist and are of one kind.</summary>
    public static void Bind(string source, string path) => Check(LibC.Mount(source, path, null, MountFlags.MS_BIND, null), $"mount {source} on {path} too");

    /// <summary>Makes a file or folder a mount of its own through which nobody can write.</summary>
    public static void BindReadOnly(string path)
    {
        Bind(path, path);
        // A bind mount begins with the flags of what it shows; only a change of it can set others (mount(2)).
        Check(LibC.Mount("none", path, null, MountFlags.MS_REMOUNT | MountFlags.MS_BIND | MountFlags.MS_RDONLY | MountFlags.MS_NODEV, null), $"make the mount {path} one that is only read");
    }

    /// <summary>
    /// Shows a place under another path too, with the ids that a user namespace has for them: what belongs to 0 in the one belongs to that namespace's root in
    /// the other, and the same the other way round (mount_setattr(2)). Nothing that is mounted below comes along.
    /// </summary>
    /// <exception cref="LinuxException"><see cref="Errno.EINVAL"/>: the file system below cannot be shown with other ids.</exception>
    public static unsafe void MountAsSeenBy(UserNamespace owner, string source, string path)
    {
        using var tree = TreeOf(source);
        var attributes = stackalloc ulong[4];
        (attributes[0], attributes[1], attributes[2], attributes[3]) = (MountFlags.MOUNT_ATTR_IDMAP, 0, MountFlags.MS_PRIVATE, (ulong)owner.Value);
        var target = System.Text.Encoding.UTF8.GetBytes(path + '\0');
        byte nothing = 0;
        CheckCall(LibC.SystemCall(SystemCalls.MountSetAttributes, tree.Value, &nothing, MountFlags.AT_EMPTY_PATH, attributes, 4 * sizeof(ulong)), $"show {source} with the ids of a user namespace");
        fixed (byte* place = target)
        {
            CheckCall(LibC.SystemCall(SystemCalls.MoveMount, tree.Value, &nothing, MountFlags.AT_FDCWD, place, MountFlags.MOVE_MOUNT_F_EMPTY_PATH), $"mount {source} on {path} with the ids of a user namespace");
        }
    }

    /// <summary>
    /// Mounts an overlay (overlayfs, in the kernel's documentation): trees that are only read, and one over them that takes
    /// every change. The features that would make the upper tree depend on just these lower ones are switched off, so that
    /// it can be read, packed and stacked by itself.
    /// </summary>
    /// <param name="path">An existing folder.</param>
    /// <param name="lower">The highest first; at least one. No colon or comma in their paths.</param>
    /// <param name="upper">An existing folder.</param>
    /// <param name="work">An existing, empty folder on the same file system as <paramref name="upper"/>.</param>
    public static void MountOverlay(string path, IReadOnlyList<string> lower, string upper, string work)
    {
        const int optionsMax = 4095; // The kernel copies one page.
        if (Overlay(lower) is var plain && plain.Length <= optionsMax)
        {
            Check(LibC.Mount("overlay", path, "overlay", 0, plain), $"mount an overlay of {lower.Count} layers on {path}");
            return;
        }

        // Too long: the layers' common folder is named by a descriptor instead, which the kernel looks up while it mounts.
        var folder = Path.GetDirectoryName(Path.GetDirectoryName(lower[0])!)!;
        using var held = Descriptor.Open(folder, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
        var shortened = lower.Select(each => each.StartsWith(folder + '/', StringComparison.Ordinal) ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"/proc/self/fd/{held.Value}{each[folder.Length..]}") : each);
        Check(LibC.Mount("overlay", path, "overlay", 0, Overlay([.. shortened])), $"mount an overlay of {lower.Count} layers on {path}");

        string Overlay(IReadOnlyList<string> trees) => $"lowerdir={string.Join(':', trees)},upperdir={upper},workdir={work},index=off,xino=off,redirect_dir=off,metacopy=off";
    }

    /// <summary>
    /// Makes what is mounted below this folder appear in, and vanish from, the mount namespaces that were made from ours
    /// (mount_namespaces(7)). Idempotent.
    /// </summary>
    /// <param name="folder">An existing folder; it becomes a mount of its own if it is none.</param>
    public static void Share(string folder)
    {
        if (LibC.Mount("none", folder, null, MountFlags.MS_SHARED | MountFlags.MS_REC, null) == 0)
        {
            return;
        }

        Check(LibC.Mount(folder, folder, null, MountFlags.MS_BIND | MountFlags.MS_REC, null), $"mount {folder} on itself");
        Check(LibC.Mount("none", folder, null, MountFlags.MS_SHARED | MountFlags.MS_REC, null), $"share the mounts below {folder}");
    }

    /// <summary>
    /// Undoes <see cref="Share"/> where that made the folder a mount of its own and nothing is mounted below. Idempotent; a file system that somebody
    /// mounted there stays.
    /// </summary>
    public static void Unshare(string folder)
    {
        if (IsMountedOnItself(File.ReadAllText("/proc/self/mountinfo"), folder) && !List().Any(mount => mount.Path.StartsWith(folder + '/', StringComparison.Ordinal)))
        {
            Unmount(folder);
        }
    }

    /// <summary>Reads the form of proc_pid_mountinfo(5): id, parent, device, root within the file system, mount point.</summary>
    internal static bool IsMountedOnItself(string table, string folder)
    {
        var mounts = table.Split('\n').Select(line => line.Split(' ')).Where(fields => fields.Length > 5).ToList();
        var own = mounts.LastOrDefault(fields => Unescape(fields[4]) == folder);
        var parent = own is null ? null : mounts.Find(fields => fields[0] == own[1]);
        return parent is not null && own![2] == parent[2] && Unescape(own[3]) == Path.Combine(Unescape(parent[3]), Path.GetRelativePath(Unescape(parent[4]), folder));
    }

    /// <summary>Whether what is mounted below this path later appears in copies of the mount that it lies on, which is then a shared or a slave mount (mount_namespaces(7)).</summary>
    public static bool Propagates(string path) => Propagates(File.ReadAllText("/proc/self/mountinfo"), path);

    /// <summary>Reads the form of proc_pid_mountinfo(5): the mount point is the fifth field, tags come after the sixth, up to a dash.</summary>
    internal static bool Propagates(string table, string path)
    {
        var under = table.Split('\n').Select(line => line.Split(' ')).Where(fields => fields.Length > 6 && IsBelow(path, Unescape(fields[4])));
        return under.Aggregate((string[]?)null, (best, next) => best is null || next[4].Length >= best[4].Length ? next : best) is { } nearest
            && nearest.Skip(6).TakeWhile(field => field != "-").Any(tag => tag.StartsWith("shared:", StringComparison.Ordinal) || tag.StartsWith("master:", StringComparison.Ordinal));
    }

    private static bool IsBelow(string path, string folder) => folder == "/" || path == folder || path.StartsWith(folder + '/', StringComparison.Ordinal);

    /// <summary>Takes away what is mounted on top of this path, as soon as nobody uses it. Idempotent.</summary>
    public static void Unmount(string path)
    {
        if (LibC.UMount2(path, MountFlags.MNT_DETACH) != 0 && LinuxException.FromLastCall($"unmount {path}") is { Error: not (Errno.EINVAL or Errno.ENOENT) } refusal)
        {
            throw refusal;
        }
    }

    /// <summary>Reads the form of fstab(5), in which a blank is <c>\040</c> and a backslash <c>\134</c>.</summary>
    internal static IReadOnlyList<Mount> Parse(string table) =>
    [
        .. table.Split('\n').Select(line => line.Split(' ')).Where(fields => fields.Length >= 3).Select(fields => new Mount(Unescape(fields[0]), Unescape(fields[1]), fields[2])),
    ];

    private static unsafe Descriptor TreeOf(string source)
    {
        fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(source + '\0'))
        {
            var tree = LibC.SystemCall(SystemCalls.OpenTree, MountFlags.AT_FDCWD, name, MountFlags.OPEN_TREE_CLONE | OpenFlags.O_CLOEXEC, null, 0);
            return tree >= 0 ? new Descriptor((int)tree) : throw LinuxException.FromLastCall($"look at {source} as a mount");
        }
    }

    private static void CheckCall(nint result, string attempt)
    {
        if (result < 0)
        {
            throw LinuxException.FromLastCall(attempt);
        }
    }

    private static string Unescape(string field) => field
        .Replace("\\040", " ", StringComparison.Ordinal)
        .Replace("\\011", "\t", StringComparison.Ordinal)
        .Replace("\\012", "\n", StringComparison.Ordinal)
        .Replace("\\134", "\\", StringComparison.Ordinal);

    private static void Check(int result, string attempt)
    {
        if (result != 0)
        {
            throw LinuxException.FromLastCall(attempt);
        }
    }
}
