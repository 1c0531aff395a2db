namespace Godwit.Linux.ControlGroups;

/// <summary>
/// Where this host keeps its cgroups. A host has each controller in one hierarchy: the unified one (cgroup v2), or one per
/// controller (v1). In the hybrid form both are mounted; the controllers' place decides.
/// </summary>
internal abstract record ControlGroupLayout
{
    private ControlGroupLayout()
    {
    }

    internal static IReadOnlyList<string> Controllers { get; } = ["memory", "cpu", "cpuacct", "pids"];

    /// <summary>Reads the form of <c>/proc/mounts</c> (fstab(5)).</summary>
    /// <param name="mounts">The mount table.</param>
    /// <param name="unifiedControllers">Given a unified mount's path, its <c>cgroup.controllers</c>.</param>
    internal static ControlGroupLayout? Parse(string mounts, Func<string, string> unifiedControllers)
    {
        var separate = new Dictionary<string, string>(StringComparer.Ordinal);
        var all = new List<string>();
        string? unified = null;
        string? blocks = null;
        foreach (var line in mounts.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Split(' ') is not [_, var path, var type, var options, ..])
            {
                continue;
            }

            if (type == "cgroup2")
            {
                unified ??= path;
                all.Add(path);
            }
            else if (type == "cgroup")
            {
                all.Add(path);
                blocks ??= options.Split(',').Contains("blkio") ? path : null;
                foreach (var controller in options.Split(',').Where(Controllers.Contains))
                {
                    separate.TryAdd(controller, path);
                }
            }
        }

        if (unified is not null && unifiedControllers(unified).Split([' ', '\n']).Contains("memory"))
        {
            return new Unified(unified);
        }

        return separate.Count > 0 ? new Separate(separate) { Hierarchies = all, BlockIoPath = blocks } : null;
    }

    /// <summary>cgroup v2, mounted at the path.</summary>
    internal sealed record Unified(string Path) : ControlGroupLayout;

    /// <summary>cgroup v1: controller to its mount's path; two controllers may share one.</summary>
    internal sealed record Separate(IReadOnlyDictionary<string, string> Paths) : ControlGroupLayout
    {
        /// <summary>Every mount, of controllers that we do not use too: other programs, container runtimes among them, make their groups in all of them.</summary>
        internal IReadOnlyList<string> Hierarchies { get; init; } = [];

        /// <summary>The mount of block I/O's controller, in which container runtimes make groups and we make none; null where there is none.</summary>
        internal string? BlockIoPath { get; init; }
    }
}
