using System.Net;
using System.Text.Json.Nodes;
using Godwit.Linux.Commands;

namespace Godwit.HandoverBench;

/// <summary>Two nodes and the <c>godwit</c> command, as a user has them.</summary>
internal sealed class Lab : IAsyncDisposable
{
    private const string Instance = "hobench";
    private const string Vm = "guest";
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);

    private readonly string program;

    /// <summary>Short, for unix sockets lie below it, and open to guests' users on the way to their own folders.</summary>
    private readonly string folder = Directory.CreateDirectory(
        $"/tmp/{Instance}-{Environment.ProcessId}",
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute).FullName;

    private Lab(string program) => this.program = program;

    /// <summary>Each node, which the guest comes to and leaves, and the host of the server, which is a third place of the guests' network.</summary>
    public IReadOnlyList<Place> Places { get; } = [new("node-1", $"{Instance}-node-1"), new("node-2", $"{Instance}-node-2"), new("third place", null)];

    public static async Task<Lab> StartAsync(string program, string images, string link, CancellationToken stopping)
    {
        var lab = new Lab(program);
        await lab.CommandAsync(["up", "--lab", "2", "--link-rate", link, "--data", lab.folder, "--images", images], stopping);
        return lab;
    }

    public async Task<IPAddress> StartGuestAsync(string writer, CancellationToken stopping)
    {
        await CommandAsync(["vm", "create", Vm, "--memory", "256Mi", "--kernel-args", writer, "--wait"], stopping);
        var kubeconfig = Path.Combine(folder, "kubeconfig");
        await File.WriteAllTextAsync(kubeconfig, await CommandAsync(["kubeconfig"], stopping), stopping);
        var guest = JsonNode.Parse(await new Command("kubectl", ["--kubeconfig", kubeconfig, "--cache-dir", Path.Combine(folder, "kubectl"), "get", "vmi", Vm, "-o", "json"]).RunAsync(TimeProvider.System, stopping))!;
        var address = IPAddress.Parse((string)guest["status"]!["interfaces"]![0]!["ipAddress"]!);
        await UntilItAnswersAsync(address, stopping);
        return address;
    }

    /// <summary>It runs before its own programs do.</summary>
    private static async Task UntilItAnswersAsync(IPAddress guest, CancellationToken stopping)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(2) };
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        for (var began = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(began) < Bound; await look.WaitForNextTickAsync(stopping))
        {
            try
            {
                await http.GetStringAsync(new Uri($"http://{guest}/counter"), stopping);
                return;
            }
            catch (Exception error) when (error is HttpRequestException || (error is TaskCanceledException && !stopping.IsCancellationRequested))
            {
                // Not yet.
            }
        }

        throw new TimeoutException($"The guest does not answer on {guest}.");
    }

    /// <summary>To the other node; for how long no CPU of the guest ran, in milliseconds.</summary>
    public async Task<double> MoveAsync(CancellationToken stopping)
    {
        var move = JsonNode.Parse(await CommandAsync(["migrate", Vm, "-o", "json"], stopping))!;
        return (double)move["status"]!["measurement"]!["pausedMs"]!;
    }

    public async ValueTask DisposeAsync()
    {
        await CommandAsync(["down", "--data", folder], CancellationToken.None);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private Task<string> CommandAsync(IReadOnlyList<string> arguments, CancellationToken stopping) =>
        new Command(program, [.. arguments, "--instance", Instance]) { Bound = Bound }.RunAsync(TimeProvider.System, stopping);
}
