using System.CommandLine;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Cli.Commands;

internal static class VmDeleteCommand
{
    public static Command Build(CommandContext context)
    {
        var names = new Argument<string[]>("VM") { Description = "Names of the virtual machines", Arity = ArgumentArity.OneOrMore };
        var command = new Command("delete", "Delete virtual machines, with what they keep on their nodes") { Aliases = { "rm" } };
        command.Add(names);
        var wait = new WaitOptions("Wait until they are gone");
        wait.AddTo(command);
        context.Act(command, async (session, parsed, stopping) =>
        {
            var machines = new List<VirtualMachine>();
            foreach (var name in parsed.GetRequiredValue(names))
            {
                // Looked for first: a mistyped name is to be told as such, before anything of the rest is deleted.
                machines.Add(await session.RequireAsync<VirtualMachine>(name, stopping));
            }

            foreach (var machine in machines)
            {
                var name = machine.Metadata.Name;
                await session.Client.For<VirtualMachine>().TryDeleteAsync(session.Key(name), new DeleteOptions(), stopping);
                if (wait.IsAsked(parsed))
                {
                    await VmWaits.UntilGoneAsync<VirtualMachine>(session, name, wait.Bound(parsed), stopping);
                    await VmWaits.UntilGoneAsync<VirtualMachineInstance>(session, name, wait.Bound(parsed), stopping);
                }

                session.Printer.Object(machine, output => output.WriteLine($"{name} deleted"));
            }

            return ExitCodes.Done;
        });
        return command;
    }
}
