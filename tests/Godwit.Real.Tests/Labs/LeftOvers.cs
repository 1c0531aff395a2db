using System.Text.Json.Nodes;
using Godwit.Networks.Overlays;

namespace Godwit.Real.Tests.Labs;

/// <summary>What of a guest is on a node: its QEMU's cgroup, its folders, its taps, what the journal says is under way.</summary>
internal static class LeftOvers
{
    /// <summary>A node that does not run the guest has none of these.</summary>
    public static async Task<IReadOnlyList<string>> OfAsync(GodwitLab lab, string node, string machine)
    {
        var agent = lab.AgentFolder(node);
        var found = new List<string>();
        found.AddRange(new[] { "machines", "records", "guest-images/machines" }.Select(folder => Path.Combine(agent, folder, machine)).Where(Directory.Exists));
        found.AddRange(ControlGroups(lab, node, machine));
        found.AddRange(UnderWay(Path.Combine(agent, "journal", "moves"), machine));
        found.AddRange(await TapsAsync(lab, node, machine));
        return found;
    }

    /// <summary>Records that say that a move is under way.</summary>
    public static IEnumerable<string> UnderWay(string journal, string machine)
    {
        foreach (var path in Directory.Exists(journal) ? Directory.GetFiles(journal, "*.json") : [])
        {
            var record = Read(path);
            if (record?["machine"]?.GetValue<string>() == machine
                && (record["outgoing"] is not null || record["incoming"]?.GetValue<string>() is "Arriving" or "RunGranted"))
            {
                yield return $"{path}: {record.ToJsonString()}";
            }
        }
    }

    private static JsonNode? Read(string path)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(path));
        }
        catch (FileNotFoundException)
        {
            return null; // It was forgotten while we looked.
        }
    }

    /// <summary>Version 1 has a tree for each controller, version 2 one for all.</summary>
    private static IEnumerable<string> ControlGroups(GodwitLab lab, string node, string machine) =>
        new[] { "/sys/fs/cgroup" }.Concat(Directory.GetDirectories("/sys/fs/cgroup"))
            .Select(tree => Path.Combine(tree, $"godwit-{lab.Instance}", node, $"vm-{machine}"))
            .Where(Directory.Exists);

    private static async Task<IEnumerable<string>> TapsAsync(GodwitLab lab, string node, string machine)
    {
        var tap = new OverlayNames("gw").Tap(machine, 0);
        var links = (await Command.RunAsync("ip", ["-n", lab.NamespaceOf(node), "-o", "link", "show"], TimeSpan.FromSeconds(30))).MustSucceed();
        return links.Output.Contains($"{tap}:", StringComparison.Ordinal) ? [$"tap {tap} in {node}"] : [];
    }
}
