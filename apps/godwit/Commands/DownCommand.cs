using System.CommandLine;
using System.Text.Json;
using Godwit.App.Clusters;
using Godwit.Cli;

namespace Godwit.App.Commands;

/// <summary><c>godwit down</c>: ends what <c>up</c> started and leaves nothing running behind.</summary>
internal static class DownCommand
{
    public static Command Create(CliEnvironment environment)
    {
        var shared = new HostOptions();
        var purge = new Option<bool>("--purge") { Description = "Also delete the state of a cluster on this host (a lab's is always deleted)" };
        var command = new Command("down", "Take down what 'godwit up' started: guests, agents, server, networks, cgroups")
        { purge, shared.Data };
        Help.Add(
            command,
            [
                ("godwit down", "ends everything; a cluster on this host keeps its VMs' definitions and disks for the next 'godwit up'"),
                ("godwit down --purge", "deletes these too"),
            ],
            "Guests end as if their power were cut. To shut them down first: godwit vm stop NAME.");
        command.SetAction(async (parsed, stopping) =>
        {
            var json = GodwitCli.AsksForJson(parsed);
            HostOptions.RequireRoot("godwit down");
            var places = ClusterRecord.PlacesInUse(shared.PlacesFrom(parsed));
            var found = await new ClusterRemover(places, line => environment.Error.WriteLine($"down: {line}")).RemoveAsync(parsed.GetValue(purge), stopping);
            await environment.Error.WriteLineAsync(found ? "down: done" : "down: nothing was up");
            if (json)
            {
                await environment.Output.WriteLineAsync(JsonSerializer.Serialize(new DownResult(places.Instance, found), AppJson.Default.DownResult).AsMemory(), stopping);
            }

            return ExitCodes.Done;
        });
        return command;
    }
}

/// <summary>What <c>down</c> did, for programs.</summary>
/// <param name="Found">Whether there was anything to take down.</param>
internal sealed record DownResult(string Instance, bool Found);
