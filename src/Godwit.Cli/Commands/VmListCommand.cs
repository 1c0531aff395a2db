using System.CommandLine;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli.Commands;

/// <summary>A virtual machine with its incarnation, if it has one.</summary>
internal sealed record VmRow(VirtualMachine Vm, VirtualMachineInstance? Guest)
{
    public string Status => Vm.Status.PrintableStatus ?? Guest?.Status.Phase ?? "Unknown";

    public string Node => Guest?.Status.NodeName ?? Human.Unknown;

    public string Address => Guest?.Status.Interfaces.Select(port => port.IpAddress).FirstOrDefault(address => !string.IsNullOrEmpty(address)) ?? Human.Unknown;

    public DomainSpec Domain => Guest?.Spec.Domain ?? Vm.Spec.Template.Spec.Domain;

    public string Cpus => Human.Number((long)(Domain.Cpu?.Cores ?? 1) * (Domain.Cpu?.Sockets ?? 1) * (Domain.Cpu?.Threads ?? 1));

    public string Memory =>
        Domain.Memory?.Guest is { } guest ? guest.ToString()
        : Domain.Resources?.Requests.TryGetValue(Quantities.Memory, out var requested) == true ? requested.ToString()
        : Human.Unknown;
}

internal static class VmListCommand
{
    public static Command Build(CommandContext context)
    {
        var all = new Option<bool>("--all-namespaces", "-A") { Description = "Machines of all namespaces" };
        var selector = new Option<string?>("--selector", "-l") { Description = "Only machines with these labels, for example app=web", HelpName = "LABELS" };
        var command = new Command("list", "List virtual machines") { Aliases = { "ls" } };
        command.Add(all);
        command.Add(selector);
        context.Act(command, async (session, parsed, stopping) =>
        {
            var everywhere = parsed.GetValue(all);
            var options = new ListOptions { Namespace = everywhere ? null : session.Namespace, LabelSelector = parsed.GetValue(selector) };
            var machines = await session.Client.For<VirtualMachine>().ListAsync(options, stopping);
            if (machines.Items.Count == 0)
            {
                await context.Environment.Error.WriteLineAsync(everywhere ? "No virtual machines." : $"No virtual machines in namespace {session.Namespace}. Make one: godwit vm create tiny");
            }

            var guests = await session.Client.For<VirtualMachineInstance>().ListAsync(options with { LabelSelector = null }, stopping);
            var byKey = guests.Items.ToDictionary(ResourceKey.Of);
            var rows = machines.Items.Select(vm => new VmRow(vm, byKey.GetValueOrDefault(ResourceKey.Of(vm)))).ToList();
            session.Printer.List(machines, rows, Columns(everywhere, context.Environment.Clock.GetUtcNow()));
            return ExitCodes.Done;
        });
        return command;
    }

    private static List<Column<VmRow>> Columns(bool everywhere, DateTimeOffset now)
    {
        List<Column<VmRow>> columns =
        [
            new("NAME", row => row.Vm.Metadata.Name),
            new("STATUS", row => row.Status),
            new("NODE", row => row.Node),
            new("ADDRESS", row => row.Address),
            new("CPUS", row => row.Cpus),
            new("MEMORY", row => row.Memory),
            new("AGE", row => Human.Age(row.Vm.Metadata.CreationTimestamp, now)),
            new("CPU USED", row => row.Guest?.Status.Usage?.CpuMillicores is { } milli ? $"{Human.Number(milli)}m" : Human.Unknown, Wide: true),
            new("MEMORY USED", row => Human.Bytes(row.Guest?.Status.Usage?.MemoryBytes), Wide: true),
            new("MACHINE", row => row.Guest?.Status.Machine?.Type ?? Human.Unknown, Wide: true),
        ];
        if (everywhere)
        {
            columns.Insert(0, new("NAMESPACE", row => row.Vm.Metadata.Namespace));
        }

        return columns;
    }
}
