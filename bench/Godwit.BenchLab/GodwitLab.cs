using System.Text.Json.Nodes;
using Godwit.Linux.Commands;

namespace Godwit.BenchLab;

/// <summary>Two nodes joined by a link, and the commands <c>godwit</c> and <c>kubectl</c>, as a user has them. Everything is gone when it is disposed of.</summary>
public sealed class GodwitLab : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);

    private readonly string program;
    private readonly string instance;

    private GodwitLab(string program, string instance)
    {
        this.program = Path.GetFullPath(program);
        this.instance = instance;
        // Short, for unix sockets lie below it, and open to guests' users on the way to their own folders.
        Folder = Directory.CreateDirectory(
            $"/tmp/{instance}-{Environment.ProcessId}",
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute).FullName;
    }

    /// <summary>For what a bench writes while the lab is up.</summary>
    public string Folder { get; }

    /// <param name="program">The program to measure.</param>
    /// <param name="instance">The lab's name: at most eight letters and digits.</param>
    /// <param name="images">Folder of guest images.</param>
    /// <param name="link">What the link carries, for example <c>1gbit</c>; null: all that it can.</param>
    public static async Task<GodwitLab> StartAsync(string program, string instance, string images, string? link, CancellationToken stopping)
    {
        var lab = new GodwitLab(program, instance);
        await lab.CommandAsync(["up", "--lab", "2", .. link is null ? Array.Empty<string>() : ["--link-rate", link], "--data", lab.Folder, "--images", images], stopping);
        return lab;
    }

    /// <summary>The name of a node's network namespace.</summary>
    public string NamespaceOf(string node) => $"{instance}-{node}";

    public Task<string> CommandAsync(IReadOnlyList<string> arguments, CancellationToken stopping) =>
        new Command(program, [.. arguments, "--instance", instance]) { Bound = Bound }.RunAsync(TimeProvider.System, stopping);

    public async Task<JsonNode> JsonAsync(IReadOnlyList<string> arguments, CancellationToken stopping) =>
        JsonNode.Parse(await CommandAsync([.. arguments, "-o", "json"], stopping))!;

    public async Task<string> KubectlAsync(IReadOnlyList<string> arguments, CancellationToken stopping)
    {
        var kubeconfig = Path.Combine(Folder, "kubeconfig");
        if (!File.Exists(kubeconfig))
        {
            await File.WriteAllTextAsync(kubeconfig, await CommandAsync(["kubeconfig"], stopping), stopping);
        }

        return await new Command("kubectl", ["--kubeconfig", kubeconfig, "--cache-dir", Path.Combine(Folder, "kubectl"), .. arguments]) { Bound = Bound }.RunAsync(TimeProvider.System, stopping);
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
}
