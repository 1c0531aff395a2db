using System.CommandLine;
using System.Globalization;
using Godwit.Api.KubeVirt.V1;
using Godwit.Client;

namespace Godwit.Cli.Commands;

internal static class VmLogCommand
{
    public static Command Build(CommandContext context)
    {
        var name = context.VmArgument();
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with what the guest writes from now" };
        var tail = new Option<int?>("--tail") { Description = "Only the last N lines", HelpName = "N" };
        var command = new Command("log", "Print what the guest wrote to its serial console") { name, follow, tail };
        Help.LeaveOut(command, "--output");
        command.Aliases.Add("logs");
        context.Act(command, async (session, parsed, stopping) =>
        {
            var vm = parsed.GetRequiredValue(name);
            var query = parsed.GetValue(tail) is { } lines ? string.Create(CultureInfo.InvariantCulture, $"&tailLines={lines}") : "";
            var path = $"{SubresourcePath.Of<VirtualMachineInstance>(session.Key(vm), "log")}?follow={(parsed.GetValue(follow) ? "true" : "false")}{query}";
            try
            {
                await using var log = await session.Client.OpenStreamAsync(path, stopping);
                await using var output = context.Environment.OpenRawOutput();
                await log.CopyToAsync(output, stopping);
            }
            catch (ApiException error) when (error.IsNotFound)
            {
                await session.RequireAsync<VirtualMachine>(vm, stopping);
                throw new CliException($"{vm} is not running: its log goes with it", ExitCodes.NotFound, error);
            }

            return ExitCodes.Done;
        });
        return command;
    }
}
