using System.Globalization;
using System.Text.Json.Nodes;
using Godwit.Linux.Commands;

namespace Godwit.BenchLab;

/// <summary>Two nodes joined by a link, and the commands <c>godwit</c> and <c>kubectl</c>, as a user has them. Everything is gone when it is disposed of.</summary>
public sealed class GodwitLab : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);

    private readonly string program;
    private readonly string instance;
    private readonly IReadOnlyList<string> up;

    private GodwitLab(string program, string instance, int nodes, string? link, string images)
    {
        this.program = Path.GetFullPath(program);
        this.instance = instance;
        // Short, for unix sockets lie below it, and open to guests' users on the way to their own folders.
        Folder = Directory.CreateDirectory(
            $"/tmp/{instance}-{Environment.ProcessId}",
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute).FullName;
        up = ["up", "--lab", nodes.ToString(CultureInfo.InvariantCulture), .. link is null ? Array.Empty<string>() : ["--link-rate", link], "--data", Folder, "--images", images];
    }

    /// <summary>For what a bench writes while the lab is up.</summary>
    public string Folder { get; }

    /// <param name="program">The program to measure.</param>
    /// <param name="instance">The lab's name: at most eight letters and digits.</param>
    /// <param name="images">Folder of guest images.</param>
    /// <param name="link">What the link carries, for example <c>1gbit</c>; null: all that it can.</param>
    public static Task<GodwitLab> StartAsync(string program, string instance, string images, string? link, CancellationToken stopping) => StartAsync(program, instance, images, link, nodes: 2, stopping);

    /// <summary>The same with so many nodes.</summary>
    public static async Task<GodwitLab> StartAsync(string program, string instance, string images, string? link, int nodes, CancellationToken stopping)
    {
        var lab = new GodwitLab(program, instance, nodes, link, images);
        try
        {
            await lab.BringUpAsync(stopping);
            return lab;
        }
        catch (Exception)
        {
            await lab.DisposeAsync(); // What of it came up goes again.
            throw;
        }
    }

    /// <summary>The lab's name.</summary>
    public string Instance => instance;

    /// <summary>Starts what of it does not run.</summary>
    public Task BringUpAsync(CancellationToken stopping) => CommandAsync(up, stopping);

    /// <summary>The process of a node's agent.</summary>
    /// <exception cref="InvalidOperationException">It does not run.</exception>
    public int AgentProcessId(string node) => ProcessIdOf($"agent --node-name {node} --instance {instance} ");

    /// <summary>The server's process.</summary>
    /// <exception cref="InvalidOperationException">It does not run.</exception>
    public int ServerProcessId() => ProcessIdOf($"server --instance {instance} ");

    /// <summary>Cuts a node off as a switch that goes dark would, or joins it again.</summary>
    public Task SetLinkAsync(string node, bool isUp, CancellationToken stopping) =>
        new Command("ip", ["link", "set", $"{instance}-n{node[^1]}", isUp ? "up" : "down"]).RunAsync(TimeProvider.System, stopping);

    /// <summary>The name of a node's network namespace.</summary>
    public string NamespaceOf(string node) => $"{instance}-{node}";

    public Task<string> CommandAsync(IReadOnlyList<string> arguments, CancellationToken stopping) =>
        new Command(program, [.. arguments, "--instance", instance]) { Bound = Bound }.RunAsync(TimeProvider.System, stopping);

    public async Task<JsonNode> JsonAsync(IReadOnlyList<string> arguments, CancellationToken stopping) =>
        JsonNode.Parse(await CommandAsync([.. arguments, "-o", "json"], stopping))!;

    public async Task<string> KubectlAsync(IReadOnlyList<string> arguments, CancellationToken stopping, string input = "")
    {
        var kubeconfig = Path.Combine(Folder, "kubeconfig");
        if (!File.Exists(kubeconfig))
        {
            await File.WriteAllTextAsync(kubeconfig, await CommandAsync(["kubeconfig"], stopping), stopping);
        }

        return await new Command("kubectl", ["--kubeconfig", kubeconfig, "--cache-dir", Path.Combine(Folder, "kubectl"), .. arguments]) { Bound = Bound, Input = input }.RunAsync(TimeProvider.System, stopping);
    }

    /// <summary>A running guest, as <c>kubectl</c> tells of it.</summary>
    public async Task<JsonNode> GuestAsync(string name, CancellationToken stopping) =>
        JsonNode.Parse(await KubectlAsync(["get", "vmi", name, "-o", "json"], stopping))!;

    public async ValueTask DisposeAsync()
    {
        await CommandAsync(["down", "--data", Folder], CancellationToken.None);
        if (Directory.Exists(Folder))
        {
            Directory.Delete(Folder, recursive: true);
        }
    }

    private static int ProcessIdOf(string words)
    {
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out var processId) && CommandLineOf(entry).Contains(words, StringComparison.Ordinal))
            {
                return processId;
            }
        }

        throw new InvalidOperationException($"No process of this lab runs 'godwit {words}'.");
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
}
