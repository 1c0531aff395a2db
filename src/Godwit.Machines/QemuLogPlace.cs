using Godwit.Linux.Files;

namespace Godwit.Machines;

/// <summary>
/// Where QEMU says what troubles it: a small file system in memory for each machine, so that a QEMU that talks without end fills
/// nothing but this, also while no agent lives to cut its log. What is full takes no more; QEMU does not mind.
/// <para>
/// It outlives QEMU and the agent, so that the next agent reads its last words, and goes with the machine. A restart of the
/// host takes it too, with the guest whose words they were.
/// </para>
/// </summary>
internal static class QemuLogPlace
{
    /// <summary>All that it holds, in bytes.</summary>
    public const long RoomBytes = 256 << 10;

    /// <summary>What an agent lets it grow to before it is cut, in bytes: the other half is room for what is said between two looks.</summary>
    public const long LogBytesMax = RoomBytes / 2;

    /// <summary>Idempotent.</summary>
    /// <exception cref="Linux.LinuxException">It cannot be mounted.</exception>
    public static void Make(MachineFiles files)
    {
        Directory.CreateDirectory(files.QemuLogFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (!Mounts.List().Any(mount => mount.Path == files.QemuLogFolder))
        {
            Mounts.MountMemory(files.QemuLogFolder, RoomBytes);
        }
    }

    /// <summary>Idempotent.</summary>
    public static void Remove(MachineFiles files) => Mounts.Unmount(files.QemuLogFolder);

    /// <summary>Of all machines below an agent's data folder, whose QEMUs have been ended.</summary>
    public static void RemoveAll(string dataFolder)
    {
        var records = MachineFiles.RecordsFolder(dataFolder) + '/';
        foreach (var mount in Mounts.List().Where(mount => mount.Path.StartsWith(records, StringComparison.Ordinal)))
        {
            Mounts.Unmount(mount.Path);
        }
    }
}
