using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli.Commands;

internal static class VersionCommand
{
    public static Command Build(CommandContext context)
    {
        var clientOnly = new Option<bool>("--client") { Description = "Only this program's version; ask no server" };
        var command = new Command("version", "Print the versions of this program and of the server") { clientOnly };
        command.SetAction(async (parsed, stopping) =>
        {
            var versions = new JsonObject { ["client"] = context.Environment.Version };
            if (!parsed.GetValue(clientOnly))
            {
                using var session = context.Open(parsed);
                versions["server"] = await ServerVersionAsync(session.Client, stopping);
            }

            var format = parsed.GetValue(context.Shared.Output);
            if (format is OutputFormat.Json or OutputFormat.Yaml)
            {
                new Printer(context.Environment, format.Value).Document(versions);
                return ExitCodes.Done;
            }

            await context.Environment.Output.WriteLineAsync($"godwit {context.Environment.Version}");
            if (versions["server"] is JsonObject server)
            {
                await context.Environment.Output.WriteLineAsync($"server {server["gitVersion"]}");
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<JsonNode> ServerVersionAsync(ClusterClient client, CancellationToken stopping)
    {
        var body = await client.SendForBytesAsync(new ClusterRequest(HttpMethod.Get, "/version"), stopping);
        try
        {
            return JsonNode.Parse(body) as JsonObject ?? throw new JsonException("no object");
        }
        catch (JsonException error)
        {
            throw new CliException("The server's answer to /version is not that of a Kubernetes API: is this the right address?", ExitCodes.Unreachable, error);
        }
    }
}
