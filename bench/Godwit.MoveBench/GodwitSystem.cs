using System.Net;
using System.Text.Json.Nodes;
using Godwit.BenchLab;
using Godwit.Linux.Networking;
using Godwit.Networks.Labs;

namespace Godwit.MoveBench;

/// <summary>Godwit as its users have it: a lab of two nodes, and the command <c>godwit migrate</c>.</summary>
internal sealed class GodwitSystem : IMovingSystem
{
    private const string Instance = "mvbgw";
    private const string Vm = "guest";
    private readonly GodwitLab lab;
    private readonly LabNetwork network = new(Instance, LabNetwork.ChooseSubnet(Instance));
    private string node = "";

    private GodwitSystem(GodwitLab lab, string mode, string? transport)
    {
        this.lab = lab;
        Mode = mode;
        Name = string.Join(' ', new[] { "godwit", mode == "auto" ? null : mode, transport }.OfType<string>());
    }

    public string Name { get; }

    public IPAddress Guest { get; private set; } = IPAddress.None;

    public Func<ulong> SourceCounter()
    {
        var source = NetworkNamespace.Named(lab.NamespaceOf(node));
        return () => Stage.SentBytes(source);
    }

    private string Mode { get; }

    /// <param name="transport">How the bytes go, by a policy for every guest; null is the default.</param>
    public static async Task<GodwitSystem> StartLabAsync(BenchSetup setup, string mode, string? transport, CancellationToken stopping)
    {
        var system = new GodwitSystem(await GodwitLab.StartAsync(setup.Program, Instance, setup.ImagesFolder, link: null, stopping), mode, transport);
        if (transport is not null)
        {
            await system.ChooseTransportAsync(transport, stopping);
        }

        return system;
    }

    public void SetRate(LinkRate rate) => network.SetRate(2, rate);

    public async Task StartAsync(Writer writer, CancellationToken stopping)
    {
        await lab.CommandAsync(["vm", "create", Vm, "--memory", $"{Writer.MemoryMiB}Mi", "--kernel-args", writer.KernelArguments, "--wait"], stopping);
        var status = (await lab.GuestAsync(Vm, stopping))["status"]!;
        Guest = IPAddress.Parse((string)status["interfaces"]![0]!["ipAddress"]!);
        node = (string)status["nodeName"]!;
    }

    public Task PrepareAsync(CancellationToken stopping) => Task.CompletedTask;

    public async Task<OwnWord> MoveAsync(CancellationToken stopping)
    {
        var move = await lab.JsonAsync(["migrate", Vm, "--mode", Mode], stopping);
        var status = move["status"]!;
        var measured = status["measurement"];
        var ended = (string?)status["migrationState"]?["mode"];
        return new OwnWord(
            (string?)status["phase"] == "Succeeded",
            (double?)measured?["totalMs"] / 1000,
            (double?)measured?["streamMs"] / 1000,
            (double?)measured?["downtimeMs"],
            $"{(int?)measured?["rounds"]} rounds, {ended}, seen {(double?)measured?["networkDowntimeMs"]} ms");
    }

    public async Task SettleAsync(CancellationToken stopping) =>
        node = (string)(await lab.GuestAsync(Vm, stopping))["status"]!["nodeName"]!;

    public async Task StopAsync(CancellationToken stopping) => await lab.CommandAsync(["vm", "delete", Vm], stopping);

    public ValueTask DisposeAsync() => lab.DisposeAsync();

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
        var file = Path.Combine(lab.Folder, "policy.json");
        await File.WriteAllTextAsync(file, policy.ToJsonString(), stopping);
        await lab.KubectlAsync(["apply", "-f", file], stopping);
    }
}
