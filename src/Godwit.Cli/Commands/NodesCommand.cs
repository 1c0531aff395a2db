using System.CommandLine;
using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Api.Meta.V1;
using Godwit.Cli.Output;
using Godwit.Client;

namespace Godwit.Cli.Commands;

internal static class NodesCommand
{
    public static Command Build(CommandContext context)
    {
        var command = new Command("nodes", "List the nodes: their state, what they have and how many guests they run");
        context.Act(command, async (session, _, stopping) =>
        {
            var nodes = await session.Client.For<Node>().ListAsync(ListOptions.All, stopping);
            var guests = await session.Client.For<VirtualMachineInstance>().ListAsync(ListOptions.All, stopping);
            var guestsByNode = guests.Items
                .Where(guest => !VirtualMachineInstancePhases.IsFinal(guest.Status.Phase))
                .CountBy(guest => guest.Status.NodeName ?? "")
                .ToDictionary(StringComparer.Ordinal);
            session.Printer.List(nodes, nodes.Items, Columns(guestsByNode, context.Environment.Clock.GetUtcNow()));
            return ExitCodes.Done;
        });
        return command;
    }

    private static List<Column<Node>> Columns(Dictionary<string, int> guestsByNode, DateTimeOffset now) =>
    [
        new("NAME", node => node.Metadata.Name),
        new("STATUS", Status),
        new("GUESTS", node => Human.Number(guestsByNode.GetValueOrDefault(node.Metadata.Name))),
        new("CPUS", node => Amount(node, Quantities.Cpu)),
        new("MEMORY", node => node.Status.Allocatable.TryGetValue(Quantities.Memory, out var memory) ? Human.Bytes(memory.ToInt64()) : Human.Unknown),
        new("RUNS WITH", node => Annotation(node, AnnotationNames.Accelerator)),
        new("AGE", node => Human.Age(node.Metadata.CreationTimestamp, now)),
        new("ADDRESS", node => node.Status.Addresses.FirstOrDefault(address => address.Type == NodeAddressTypes.InternalIP)?.Address ?? Human.Unknown, Wide: true),
        new("QEMU", node => Annotation(node, AnnotationNames.QemuVersion), Wide: true),
        new("KERNEL", node => node.Status.NodeInfo?.KernelVersion ?? Human.Unknown, Wide: true),
        new("WHY", node => Annotation(node, AnnotationNames.AcceleratorReason), Wide: true),
    ];

    private static string Status(Node node)
    {
        var ready = node.Status.Conditions.FirstOrDefault(condition => condition.Type == NodeConditionTypes.Ready)?.Status switch
        {
            ConditionStatuses.True => "Ready",
            ConditionStatuses.False => "NotReady",
            _ => "Unknown",
        };
        return node.Spec.Unschedulable == true ? $"{ready},SchedulingDisabled" : ready;
    }

    private static string Amount(Node node, string resource) =>
        node.Status.Allocatable.TryGetValue(resource, out var amount) ? amount.ToString() : Human.Unknown;

    private static string Annotation(Node node, string name) => node.Metadata.Annotations.GetValueOrDefault(name) ?? Human.Unknown;
}
