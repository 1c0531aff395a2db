using System.CommandLine;

namespace Godwit.Cli.Commands;

/// <summary><c>godwit vm</c>: virtual machines from creation to deletion.</summary>
internal static class VmCommand
{
    public static Command Build(CommandContext context)
    {
        var command = new Command("vm", "Create, look at, start, stop and delete virtual machines");
        command.Add(VmCreateCommand.Build(context));
        command.Add(VmListCommand.Build(context));
        command.Add(VmShowCommand.Build(context));
        foreach (var verb in VmVerbs.Build(context))
        {
            command.Add(verb);
        }

        command.Add(VmDeleteCommand.Build(context));
        command.Add(VmConsoleCommand.Build(context));
        command.Add(VmLogCommand.Build(context));
        Help.Add(
            command,
            [
                ("godwit vm create tiny", "make and start the ready-made guest 'tiny'"),
                ("godwit vm list -o wide", "all machines, with their nodes and what they use"),
                ("godwit vm show tiny", "one machine in full"),
                ("godwit vm stop tiny --wait", "shut it down and wait until it is"),
            ]);
        return command;
    }
}
