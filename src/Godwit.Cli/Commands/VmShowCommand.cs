using System.CommandLine;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Cli.Moves;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli.Commands;

internal static class VmShowCommand
{
    private const int EventsShown = 10;

    public static Command Build(CommandContext context)
    {
        var name = context.VmArgument();
        var command = new Command("show", "Show one virtual machine in full: state, network, last move, events");
        command.Add(name);
        context.Act(command, async (session, parsed, stopping) =>
        {
            var vm = await session.RequireAsync<VirtualMachine>(parsed.GetRequiredValue(name), stopping);
            if (session.Format is not (OutputFormat.Table or OutputFormat.Wide))
            {
                session.Printer.Object(vm, _ => { });
                return ExitCodes.Done;
            }

            var guest = await session.Client.For<VirtualMachineInstance>().FindAsync(ResourceKey.Of(vm), stopping);
            var events = await session.Client.For<Event>().ListAsync(
                new ListOptions { Namespace = session.Namespace, FieldSelector = $"involvedObject.name={vm.Metadata.Name}" }, stopping);
            Describe(session.Output, new VmRow(vm, guest), context.Environment.Clock.GetUtcNow());
            DescribeEvents(session, events.Items);
            return ExitCodes.Done;
        });
        return command;
    }

    private static void Describe(TextWriter output, VmRow row, DateTimeOffset now)
    {
        var facts = new List<(string Name, string? Value)>
        {
            ("Name", row.Vm.Metadata.Name),
            ("Namespace", row.Vm.Metadata.Namespace),
            ("Status", row.Status),
            ("Run strategy", row.Vm.Spec.RunStrategy ?? (row.Vm.Spec.Running == true ? RunStrategies.Always : RunStrategies.Halted)),
            ("Age", Human.Age(row.Vm.Metadata.CreationTimestamp, now)),
            ("CPUs", row.Cpus),
            ("Memory", row.Memory),
            ("Image", ImageOf(row.Domain, row.Vm.Spec.Template.Spec)),
        };
        if (row.Guest is { } guest)
        {
            facts.AddRange(
            [
                ("Node", guest.Status.NodeName),
                ("Address", row.Address),
                ("MAC", guest.Status.Interfaces.Select(port => port.Mac).FirstOrDefault()),
                ("Machine", guest.Status.Machine?.Type),
                ("CPU used", guest.Status.Usage?.CpuMillicores is { } milli ? $"{Human.Number(milli)}m" : null),
                ("Memory used", guest.Status.Usage?.MemoryBytes is { } bytes ? Human.Bytes(bytes) : null),
                ("Last move", guest.Status.MigrationState is { } move ? MoveText.InWords(move) : null),
            ]);
        }

        foreach (var (name, value) in facts.Where(fact => !string.IsNullOrEmpty(fact.Value)))
        {
            output.WriteLine($"{name + ":",-14} {value}");
        }

        DescribeTroubles(output, [.. row.Vm.Status.Conditions, .. row.Guest?.Status.Conditions ?? []]);
    }

    /// <summary>Conditions that say that something is not as it should be.</summary>
    private static void DescribeTroubles(TextWriter output, IEnumerable<Condition> conditions)
    {
        foreach (var trouble in conditions.Where(condition => condition.Status == ConditionStatuses.False && !string.IsNullOrEmpty(condition.Message)).DistinctBy(condition => condition.Message))
        {
            output.WriteLine($"{trouble.Type + ":",-14} no, {trouble.Message}");
        }
    }

    private static void DescribeEvents(Session session, IEnumerable<Event> events)
    {
        var latest = events.OrderBy(TimeOf).TakeLast(EventsShown).ToList();
        if (latest.Count == 0)
        {
            return;
        }

        session.Output.WriteLine();
        var now = session.Environment.Clock.GetUtcNow();
        session.Printer.Table(
            latest,
            [
                new("EVENT", happened => happened.Reason ?? ""),
                new("AGE", happened => Human.Age(TimeOf(happened), now)),
                new("MESSAGE", happened => happened.Message ?? ""),
            ]);
    }

    private static DateTimeOffset? TimeOf(Event happened) =>
        happened.LastTimestamp ?? happened.EventTime ?? happened.FirstTimestamp ?? happened.Metadata.CreationTimestamp;

    private static string? ImageOf(DomainSpec domain, VirtualMachineInstanceSpec spec) =>
        spec.Volumes.Select(volume => volume.ContainerDisk?.Image ?? volume.HostDisk?.Path).FirstOrDefault(image => image is not null)
        ?? domain.Firmware?.KernelBoot?.Container?.Image;
}
