using Godwit.Linux.Native;

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
