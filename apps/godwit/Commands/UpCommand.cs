using System.CommandLine;
using System.Net;
using System.Text.Json;
using Godwit.App.Clusters;
using Godwit.App.Roles;
using Godwit.Networks.Labs;
using Godwit.Cli;

namespace Godwit.App.Commands;

/// <summary><c>godwit up</c>: a whole cluster on this host, in one process, or as a lab of several nodes.</summary>
internal static class UpCommand
{
    public static Command Create(CliEnvironment environment, string version)
    {
        var shared = new HostOptions();
        var lab = new Option<int>("--lab") { Description = $"Make this many nodes (1 to {LabNetwork.NodesMax}), each in a network namespace of its own with its own agent", HelpName = "N" };
        var rate = new Option<string>("--link-rate") { Description = "What each lab node's link carries: none, or for example 1gbit, 100mbit. May be changed by running 'up' again", HelpName = "RATE", DefaultValueFactory = _ => "none" };
        var nodeName = new Option<string?>("--node-name") { Description = "This host's name in the cluster (default its host name)", HelpName = "NAME" };
        var foreground = new Option<bool>("--foreground") { Description = "Stay in the foreground: run control plane and agent in this process" };
        var port = new Option<int?>("--port") { Description = $"Port of the API (default {ServerCommand.PortDefault}, or a free one where that is taken or for another instance)", HelpName = "PORT" };
        var command = new Command("up", "Start a cluster on this host, or a lab of several nodes, and return when it is ready")
        { lab, rate, shared.Data, shared.Images, nodeName, foreground, port, shared.LogFormat, shared.LogLevel };
        Help.Add(
            command,
            [
                ("godwit up", "control plane and agent on this host"),
                ("godwit up --lab 2 --link-rate 1gbit", "two nodes on one machine, to try moves"),
            ],
            "Run again, it starts what died and leaves guests alone. 'godwit down' takes it down. A lab's guests reach each other and this machine, and nothing beyond; on one host they reach what the host reaches.");
        command.SetAction(async (parsed, stopping) =>
        {
            var json = GodwitCli.AsksForJson(parsed);
            HostOptions.RequireRoot("godwit up");
            var places = PlacesOf(shared, parsed);
            var name = parsed.GetValue(nodeName) ?? Dns.GetHostName().ToLowerInvariant();
            if (parsed.GetValue(foreground))
            {
                using var loggers = shared.LoggersFrom(parsed);
                await OneHostRole.RunAsync(places, CheckPort(parsed.GetValue(port)) ?? ServerCommand.PortDefault, name, version, loggers, stopping);
                return 0;
            }

            var starter = new ClusterStarter(places, CheckPort(parsed.GetValue(port)), line => environment.Error.WriteLine($"up: {line}"));
            var nodes = parsed.GetValue(lab);
            var record = parsed.GetResult(lab) is null or { Implicit: true }
                ? await starter.StartOneHostAsync(name, stopping)
                : await starter.StartLabAsync(CheckNodes(nodes), CheckRate(parsed.GetValue(rate)!), stopping);
            Report(environment, places, record, json);
            return ExitCodes.Done;
        });
        return command;
    }

    // Run again, it mends what is up, where it is. Folders named otherwise would be another cluster's.
    private static Places PlacesOf(HostOptions shared, ParseResult parsed)
    {
        var asked = shared.PlacesFrom(parsed);
        var used = ClusterRecord.PlacesInUse(asked);
        foreach (var (option, wish, fact) in new[] { (shared.Data, asked.DataFolder, used.DataFolder), (shared.Images, asked.ImagesFolder, used.ImagesFolder) })
        {
            if (parsed.GetValue(option) is not null && wish != fact)
            {
                throw new ClusterException($"It is up already with {option.Name} {fact}, which cannot be changed to {wish} meanwhile: take it down first ('godwit down'), or start another beside it with --instance NAME");
            }
        }

        return used;
    }

    private static int? CheckPort(int? port) =>
        port is null or (> 0 and <= ushort.MaxValue) ? port : throw new CliException($"--port takes 1 to {ushort.MaxValue}, not {port}.", ExitCodes.Usage);

    private static int CheckNodes(int nodes) =>
        nodes is >= 1 and <= LabNetwork.NodesMax ? nodes : throw new CliException($"--lab takes 1 to {LabNetwork.NodesMax} nodes, not {nodes}.", ExitCodes.Usage);

    private static LinkRate CheckRate(string text) =>
        LinkRate.TryParse(text, out var rate) ? rate : throw new CliException($"--link-rate takes none, or a number with kbit, mbit or gbit (64kbit to 100gbit), not '{text}'.", ExitCodes.Usage);

    private static void Report(CliEnvironment environment, Places places, ClusterRecord record, bool json)
    {
        var what = record.LabNodes == 0 ? "one host" : $"a lab of {record.LabNodes} nodes, links at {record.LinkRate}";
        var server = $"https://127.0.0.1:{record.Port}";
        environment.Error.WriteLine($"up: ready: {what}, API at {server}, logs in {places.LogsFolder}");
        var instance = places.Instance == Places.DefaultInstance ? "" : $" --instance {places.Instance}";
        environment.Error.WriteLine($"up: next: godwit vm create tiny{instance}; or for kubectl: godwit kubeconfig{instance} > admin.kubeconfig");
        if (record.LabNodes == 0)
        {
            environment.Error.WriteLine($"up: containers: docker --host unix://{places.DockerSocketPath} run …");
        }

        if (json)
        {
            var result = new UpResult(places.Instance, server, places.KubeconfigPath, record.LabNodes, record.LinkRate, places.LogsFolder);
            environment.Output.WriteLine(JsonSerializer.Serialize(result, AppJson.Default.UpResult));
        }
    }
}

/// <summary>What is up, for programs.</summary>
/// <param name="Server">Where the API answers.</param>
/// <param name="Kubeconfig">The administrator's; a secret file.</param>
/// <param name="LabNodes">0 on one host.</param>
/// <param name="LogsFolder">One file a process.</param>
internal sealed record UpResult(string Instance, string Server, string Kubeconfig, int LabNodes, string LinkRate, string LogsFolder);
