namespace Godwit.Linux.ControlGroups;

/// <summary>This host's cgroups, in whichever version it has.</summary>
public sealed class ControlGroupHost
{
    private readonly ControlGroupLayout layout;
    private readonly TimeProvider time;

    internal ControlGroupHost(ControlGroupLayout layout, TimeProvider time)
    {
        this.layout = layout;
        this.time = time;
    }

    /// <summary>2 or 1, for people.</summary>
    public int Version => layout is ControlGroupLayout.Unified ? 2 : 1;

    /// <exception cref="LinuxException">No cgroup hierarchy is mounted.</exception>
    public static ControlGroupHost Detect(TimeProvider time)
    {
        var found = ControlGroupLayout.Parse(File.ReadAllText("/proc/mounts"), path => File.ReadAllText(Path.Combine(path, "cgroup.controllers")));
        return found is null
            ? throw new LinuxException("find the cgroups", Errno.ENOENT, "mount them: mount -t cgroup2 none /sys/fs/cgroup")
            : new ControlGroupHost(found, time);
    }

    /// <summary>The group of this name, made with its parents where it does not exist. Idempotent.</summary>
    /// <param name="name">Segments of letters, digits, <c>.</c>, <c>_</c> and <c>-</c>, with <c>/</c> between: <c>godwit/vm-1</c>.</param>
    public ControlGroup Create(string name)
    {
        var group = Open(name);
        group.Make();
        return group;
    }

    /// <summary>The group of this name, whether it exists or not.</summary>
    public ControlGroup Open(string name)
    {
        CheckName(name);
        return layout switch
        {
            ControlGroupLayout.Unified unified => new UnifiedControlGroup(unified.Path, name, time),
            ControlGroupLayout.Separate separate => new SeparateControlGroup(separate, name, time),
            _ => throw new InvalidOperationException($"unknown cgroup layout {layout}"),
        };
    }

    /// <summary>All counters of the group of this name; zeroes for one that does not exist.</summary>
    public ControlGroupDetails ReadDetails(string name)
    {
        CheckName(name);
        return layout switch
        {
            ControlGroupLayout.Unified unified => ControlGroupCounters.ReadUnified(Path.Combine(unified.Path, name)),
            ControlGroupLayout.Separate separate => ControlGroupCounters.ReadSeparate(separate, name),
            _ => throw new InvalidOperationException($"unknown cgroup layout {layout}"),
        };
    }

    /// <summary>
    /// Tells every scheduler of disks that knows weights what the group of this name weighs: relative, <see cref="BlockIoWeights.Min"/> to <see cref="BlockIoWeights.Max"/>,
    /// where 100 is what a group without a setting has.
    /// </summary>
    /// <returns>False: the kernel has none for this group, and nothing was told.</returns>
    /// <exception cref="IOException">The kernel refused the weight.</exception>
    public bool SetBlockIoWeight(string name, int weight)
    {
        CheckName(name);
        return layout switch
        {
            ControlGroupLayout.Unified unified => BlockIoWeights.WriteUnified(Path.Combine(unified.Path, name), weight),
            ControlGroupLayout.Separate { BlockIoPath: { } mount } => BlockIoWeights.WriteSeparate(Path.Combine(mount, name), weight),
            _ => false,
        };
    }

    /// <summary>The groups directly inside the group of this name; empty when it does not exist.</summary>
    public IReadOnlyList<string> ListChildren(string name)
    {
        var folder = Open(name).Folders[0];
        return Directory.Exists(folder) ? [.. Directory.EnumerateDirectories(folder).Select(child => Path.GetFileName(child)!).Order(StringComparer.Ordinal)] : [];
    }

    private static void CheckName(string name)
    {
        var sound = name.Split('/').All(segment =>
            segment.Length is > 0 and <= 255 && segment is not "." and not ".." && segment.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-'));
        if (!sound)
        {
            throw new ArgumentException($"'{name}' is no name for a cgroup: segments of letters, digits, '.', '_' and '-' with '/' between", nameof(name));
        }
    }
}
