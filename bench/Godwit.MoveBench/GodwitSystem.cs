using System.Net;
using System.Text.Json.Nodes;
using Godwit.Linux.Commands;
using Godwit.Linux.Networking;
using Godwit.Networks.Labs;

namespace Godwit.MoveBench;

/// <summary>Godwit as its users have it: a lab of two nodes, and the command <c>godwit migrate</c>.</summary>
internal sealed class GodwitSystem : IMovingSystem
{
    private const string Instance = "mvbgw";
    private const string Vm = "guest";
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);
    private readonly BenchSetup setup;

    /// <summary>Short, for unix sockets lie below it, and open to guests' users on the way to their own folders.</summary>
    private readonly string folder = Directory.CreateDirectory(
        $"/tmp/{Instance}-{Environment.ProcessId}",
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute).FullName;
    private LabNetwork? lab;
    private string node = "";

    private GodwitSystem(BenchSetup setup, string mode, string? transport)
    {
        this.setup = setup;
        Mode = mode;
        Name = string.Join(' ', new[] { "godwit", mode == "auto" ? null : mode, transport }.OfType<string>());
    }

    public string Name { get; }

    public IPAddress Guest { get; private set; } = IPAddress.None;

    public Func<ulong> SourceCounter()
    {
        var source = NetworkNamespace.Named($"{Instance}-{node}");
        return () => Stage.SentBytes(source);
    }

    private string Mode { get; }

    /// <param name="transport">How the bytes go, by a policy for every guest; null is the default.</param>
    public static async Task<GodwitSystem> StartLabAsync(BenchSetup setup, string mode, string? transport, CancellationToken stopping)
    {
        var system = new GodwitSystem(setup, mode, transport);
        await system.CommandAsync(["up", "--lab", "2", "--data", system.folder, "--images", setup.ImagesFolder], stopping);
        system.lab = new LabNetwork(Instance, LabNetwork.ChooseSubnet(Instance));
        if (transport is not null)
        {
            await system.ChooseTransportAsync(transport, stopping);
        }

        return system;
    }

    public void SetRate(LinkRate rate) => lab!.SetRate(2, rate);

    public async Task StartAsync(Writer writer, CancellationToken stopping)
    {
        await CommandAsync(["vm", "create", Vm, "--memory", $"{Writer.MemoryMiB}Mi", "--kernel-args", writer.KernelArguments, "--wait"], stopping);
        var status = (await GuestAsync(stopping))["status"]!;
        Guest = IPAddress.Parse((string)status["interfaces"]![0]!["ipAddress"]!);
        node = (string)status["nodeName"]!;
    }

    public Task PrepareAsync(CancellationToken stopping) => Task.CompletedTask;

    public async Task<OwnWord> MoveAsync(CancellationToken stopping)
    {
        var move = await JsonAsync(["migrate", Vm, "--mode", Mode], stopping);
        var status = move["status"]!;
        var measured = status["measurement"];
        var ended = (string?)status["migrationState"]?["mode"];
        return new OwnWord(
            (string?)status["phase"] == "Succeeded",
            (double?)measured?["totalMs"] / 1000,
            (double?)measured?["downtimeMs"],
            $"{(int?)measured?["rounds"]} rounds, {ended}, seen {(double?)measured?["networkDowntimeMs"]} ms");
    }

    public async Task SettleAsync(CancellationToken stopping) =>
        node = (string)(await GuestAsync(stopping))["status"]!["nodeName"]!;

    public async Task StopAsync(CancellationToken stopping) => await CommandAsync(["vm", "delete", Vm], stopping);

    public async ValueTask DisposeAsync()
    {
        await CommandAsync(["down", "--data", folder], CancellationToken.None);
        Directory.Delete(folder, recursive: true);
    }

    private Task<string> CommandAsync(IReadOnlyList<string> arguments, CancellationToken stopping) =>
        new Command(setup.Program, [.. arguments, "--instance", Instance]) { Bound = Bound }.RunAsync(TimeProvider.System, stopping);

    private async Task<JsonNode> JsonAsync(IReadOnlyList<string> arguments, CancellationToken stopping) =>
        JsonNode.Parse(await CommandAsync([.. arguments, "-o", "json"], stopping))!;

    private async Task ChooseTransportAsync(string transport, CancellationToken stopping)
    {
        var policy = new JsonObject
        {
            ["apiVersion"] = "migrations.kubevirt.io/v1alpha1",
            ["kind"] = "MigrationPolicy",
            ["metadata"] = new JsonObject { ["name"] = transport },
            ["spec"] = new JsonObject
            {
                ["allowPostCopy"] = true,
                ["godwit"] = new JsonObject { ["transport"] = transport },
                ["selectors"] = new JsonObject { ["virtualMachineInstanceSelector"] = new JsonObject() },
            },
        };
        var file = Path.Combine(folder, "policy.json");
        await File.WriteAllTextAsync(file, policy.ToJsonString(), stopping);
        await KubectlAsync(["apply", "-f", file], stopping);
    }

    private async Task<JsonNode> GuestAsync(CancellationToken stopping) =>
        JsonNode.Parse(await KubectlAsync(["get", "vmi", Vm, "-o", "json"], stopping))!;

    private async Task<string> KubectlAsync(IReadOnlyList<string> arguments, CancellationToken stopping)
    {
        var kubeconfig = Path.Combine(folder, "kubeconfig");
        await File.WriteAllTextAsync(kubeconfig, await CommandAsync(["kubeconfig"], stopping), stopping);
        return await new Command("kubectl", ["--kubeconfig", kubeconfig, "--cache-dir", Path.Combine(folder, "kubectl"), .. arguments]).RunAsync(TimeProvider.System, stopping);
    }
}
