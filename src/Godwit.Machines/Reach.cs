using Godwit.Linux.Files;

namespace Godwit.Machines;

/// <summary>
/// Whether a machine's user can get to the files that its QEMU must open. QEMU would only say "Permission denied"; this
/// says on which folder, and what to do.
/// </summary>
internal static class Reach
{
    private static readonly (UnixFileMode Owner, UnixFileMode Group, UnixFileMode Other) Execute = (UnixFileMode.UserExecute, UnixFileMode.GroupExecute, UnixFileMode.OtherExecute);
    private static readonly (UnixFileMode Owner, UnixFileMode Group, UnixFileMode Other) Read = (UnixFileMode.UserRead, UnixFileMode.GroupRead, UnixFileMode.OtherRead);

    /// <exception cref="MachineException">Which path the machine's user cannot enter or read.</exception>
    public static void Require(MachineSpec spec, MachinePlace place)
    {
        RequireParents(place.Folder, place);
        foreach (var path in new[] { spec.Kernel?.KernelPath, spec.Kernel?.InitrdPath }.OfType<string>().Concat(spec.Disks.Select(disk => disk.Path)))
        {
            if (!File.Exists(path))
            {
                throw new MachineException($"{spec.DisplayName} needs {path}, which does not exist.");
            }

            RequireParents(path, place);
            if (!Allows(path, Read, place))
            {
                throw new MachineException($"{spec.DisplayName} needs {path}, which user {place.UserId} of the machine may not read: give the file to that user, or let all read it.");
            }
        }
    }

    private static void RequireParents(string path, MachinePlace place)
    {
        for (var folder = Path.GetDirectoryName(path); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (!Allows(folder, Execute, place))
            {
                throw new MachineException($"The folder {folder} keeps user {place.UserId} of machine {place.Id} from {path}: allow others to pass through it (chmod o+x).");
            }
        }
    }

    private static bool Allows(string path, (UnixFileMode Owner, UnixFileMode Group, UnixFileMode Other) right, MachinePlace place)
    {
        if (FileIdentity.Find(path) is not { } file)
        {
            return true; // Gone meanwhile: QEMU will say so.
        }

        var needed = file.UserId == place.UserId ? right.Owner : file.GroupId == place.UserId ? right.Group : right.Other;
        return (File.GetUnixFileMode(path) & needed) == needed;
    }
}
