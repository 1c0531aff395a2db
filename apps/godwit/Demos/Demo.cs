using System.Text.Json;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.App.Clusters;
using Godwit.Cli;
using Godwit.Client;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.App.Demos;

/// <summary>
/// The main job on a real guest, with the guest as witness: start it, read its counter, move it, read the counter again and
/// have it check all its memory. Uses the public commands and the API, nothing else.
/// </summary>
internal sealed class Demo(CliEnvironment environment)
{
    public const string VmName = "demo";

    /// <summary>20 MB/s over 64 MiB: enough that copying once is not enough.</summary>
    private const string GuestSettings = "tiny.rate=20M tiny.set=64M tiny.ballast=64M";
    private static readonly TimeSpan StartBound = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    public async Task<int> RunAsync(bool json, bool cleanup, CancellationToken stopping)
    {
        using var cluster = new ClusterClient(Kubeconfig.Load(environment.LocalKubeconfigPath), environment.Clock, NullLogger<ClusterClient>.Instance);
        await RequireTwoNodesAsync(cluster, stopping);
        var key = new ResourceKey("default", VmName);
        await EnsureVmAsync(cluster, key, stopping);
        Say("waiting for the guest to boot");
        var address = await WaitForAddressAsync(cluster, key, stopping);
        using var guest = new GuestClient(address);
        var before = await guest.WaitForCounterAboveAsync(0, environment.Clock, stopping)
            ?? throw new ClusterException($"The guest {VmName} runs but does not answer on {address}: see 'godwit vm log {VmName}'");
        Say($"the guest answers on {address}: its counter is at {before}");
        var exitCode = await CommandAsync(json, ["migrate", VmName], stopping);
        var after = await guest.WaitForCounterAboveAsync(before, environment.Clock, stopping);
        var witness = new DemoGuest(after is not null, after is not null && await guest.IsMemoryIntactAsync(stopping));
        var move = await LastMoveAsync(cluster, key, stopping);
        if (cleanup)
        {
            await cluster.For<VirtualMachine>().DeleteAsync(key, new DeleteOptions(), stopping);
        }

        await ReportAsync(json, move, witness, (before, after), stopping);
        return exitCode == ExitCodes.Done && witness is { CounterWentOn: true, MemoryIntact: true } ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static async Task RequireTwoNodesAsync(ClusterClient cluster, CancellationToken stopping)
    {
        var nodes = await cluster.For<Api.Core.V1.Node>().ListAsync(new ListOptions(), stopping);
        if (nodes.Items.Count < 2)
        {
            throw new ClusterException($"The demonstration moves a guest from one node to another, and this cluster has {nodes.Items.Count}: start a lab of two with 'godwit up --lab 2' (after 'godwit down', or beside it with --instance NAME)");
        }
    }

    private async Task EnsureVmAsync(ClusterClient cluster, ResourceKey key, CancellationToken stopping)
    {
        if (await cluster.For<VirtualMachine>().FindAsync(key, stopping) is null)
        {
            Say($"creating the guest {VmName}");
            var exitCode = await CommandAsync(true, ["vm", "create", VmName, "--image", "tiny", "--kernel-args", GuestSettings], stopping);
            if (exitCode != ExitCodes.Done)
            {
                throw new ClusterException($"The guest {VmName} could not be created");
            }
        }
    }

    private async Task<string> WaitForAddressAsync(ClusterClient cluster, ResourceKey key, CancellationToken stopping)
    {
        var deadline = environment.Clock.GetUtcNow() + StartBound;
        VirtualMachineInstance? seen = null;
        while (environment.Clock.GetUtcNow() < deadline)
        {
            seen = await cluster.For<VirtualMachineInstance>().FindAsync(key, stopping);
            if (seen?.Status is { Phase: "Running", Interfaces: [{ IpAddress: { Length: > 0 } address }, ..] })
            {
                return address;
            }

            await Task.Delay(Look, environment.Clock, stopping);
        }

        throw new ClusterException($"The guest {VmName} did not start within {StartBound.TotalMinutes:0} minutes (phase {seen?.Status.Phase ?? "none"}): see 'kubectl describe vmi {VmName}'");
    }

    // In front of a person a command draws its progress; for a program it stays out of standard output.
    private async Task<int> CommandAsync(bool silent, IReadOnlyList<string> words, CancellationToken stopping)
    {
        using var hidden = new StringWriter();
        var place = silent ? environment with { Output = hidden, OutputIsTerminal = false } : environment;
        return await GodwitCli.InvokeAsync(GodwitCli.BuildRoot(place), [.. words, "--kubeconfig", environment.LocalKubeconfigPath, .. silent ? (string[])["-o", "json"] : []], place, stopping);
    }

    private static async Task<VirtualMachineInstanceMigration?> LastMoveAsync(ClusterClient cluster, ResourceKey key, CancellationToken stopping)
    {
        var moves = await cluster.For<VirtualMachineInstanceMigration>().ListAsync(new ListOptions { Namespace = key.Namespace }, stopping);
        return moves.Items.Where(move => move.Spec.VmiName == key.Name).MaxBy(move => (move.Metadata.CreationTimestamp, move.Metadata.Name));
    }

    private async Task ReportAsync(bool json, VirtualMachineInstanceMigration? move, DemoGuest witness, (long Before, long? After) counter, CancellationToken stopping)
    {
        if (json)
        {
            await environment.Output.WriteLineAsync(JsonSerializer.Serialize(DemoResult.Of(VmName, move, witness), DemoJson.Default.DemoResult).AsMemory(), stopping);
            return;
        }

        await environment.Output.WriteLineAsync();
        await environment.Output.WriteLineAsync(counter.After is { } after
            ? $"the guest went on counting: {counter.Before} before the move, {after} after it"
            : "the guest does not answer after the move");
        await environment.Output.WriteLineAsync(witness.MemoryIntact ? "the guest checked all its memory: every page is what it should be" : "the guest's memory is NOT what it should be");
    }

    private void Say(string line) => environment.Error.WriteLine($"demo: {line}");
}
