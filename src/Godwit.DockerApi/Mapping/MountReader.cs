using System.Security.Cryptography;
using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;

namespace Godwit.DockerApi.Mapping;

/// <summary>
/// What stands in a container other than its image's files. Docker has five ways to ask: binds (<c>-v</c>), mounts
/// (<c>--mount</c>), tmpfs, volumes of another container, and places declared to be volumes (the image's come last of all);
/// a place named twice belongs to the first way in this order.
/// </summary>
internal sealed class MountReader(Func<string, ContainerSnapshot> find)
{
    public IReadOnlyList<MountSpec> Read(ContainerConfig config, HostConfig host)
    {
        var mounts = new List<MountSpec>();
        mounts.AddRange((host.Binds ?? []).Select(ReadBind));
        mounts.AddRange((host.Mounts ?? []).Select(ReadMount));
        mounts.AddRange((host.Tmpfs ?? new Dictionary<string, string>(StringComparer.Ordinal)).Select(pair => ReadMemory(pair.Key, pair.Value)));
        if (mounts.GroupBy(mount => Normalise(mount.Target), StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw DockerException.Invalid($"Duplicate mount point: {twice.Key}");
        }

        foreach (var source in host.VolumesFrom ?? [])
        {
            AddNew(mounts, ReadOthers(source));
        }

        AddNew(mounts, (config.Volumes?.Keys ?? []).Select(Anonymous));
        return mounts;
    }

    private static void AddNew(List<MountSpec> mounts, IEnumerable<MountSpec> more)
    {
        foreach (var mount in more)
        {
            if (!mounts.Exists(other => Normalise(other.Target) == Normalise(mount.Target)))
            {
                mounts.Add(mount);
            }
        }
    }

    private static string Normalise(string target) => target.StartsWith('/') ? Path.GetFullPath(target).TrimEnd('/') : target;

    private static MountSpec.Volume Anonymous(string target) => new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)), target) { Anonymous = true };

    /// <summary><c>[source:]target[:options]</c>; a source with a slash in front is a path, another a volume's name.</summary>
    private static MountSpec ReadBind(string text)
    {
        var parts = text.Split(':');
        if (parts is [] or { Length: > 3 } || parts.Any(part => part.Length == 0))
        {
            throw DockerException.Invalid($"invalid volume specification: '{text}'");
        }

        if (parts.Length == 1)
        {
            return Anonymous(parts[0]);
        }

        var options = parts.Length == 3 ? parts[2].Split(',') : [];
        var readOnly = options.Contains("ro");
        if (!parts[0].StartsWith('/'))
        {
            foreach (var option in options)
            {
                Check(option is "ro" or "rw" or "nocopy" or "z" or "Z", option, text);
            }

            return new MountSpec.Volume(parts[0], parts[1]) { ReadOnly = readOnly, NoCopy = options.Contains("nocopy") };
        }

        var propagation = MountPropagation.RecursivePrivate;
        foreach (var option in options)
        {
            var isPropagation = TryReadPropagation(option, out var read);
            Check(isPropagation || option is "ro" or "rw" or "z" or "Z" or "cached" or "delegated" or "consistent", option, text);
            propagation = isPropagation ? read : propagation;
        }

        return new MountSpec.Bind(parts[0], parts[1]) { ReadOnly = readOnly, Propagation = propagation, MakesSource = true };
    }

    private static void Check(bool known, string option, string text)
    {
        if (!known)
        {
            throw DockerException.Invalid($"invalid mode: {option} in '{text}'");
        }
    }

    private static MountSpec ReadMount(MountBody body)
    {
        var target = string.IsNullOrEmpty(body.Target) ? throw DockerException.Invalid("invalid mount config for type \"" + body.Type + "\": field Target must not be empty") : body.Target;
        switch (body.Type)
        {
            case "bind" when body.Source is ['/', ..]:
                var propagation = body.BindOptions?.Propagation is { Length: > 0 } word
                    ? TryReadPropagation(word, out var read) ? read : throw DockerException.Invalid($"invalid propagation: {word}")
                    : MountPropagation.RecursivePrivate;
                return new MountSpec.Bind(body.Source, target) { ReadOnly = body.ReadOnly, Propagation = propagation, NonRecursive = body.BindOptions?.NonRecursive ?? false, MakesSource = body.BindOptions?.CreateMountpoint ?? false };
            case "bind":
                throw DockerException.Invalid($"invalid mount config for type \"bind\": invalid mount path: '{body.Source}' mount path must be absolute");
            case "volume":
                CheckDriver(body.VolumeOptions?.DriverConfig);
                return (string.IsNullOrEmpty(body.Source) ? Anonymous(target) : new MountSpec.Volume(body.Source, target)) with
                {
                    ReadOnly = body.ReadOnly,
                    NoCopy = body.VolumeOptions?.NoCopy ?? false,
                    SubPath = body.VolumeOptions?.Subpath ?? "",
                };
            case "tmpfs":
                return new MountSpec.Memory(target)
                {
                    ReadOnly = body.ReadOnly,
                    SizeBytes = body.TmpfsOptions?.SizeBytes is > 0 and var size ? size : null,
                    Mode = body.TmpfsOptions?.Mode is > 0 and <= 0xfff and var mode ? (int)mode : new MountSpec.Memory(target).Mode,
                };
            default:
                throw DockerException.Invalid($"invalid mount config: mount type \"{body.Type}\" is not known");
        }
    }

    private static void CheckDriver(DriverConfigBody? driver)
    {
        if (driver?.Name is { Length: > 0 } and not "local")
        {
            throw DockerException.NotSupported($"the volume driver {driver.Name}");
        }

        if (driver?.Options is { Count: > 0 } options)
        {
            throw DockerException.NotSupported($"the option {string.Join(", ", options.Keys)} of a volume");
        }
    }

    /// <summary>Options of mount(8), separated by commas.</summary>
    private static MountSpec.Memory ReadMemory(string target, string options)
    {
        var mount = new MountSpec.Memory(target);
        var more = new List<string>();
        foreach (var option in options.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = option.Split('=', 2) is [var left, var right] ? (left, right) : (option, "");
            switch (name)
            {
                case "size":
                    mount = mount with { SizeBytes = Sizes.Parse("tmpfs size", value) };
                    break;
                case "mode":
                    mount = mount with { Mode = ReadMode(value) };
                    break;
                case "ro":
                    mount = mount with { ReadOnly = true };
                    break;
                case "rw":
                    break;
                case "exec" or "noexec" or "suid" or "nosuid" or "dev" or "nodev" or "uid" or "gid" or "nr_inodes" or "nr_blocks" or "noatime" or "nodiratime" or "relatime":
                    more.Add(option);
                    break;
                default:
                    throw DockerException.Invalid($"invalid tmpfs option \"{option}\"");
            }
        }

        return mount with { Options = more };
    }

    private static int ReadMode(string octal)
    {
        const int modeMax = 0xfff;
        return octal.Length is > 0 and <= 5 && octal.All(digit => digit is >= '0' and <= '7') && Convert.ToInt32(octal, 8) is <= modeMax and var mode ? mode : throw DockerException.Invalid($"invalid tmpfs mode \"{octal}\"");
    }

    /// <summary><c>container[:ro|rw]</c>: what it has mounted, but for memory.</summary>
    private IEnumerable<MountSpec> ReadOthers(string text)
    {
        var parts = text.Split(':', 2);
        if (parts is [_, not ("ro" or "rw" or "z" or "Z")])
        {
            throw DockerException.Invalid($"invalid volumes-from specification: '{text}'");
        }

        var readOnly = parts is [_, "ro"];
        return find(parts[0]).Spec.Mounts.Where(mount => mount is not MountSpec.Memory).Select(mount => mount is MountSpec.Volume volume
            ? volume with { Anonymous = false, NoCopy = true, ReadOnly = readOnly || mount.ReadOnly }
            : mount with { ReadOnly = readOnly || mount.ReadOnly });
    }

    private static bool TryReadPropagation(string word, out MountPropagation propagation)
    {
        MountPropagation? known = word switch
        {
            "rprivate" => MountPropagation.RecursivePrivate,
            "private" => MountPropagation.Private,
            "rslave" => MountPropagation.RecursiveSlave,
            "slave" => MountPropagation.Slave,
            "rshared" => MountPropagation.RecursiveShared,
            "shared" => MountPropagation.Shared,
            _ => null,
        };
        propagation = known ?? default;
        return known is not null;
    }
}
