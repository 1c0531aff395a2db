using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Godwit.Client;
using Microsoft.Extensions.Logging.Abstractions;
using KubeNode = Godwit.Api.Core.V1.Node;

namespace Godwit.Real.Tests.Labs;

/// <content>Ways to hurt a lab, and to bring it up again.</content>
public sealed partial class GodwitLab
{
    private static readonly TimeSpan EndBound = TimeSpan.FromSeconds(60);

    private ClusterClient? cluster;

    /// <summary>The lab's API by its typed client: quicker than a kubectl for each look.</summary>
    internal ClusterClient Cluster => cluster ??= new(Kubeconfig.Load(KubeconfigPath), TimeProvider.System, NullLogger<ClusterClient>.Instance);

    private int ownAgents;

    /// <summary>By process id.</summary>
    private static readonly ConcurrentDictionary<int, bool> EndedByTests = new();

    /// <summary>The process id that each part had when it was last looked at.</summary>
    private readonly Dictionary<string, int> lastSeen = new(StringComparer.Ordinal);

    private IEnumerable<(string Name, string Words)> Parts => [("server", ServerWords), .. Nodes.Select(node => (node, AgentWords(node)))];

    internal static IReadOnlyList<string> Nodes { get; } = ["node-1", "node-2"];

    internal int AgentProcessId(string node) => ProcessIdOf(AgentWords(node));

    internal int ServerProcessId() => ProcessIdOf(ServerWords);

    /// <summary>As a crash would: nothing of the process runs on.</summary>
    internal static Task KillAsync(int processId) => EndAsync(processId, "-KILL");

    /// <summary>As an upgrade would: the process is asked to end, and does.</summary>
    internal static Task StopAsync(int processId) => EndAsync(processId, "-TERM");

    /// <summary>The process stands still, and is not dead.</summary>
    internal static async Task FreezeAsync(int processId)
    {
        (await Command.RunAsync("kill", ["-STOP", processId.ToString()], TimeSpan.FromSeconds(30))).MustSucceed();
        await StandsStillAsync(processId);
    }

    internal static Task StandsStillAsync(int processId) =>
        Eventually.IsTrueAsync($"process {processId} stands still", EndBound, () => Task.FromResult(StateOf(processId) is 'T'), TimeSpan.FromMilliseconds(20));

    /// <summary>A fault that lasts for so long: the process stands still, and goes on by itself unless somebody has ended it meanwhile.</summary>
    internal static async Task FreezeForAsync(int processId, TimeSpan time)
    {
        string[] script = ["-c", "kill -STOP $1 && sleep $2; kill -CONT $1 || true", "sh", $"{processId}", string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds}")];
        (await Command.RunAsync("sh", script, EndBound)).MustSucceed();
    }

    /// <summary>It goes on, unless somebody has ended it meanwhile.</summary>
    internal static async Task ThawAsync(int processId)
    {
        if (IsAlive(processId))
        {
            await Command.RunAsync("kill", ["-CONT", processId.ToString()], TimeSpan.FromSeconds(30));
        }
    }

    /// <summary>Starts what does not run, and leaves the rest as it is.</summary>
    internal async Task BringUpAsync()
    {
        (await GodwitAsync(StartBound, "up", "--lab", "2", "--link-rate", "1gbit", "--data", DataFolder, "--images", OwnImagesFolder)).MustSucceed();
        See();
    }

    /// <summary>
    /// Starts what does not run any more: a test that failed between hurting the lab and mending it must not be the failure of those that come after it.
    /// What ended without a test's doing fails the one that finds it.
    /// </summary>
    internal async Task MendAsync()
    {
        if (ownAgents > 0)
        {
            return; // Whoever runs an agent of its own puts the lab's back.
        }

        var missing = Parts.Where(part => FindProcess(part.Words) is null).ToList();
        var told = missing.Where(part => !EndedByTests.ContainsKey(lastSeen.GetValueOrDefault(part.Name))).Select(part => $"{part.Name} ended, and no test ended it").ToList();
        if (missing.Count > 0)
        {
            await BringUpAsync();
        }

        foreach (var node in await SilentAsync())
        {
            told.Add($"{node} is silent, though its agent runs (process {AgentProcessId(node)})");
            await KillAsync(AgentProcessId(node));
            await BringUpAsync();
        }

        Assert.True(told.Count == 0, string.Join('\n', [.. told, .. Parts.Select(part => $"The log of {part.Name} ends:\n{EndOf(LogOf(part.Name))}")]));
        See();
    }

    /// <summary>The program of a node's agent and its arguments, as it was started.</summary>
    internal IReadOnlyList<string> AgentCommandLine(string node) =>
        File.ReadAllText($"/proc/{AgentProcessId(node)}/cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Runs an agent in its node by another command line, until the lab's own is put back by disposing of what is returned.</summary>
    internal async Task<IAsyncDisposable> StartAgentAsync(string node, IReadOnlyList<string> commandLine)
    {
        var log = Path.Combine(DataFolder, "logs", $"{node}.log");
        (await Command.RunAsync("sh", ["-c", "log=$1; shift; setsid \"$@\" >> \"$log\" 2>&1 < /dev/null &", "sh", log, "nsenter", $"--net=/run/netns/{NamespaceOf(node)}", .. commandLine], TimeSpan.FromSeconds(30))).MustSucceed();
        await Eventually.IsTrueAsync($"the agent of {node} runs", EndBound, () => Task.FromResult(FindProcess(AgentWords(node)) is not null));
        ownAgents++;
        return new OwnAgent(this, node);
    }

    /// <summary>Cuts a node off as a switch that goes dark would, or joins it again.</summary>
    internal async Task SetLinkAsync(string node, bool up) =>
        (await Command.RunAsync("ip", ["link", "set", $"{Instance}-n{node[^1]}", up ? "up" : "down"], TimeSpan.FromSeconds(30))).MustSucceed();

    /// <summary>What goes to a node goes at this rate from now on, in tc(8)'s words; the lab's own is <c>1gbit</c>.</summary>
    internal async Task SlowLinkAsync(string node, string rate) =>
        (await Command.RunAsync("tc", ["qdisc", "replace", "dev", $"{Instance}-n{node[^1]}", "root", "tbf", "rate", rate, "burst", "128k", "limit", "2m"], TimeSpan.FromSeconds(30))).MustSucceed();

    /// <summary>Whose logs there are: the server's, and those of the nodes' agents.</summary>
    internal IEnumerable<string> LogNames => Parts.Select(part => part.Name);

    /// <summary>All that a node's agents have logged, from a place on.</summary>
    internal string LogOf(string node, long offsetBytes = 0)
    {
        using var log = new FileStream(LogPath(node), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        log.Position = Math.Min(offsetBytes, log.Length);
        return new StreamReader(log).ReadToEnd();
    }

    internal long LogBytes(string node) => new FileInfo(LogPath(node)) is { Exists: true } log ? log.Length : 0;

    private string LogPath(string node) => Path.Combine(DataFolder, "logs", $"{node}.log");

    /// <summary>What a node's agent keeps on disk.</summary>
    internal string AgentFolder(string node) => Path.Combine(DataFolder, "agents", node);

    internal string NamespaceOf(string node) => $"{Instance}-{node}";

    private static async Task EndAsync(int processId, string signal)
    {
        EndedByTests[processId] = true;
        (await Command.RunAsync("kill", [signal, processId.ToString()], TimeSpan.FromSeconds(30))).MustSucceed();
        await Eventually.IsTrueAsync($"process {processId} has ended", EndBound, () => Task.FromResult(!IsAlive(processId)));
    }

    /// <summary>A zombie has ended, whoever has yet to take note of it; but not while one of its threads is still about to: until then its files are open.</summary>
    private static bool IsAlive(int processId) => StateOf(processId) switch
    {
        'X' => false,
        'Z' => HasThreads(processId),
        _ => true,
    };

    private static bool HasThreads(int processId)
    {
        try
        {
            return Directory.EnumerateDirectories($"/proc/{processId}/task").Skip(1).Any();
        }
        catch (IOException)
        {
            return false; // It went while we looked.
        }
    }

    /// <summary>The kernel's letter; <c>X</c> when there is no such process.</summary>
    private static char StateOf(int processId)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{processId}/stat");
            return stat[stat.LastIndexOf(')') + 2];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return 'X';
        }
    }

    private string ServerWords => $"server --instance {Instance} ";

    private string AgentWords(string node) => $"agent --node-name {node} --instance {Instance} ";

    private static int ProcessIdOf(string words) => FindProcess(words) ?? throw new InvalidOperationException($"No process of this lab runs 'godwit {words}'.");

    /// <summary>The nodes that are not ready, nor become it.</summary>
    private async Task<IReadOnlyList<string>> SilentAsync()
    {
        IReadOnlyList<string> silent = Nodes;
        try
        {
            await Eventually.IsTrueAsync("the nodes are ready", EndBound, async () =>
                (silent = [.. (await Cluster.For<KubeNode>().ListAsync(new ListOptions(), TestContext.Current.CancellationToken)).Items
                    .Where(node => !node.Status.Conditions.Any(condition => condition is { Type: "Ready", Status: "True" })).Select(node => node.Metadata.Name)]).Count == 0);
        }
        catch (Xunit.Sdk.FailException)
        {
            // Told by whoever asked.
        }

        return silent;
    }

    private void See()
    {
        foreach (var (name, words) in Parts)
        {
            lastSeen[name] = FindProcess(words) ?? 0;
        }
    }

    private static string EndOf(string log) => string.Join('\n', log.Split('\n').TakeLast(30));

    private static int? FindProcess(string words)
    {
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(entry), out var processId) && CommandLineOf(entry).Contains(words, StringComparison.Ordinal) && IsAlive(processId))
            {
                return processId;
            }
        }

        return null;
    }

    private static string CommandLineOf(string entry)
    {
        try
        {
            return File.ReadAllText(Path.Combine(entry, "cmdline")).Replace('\0', ' ');
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return ""; // It ended while we looked.
        }
    }

    private sealed class OwnAgent(GodwitLab lab, string node) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            try
            {
                if (FindProcess(lab.AgentWords(node)) is { } agent)
                {
                    await StopAsync(agent);
                }
            }
            finally
            {
                if (--lab.ownAgents == 0)
                {
                    await lab.BringUpAsync(); // Not before: it would put an agent of the lab's beside the other one.
                }
            }
        }
    }
}
