using System.Globalization;
using System.Text;
using Godwit.Containers.Runtime;
using Godwit.Linux.Commands;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Godwit.Oci.Runtime;
using Godwit.Volumes;

namespace Godwit.Containers;

/// <summary>Finds, and where asked makes, what a container's mounts come from.</summary>
internal static class MountPlanner
{
    private static readonly TimeSpan CopyBound = TimeSpan.FromMinutes(30);

    /// <summary>At the container's making: names that make no sense are refused, volumes are made and held.</summary>
    internal static IReadOnlyList<MountPoint> Prepare(ContainerId id, ContainerSpec spec, EngineParts parts)
    {
        var points = new List<MountPoint>();
        foreach (var mount in spec.Mounts)
        {
            if (!mount.Target.StartsWith('/') || mount.Target.Contains('\0', StringComparison.Ordinal) || Path.GetFullPath(mount.Target) == "/")
            {
                throw new InvalidRequestException($"cannot mount at '{mount.Target}': an absolute path below / is wanted");
            }

            if (points.Any(point => point.Target == mount.Target))
            {
                throw new InvalidRequestException($"duplicate mount point: {mount.Target}");
            }

            points.Add(mount switch
            {
                MountSpec.Bind bind => PrepareBind(bind),
                MountSpec.Volume volume => PrepareVolume(id, volume, parts),
                _ => new MountPoint("tmpfs", "", "", mount.Target, mount.ReadOnly, ""),
            });
        }

        return points;
    }

    /// <summary>At each start: the runtime's mounts. A new volume gets what the image has at its place.</summary>
    internal static async Task<IReadOnlyList<RuntimeMount>> PlanAsync(ContainerRecord record, string root, EngineParts parts, CancellationToken stopping)
    {
        var mounts = new List<RuntimeMount>();
        foreach (var (mount, point) in record.Spec.Mounts.Zip(record.Mounts))
        {
            var ids = WithIds(record.Spec.Isolation.HasUserNamespace ? parts.Options.UserIds : null);
            switch (mount)
            {
                case MountSpec.Bind bind:
                    MakeSource(bind);
                    mounts.Add(new(bind.Target, "bind", bind.Source) { Options = [bind.NonRecursive ? "bind" : "rbind", Word(bind.Propagation), Access(bind), .. bind.HasContainerIds ? ids : []] });
                    break;
                case MountSpec.Volume volume:
                    var source = parts.Volumes.Create(volume.Name, ContainerSpec.Empty, ContainerSpec.Empty).Path;
                    if (!volume.NoCopy)
                    {
                        await FillAsync(root, volume.Target, source, parts.Time, stopping);
                    }

                    mounts.Add(new(volume.Target, "bind", Inside(source, volume.SubPath)) { Options = ["rbind", "rprivate", Access(volume), .. ids] });
                    break;
                case MountSpec.Memory memory:
                    mounts.Add(new(point.Target, "tmpfs", "tmpfs") { Options = MemoryOptions(memory) });
                    break;
            }
        }

        return mounts;
    }

    /// <summary>
    /// crun's words for showing a mount with a container's ids (crun(1)): for what belongs to containers, never for what is the host's. Written out, because crun
    /// does not find its own container's ids while that joins another's processes.
    /// </summary>
    internal static IEnumerable<string> WithIds(IdMap? ids) => ids is null ? [] : [string.Create(CultureInfo.InvariantCulture, $"idmap=uids=0-{ids.FirstUserId}-{ids.Count};gids=0-{ids.FirstGroupId}-{ids.Count}")];

    private static MountPoint PrepareBind(MountSpec.Bind bind)
    {
        if (!bind.Source.StartsWith('/'))
        {
            throw new InvalidRequestException($"cannot bind '{bind.Source}': an absolute path of the host is wanted");
        }

        if (bind.Propagation is MountPropagation.Shared or MountPropagation.RecursiveShared)
        {
            throw new InvalidRequestException($"cannot bind {bind.Source} with propagation {Word(bind.Propagation)}: what a container mounts stays in it here. With slave or rslave it sees what the host mounts later");
        }

        MakeSource(bind);
        if (bind.Propagation is MountPropagation.Slave or MountPropagation.RecursiveSlave && !Mounts.Propagates(bind.Source))
        {
            throw new InvalidRequestException($"cannot bind {bind.Source} with propagation {Word(bind.Propagation)}: it lies on a mount that is neither shared nor a slave. Try: mount --make-rshared on that mount");
        }

        return new MountPoint("bind", "", bind.Source, bind.Target, bind.ReadOnly, Word(bind.Propagation));
    }

    private static MountPoint PrepareVolume(ContainerId id, MountSpec.Volume volume, EngineParts parts)
    {
        try
        {
            var made = parts.Volumes.Create(volume.Name, volume.Anonymous ? new Dictionary<string, string>(StringComparer.Ordinal) { ["com.docker.volume.anonymous"] = "" } : ContainerSpec.Empty, ContainerSpec.Empty);
            parts.Volumes.Use(volume.Name, id.Value);
            return new MountPoint("volume", volume.Name, made.Path, volume.Target, volume.ReadOnly, "");
        }
        catch (VolumeException refusal)
        {
            throw new InvalidRequestException($"cannot mount a volume at {volume.Target}", refusal);
        }
    }

    private static void MakeSource(MountSpec.Bind bind)
    {
        if (Path.Exists(bind.Source))
        {
            return;
        }

        if (!bind.MakesSource)
        {
            throw new InvalidRequestException($"invalid mount config for type \"bind\": bind source path does not exist: {bind.Source}");
        }

        Directory.CreateDirectory(bind.Source);
    }

    /// <summary>Copies what the image has below this place into a volume that is empty, with owners, modes and attributes.</summary>
    private static async Task FillAsync(string root, string target, string volume, TimeProvider time, CancellationToken stopping)
    {
        if (Directory.EnumerateFileSystemEntries(volume).Any())
        {
            return;
        }

        using var top = HeldFolder.Open(root);
        using var source = top.OpenBeneath(Encoding.UTF8.GetBytes(target.TrimStart('/')));
        if (source is null || source.List().Count == 0)
        {
            return;
        }

        // The folder is held: whatever its path becomes, what is copied is what was found inside the image's root. Links are copied as links.
        await new Command("cp", "--archive", "--no-target-directory", source.PathForOthers + "/.", volume) { Bound = CopyBound }.RunAsync(time, stopping);
    }

    /// <summary>A folder in the volume; links in it do not lead out.</summary>
    private static string Inside(string volume, string subPath)
    {
        if (subPath.Length == 0)
        {
            return volume;
        }

        using var top = HeldFolder.Open(volume);
        using var found = top.OpenBeneath(Encoding.UTF8.GetBytes(subPath.TrimStart('/')));
        var real = found is null ? null : new FileInfo(found.PathForOthers).ResolveLinkTarget(returnFinalTarget: false)?.FullName;
        return real ?? throw new InvalidRequestException($"the volume has no folder {subPath}");
    }

    private static List<string> MemoryOptions(MountSpec.Memory memory)
    {
        // As strict as Docker's, where the options do not say otherwise.
        var options = new List<string>();
        foreach (var (strict, loose) in new[] { ("noexec", "exec"), ("nosuid", "suid"), ("nodev", "dev") })
        {
            if (!memory.Options.Contains(loose))
            {
                options.Add(strict);
            }
        }

        options.AddRange(memory.Options.Where(option => !options.Contains(option)));
        options.Add("mode=" + Convert.ToString(memory.Mode, 8));
        if (memory.SizeBytes is { } size)
        {
            options.Add(string.Create(CultureInfo.InvariantCulture, $"size={size}"));
        }

        if (memory.ReadOnly)
        {
            options.Add("ro");
        }

        return options;
    }

    private static string Access(MountSpec mount) => mount.ReadOnly ? "ro" : "rw";

    private static string Word(MountPropagation propagation) => propagation switch
    {
        MountPropagation.Private => "private",
        MountPropagation.RecursiveSlave => "rslave",
        MountPropagation.Slave => "slave",
        MountPropagation.RecursiveShared => "rshared",
        MountPropagation.Shared => "shared",
        _ => "rprivate",
    };
}
