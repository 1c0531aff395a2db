using System.CommandLine;
using System.Net.WebSockets;
using Godwit.Api.KubeVirt.V1;
using Godwit.Cli.Consoles;
using Godwit.Client;

namespace Godwit.Cli.Commands;

internal static class VmConsoleCommand
{
    private const string Subprotocol = "plain.kubevirt.io";

    public static Command Build(CommandContext context)
    {
        var name = context.VmArgument();
        var linger = Arguments.DurationOption("--linger", "In a pipe: once the input has ended, leave after the guest has been silent for so long (default: 2s)");
        var command = new Command("console", "Connect to the guest's serial console; leave with Ctrl-]") { name, linger };
        Help.LeaveOut(command, "--output");
        Help.Add(
            command,
            [
                ("godwit vm console tiny", "type, look, leave with Ctrl-]"),
                ("echo uptime | godwit vm console debian", "send a line, print what comes back"),
            ]);
        context.Act(command, async (session, parsed, stopping) =>
        {
            var vm = parsed.GetRequiredValue(name);
            using var socket = await OpenAsync(session, vm, stopping);
            using var terminal = context.Environment.InputIsTerminal ? RawTerminal.Enter() : null;
            if (terminal is not null)
            {
                await context.Environment.Error.WriteAsync($"Connected to {vm}. Leave with Ctrl-].\r\n");
            }

            await using var input = context.Environment.OpenInput();
            await using var output = context.Environment.OpenRawOutput();
            var relay = new ConsoleRelay(socket, input, output, context.Environment.Clock)
            {
                EscapeByte = terminal is null ? null : ConsoleRelay.ControlRightBracket,
                Linger = terminal is null ? parsed.GetValue(linger) ?? TimeSpan.FromSeconds(2) : null,
            };
            var ended = await relay.RunAsync(stopping);
            if (ended == ConsoleEnd.Closed && terminal is not null)
            {
                await context.Environment.Error.WriteAsync("\r\nThe guest's console was closed: it has stopped.\r\n");
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<WebSocket> OpenAsync(Session session, string vm, CancellationToken stopping)
    {
        try
        {
            return await session.Client.OpenWebSocketAsync(SubresourcePath.Of<VirtualMachineInstance>(session.Key(vm), "console"), Subprotocol, stopping);
        }
        catch (ClusterUnreachableException error)
        {
            await session.RequireAsync<VirtualMachine>(vm, stopping);
            var guest = await session.Client.For<VirtualMachineInstance>().FindAsync(session.Key(vm), stopping);
            throw guest is null ? new CliException($"{vm} is not running. Start it: godwit vm start {vm}", ExitCodes.Failed, error) : error;
        }
    }
}
