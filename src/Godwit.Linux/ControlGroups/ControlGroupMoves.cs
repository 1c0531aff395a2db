using System.Globalization;

namespace Godwit.Linux.ControlGroups;

/// <summary>
/// Moves of processes between cgroups. The kernel makes each wait until every processor has passed a quiet point (a grace period of RCU: some milliseconds on an idle host),
/// unless another move has just made it so (<c>cgroup_threadgroup_rwsem</c> in kernel/cgroup/cgroup.c, whose fast path forks use).
/// </summary>
public static class ControlGroupMoves
{
    private static readonly Lazy<string?> OwnProcesses = new(() => Find(File.ReadAllText("/proc/self/cgroup"), File.ReadAllText("/proc/mounts"), File.Exists));

    /// <summary>
    /// Has the kernel make ready for a move that is to come within milliseconds, by a move of this process to where it is. Waits as that move would: on another thread it
    /// waits while whatever comes first is done. Of no other effect; where it cannot be done, the next move takes its time.
    /// </summary>
    public static void Prepare()
    {
        try
        {
            if (OwnProcesses.Value is { } path)
            {
                File.WriteAllText(path, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            }
        }
        catch (Exception refusal) when (refusal is IOException or UnauthorizedAccessException)
        {
            // It was moved meanwhile, or may not: nothing depends on it.
        }
    }

    /// <summary>The list of processes of the cgroup that a process is in (cgroups(7)), in the first hierarchy that is mounted.</summary>
    /// <param name="own">In the form of <c>/proc/PID/cgroup</c>.</param>
    /// <param name="mounts">In the form of <c>/proc/mounts</c>.</param>
    /// <param name="exists">Whether a file is there.</param>
    internal static string? Find(string own, string mounts, Func<string, bool> exists)
    {
        foreach (var line in own.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Split(':', 3) is not [_, var controllers, var group])
            {
                continue;
            }

            var mount = mounts.Split('\n').Select(each => each.Split(' ')).FirstOrDefault(each =>
                each is [_, _, var type, var options, ..] && (controllers.Length == 0 ? type == "cgroup2" : type == "cgroup" && controllers.Split(',').All(options.Split(',').Contains)));
            if (mount is not null && Path.Join(mount[1], group, "cgroup.procs") is var path && exists(path))
            {
                return path;
            }
        }

        return null;
    }
}
