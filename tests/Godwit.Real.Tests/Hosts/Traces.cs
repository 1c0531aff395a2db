using System.Net.NetworkInformation;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>Everything of one instance that can be found on this host, by looking at the host and not by asking Godwit.</summary>
/// <param name="Processes">PID and command line of what names the instance's data folder; zombies not counted.</param>
/// <param name="Links">Network devices that begin with its prefix.</param>
/// <param name="Tables">Tables of the packet filter.</param>
/// <param name="ControlGroups">Its cgroup, in each hierarchy.</param>
/// <param name="Namespaces">Network namespaces that begin with its name.</param>
/// <param name="Mounts">Mount points that name it.</param>
internal sealed record Traces(
    IReadOnlyList<(int ProcessId, string CommandLine)> Processes,
    IReadOnlyList<string> Links,
    IReadOnlyList<string> Tables,
    IReadOnlyList<string> ControlGroups,
    IReadOnlyList<string> Namespaces,
    IReadOnlyList<string> Mounts)
{
    public IEnumerable<string> All =>
        Processes.Select(process => $"process {process.ProcessId}: {process.CommandLine}").Concat(Links).Concat(Tables).Concat(ControlGroups).Concat(Namespaces).Concat(Mounts);

    /// <summary>PIDs of QEMUs.</summary>
    public IReadOnlyList<int> Guests => [.. Processes.Where(process => process.CommandLine.Contains("qemu-system", StringComparison.Ordinal)).Select(process => process.ProcessId)];

    /// <param name="cluster">Whose.</param>
    /// <param name="linkPrefix">What its network devices begin with.</param>
    public static Task<Traces> FindAsync(HostCluster cluster, string linkPrefix) => FindAsync(cluster.Instance, cluster.DataFolder, linkPrefix);

    public static async Task<Traces> FindAsync(string instance, string dataFolder, string linkPrefix)
    {
        var tables = (await Command.RunAsync("nft", ["list", "tables"], HostCluster.Bound)).MustSucceed().Output;
        return new Traces(
            [.. ProcessesThatName(dataFolder)],
            [.. NetworkInterface.GetAllNetworkInterfaces().Select(link => link.Name).Where(name => name.StartsWith(linkPrefix + "-", StringComparison.Ordinal))],
            [.. tables.Split('\n').Where(line => line.Contains($" godwit-{linkPrefix}", StringComparison.Ordinal))], // Of guests, services and pods.
            [.. Directory.EnumerateDirectories("/sys/fs/cgroup", $"godwit-{instance}", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 3, IgnoreInaccessible = true })],
            Directory.Exists("/run/netns") ? [.. Directory.EnumerateFiles("/run/netns", $"{instance}-*")] : [],
            [.. File.ReadLines("/proc/self/mounts").Where(line => line.Contains(instance, StringComparison.Ordinal))]);
    }

    private static IEnumerable<(int ProcessId, string CommandLine)> ProcessesThatName(string folder)
    {
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(process), out var processId) || processId == Environment.ProcessId)
            {
                continue;
            }

            string line;
            try
            {
                // A zombie has no command line any more.
                line = File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ').Trim();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                continue; // It ended while we looked.
            }

            if (line.Contains(folder, StringComparison.Ordinal))
            {
                yield return (processId, line);
            }
        }
    }
}
