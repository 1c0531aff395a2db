using System.Globalization;
using Godwit.BenchLab;
using Godwit.Linux.Commands;

namespace Godwit.DeploymentBench;

/// <summary>
/// Pods and a service that come and go, again and again, and what of them is left on the host: mounts, namespaces, links, rules, cgroups, processes, descriptors, memory. Memory is judged from
/// <see cref="JudgedRoundsMin"/> rounds on: a process may grow while it learns its load, so the last third of the rounds is held against the third before it.
/// </summary>
internal static class ChurnRun
{
    private const int Pods = 20;
    private const int JudgedRoundsMin = 30;

    /// <summary>The server keeps events for an hour, and a round makes a hundred in two seconds: they are deleted in this place, or all that would be judged is how many there are.</summary>
    private const int EventsKeptRounds = 10;

    /// <summary>What the median of a third may be above that of the one before: a collector's own ups and downs.</summary>
    private const double GrowthMax = 1.05;

    private static readonly string[] Nodes = ["node-1", "node-2"];

    /// <returns>Whether nothing was left and nothing grows; descriptors are told and not judged.</returns>
    public static async Task<bool> RunAsync(GodwitLab lab, int rounds, CancellationToken stopping)
    {
        await RoundAsync(lab, stopping); // What is made once and kept is made now.
        var before = await CountAsync(lab, stopping);
        var memory = ProcessesOf(lab).ToDictionary(process => process.Name, _ => new List<double>());
        for (var round = 1; round <= rounds; round++)
        {
            await RoundAsync(lab, stopping);
            if (round % EventsKeptRounds == 0)
            {
                await lab.KubectlAsync(["delete", "--raw", "/api/v1/namespaces/default/events"], stopping); // At once: by themselves kubectl deletes five a second.
            }

            foreach (var (name, process) in ProcessesOf(lab))
            {
                memory[name].Add(MegabytesOf(process));
            }

            Workload.Say($"churn {round} of {rounds}: {Pods} pods came and went; {string.Join(", ", memory.Select(each => string.Create(CultureInfo.InvariantCulture, $"{each.Key} {each.Value[^1]:0.0} MB")))}");
        }

        var after = before;
        try
        {
            await Workload.UntilAsync("everything is as it was", async () => Same(before, after = await CountAsync(lab, stopping)), stopping);
        }
        catch (TimeoutException)
        {
            // The table says what is left.
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {rounds} rounds of {Pods} pods and a service | before | after |\n|---|---|---|"));
        foreach (var (name, (count, isJudged)) in before)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name}{(isJudged ? "" : " (not judged)")} | {count:0.#} | {after[name].Count:0.#} |"));
        }

        return Same(before, after) & IsSteady(memory, rounds);
    }

    /// <summary>Tells how the processes' memory went, and whether it came to rest.</summary>
    private static bool IsSteady(Dictionary<string, List<double>> memory, int rounds)
    {
        if (rounds < JudgedRoundsMin)
        {
            return true;
        }

        Console.WriteLine("\n| memory, MB, median of a third of the rounds | first | second | last |\n|---|---|---|---|");
        var isSteady = true;
        foreach (var (name, samples) in memory)
        {
            var thirds = samples.Chunk((samples.Count + 2) / 3).Select(third => third.Order().ElementAt(third.Length / 2)).ToList();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {thirds[0]:0.0} | {thirds[1]:0.0} | {thirds[2]:0.0} |"));
            isSteady &= thirds[2] <= thirds[1] * GrowthMax;
        }

        return isSteady;
    }

    private static IEnumerable<(string Name, int Id)> ProcessesOf(GodwitLab lab) => Nodes.Select(node => (node, lab.AgentProcessId(node))).Append(("server", lab.ServerProcessId()));

    private static async Task RoundAsync(GodwitLab lab, CancellationToken stopping)
    {
        await Workload.ApplyAsync(lab, Pods, stopping);
        await Workload.DeleteAsync(lab, stopping);
    }

    private static bool Same(SortedDictionary<string, (double Count, bool IsJudged)> before, SortedDictionary<string, (double Count, bool IsJudged)> after) =>
        before.All(each => !each.Value.IsJudged || after[each.Key].Count <= each.Value.Count);

    private static async Task<SortedDictionary<string, (double Count, bool IsJudged)>> CountAsync(GodwitLab lab, CancellationToken stopping)
    {
        var counts = new SortedDictionary<string, (double, bool)>(StringComparer.Ordinal)
        {
            ["mounts of the host"] = (File.ReadLines("/proc/self/mounts").Count(), true),
            ["cgroups of the lab"] = (Directory.GetDirectories("/sys/fs/cgroup").Prepend("/sys/fs/cgroup").Select(tree => Path.Combine(tree, $"godwit-{lab.Instance}")).Where(Directory.Exists).Sum(Folders), true),
            ["network namespaces"] = (Namespaces(), true),
            ["monitors of containers"] = (Monitors(lab.Folder), true),
        };
        foreach (var (name, process) in ProcessesOf(lab))
        {
            counts[$"{name}: memory, MB"] = (MegabytesOf(process), false);
            counts[$"{name}: descriptors"] = (Directory.GetFiles($"/proc/{process}/fd").Length, false);
        }

        foreach (var node in Nodes)
        {
            counts[$"{node}: lines of rules"] = (await LinesAsync(["netns", "exec", lab.NamespaceOf(node), "nft", "list", "ruleset"], stopping), true);
            counts[$"{node}: links"] = (await LinesAsync(["-n", lab.NamespaceOf(node), "-o", "link"], stopping), true);
        }

        return counts;
    }

    private static async Task<int> LinesAsync(string[] arguments, CancellationToken stopping) =>
        (await new Command("ip", arguments).RunAsync(TimeProvider.System, stopping)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length;

    private static double MegabytesOf(int process) =>
        double.Parse(File.ReadLines($"/proc/{process}/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) * 1024 / 1e6;

    private static int Folders(string tree)
    {
        try
        {
            return 1 + Directory.GetDirectories(tree).Sum(Folders);
        }
        catch (DirectoryNotFoundException)
        {
            return 0; // It went while we looked.
        }
    }

    /// <summary>Different ones, of all processes that can be looked at.</summary>
    private static int Namespaces() => Processes().Select(entry => LinkOf(Path.Combine(entry, "ns", "net"))).Where(link => link.Length > 0).Distinct(StringComparer.Ordinal).Count()
        + (Directory.Exists("/run/netns") ? Directory.GetFiles("/run/netns").Length : 0);

    private static int Monitors(string folder) => Processes().Count(entry => TextOf(Path.Combine(entry, "cmdline")) is var line && line.Contains("conmon", StringComparison.Ordinal) && line.Contains(folder, StringComparison.Ordinal));

    private static IEnumerable<string> Processes() => Directory.EnumerateDirectories("/proc").Where(entry => char.IsAsciiDigit(Path.GetFileName(entry)[0]));

    private static string LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget ?? "";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return ""; // It ended while we looked.
        }
    }

    private static string TextOf(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
