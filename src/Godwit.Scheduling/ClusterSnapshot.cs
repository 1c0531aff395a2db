namespace Godwit.Scheduling;

/// <summary>Room on a node that is spoken for: by a guest where it is, or where it is about to be.</summary>
public sealed record Reservation(string NodeName, string Guest, ResourceAmount Amount);

/// <summary>The cluster at one moment, as far as placing guests is concerned. The order of its lists has no meaning.</summary>
public sealed class ClusterSnapshot
{
    private readonly Dictionary<string, ResourceAmount> reservedByNode = new(StringComparer.Ordinal);

    public ClusterSnapshot(IEnumerable<NodeFacts> nodes, IEnumerable<Reservation> reservations)
    {
        Nodes = [.. nodes.OrderBy(node => node.Name, StringComparer.Ordinal)];
        foreach (var reservation in reservations)
        {
            reservedByNode[reservation.NodeName] = ReservedOn(reservation.NodeName) + reservation.Amount;
        }
    }

    /// <summary>By name.</summary>
    public IReadOnlyList<NodeFacts> Nodes { get; }

    public NodeFacts? Find(string nodeName) => Nodes.FirstOrDefault(node => node.Name == nodeName);

    public ResourceAmount ReservedOn(string nodeName) => reservedByNode.GetValueOrDefault(nodeName);

    /// <summary>What a new guest may still use; negative when the node is over-committed already.</summary>
    public ResourceAmount FreeOn(NodeFacts node) => node.Allocatable - ReservedOn(node.Name);

    /// <summary>
    /// From API objects. A guest that has not ended holds its room on its node; a move that has not ended holds the same
    /// room on its target as well, from the moment that the target is written down.
    /// </summary>
    public static ClusterSnapshot Of(
        IEnumerable<Node> nodes, IEnumerable<VirtualMachineInstance> vmis, IEnumerable<VirtualMachineInstanceMigration> migrations)
    {
        var living = vmis
            .Where(vmi => !VirtualMachineInstancePhases.IsFinal(vmi.Status.Phase))
            .ToDictionary(vmi => (vmi.Metadata.Namespace, vmi.Metadata.Name));
        var reservations = new List<Reservation>();
        foreach (var vmi in living.Values.Where(vmi => !string.IsNullOrEmpty(vmi.Status.NodeName)))
        {
            var needs = GuestNeeds.Of(vmi);
            reservations.Add(new Reservation(vmi.Status.NodeName!, needs.Guest, needs.Amount));
        }

        foreach (var migration in migrations.Where(migration => !MigrationPhases.IsFinal(migration.Status.Phase)))
        {
            if (migration.Status.MigrationState?.TargetNode is { Length: > 0 } target
                && living.TryGetValue((migration.Metadata.Namespace, migration.Spec.VmiName), out var vmi)
                && vmi.Status.NodeName != target)
            {
                var needs = GuestNeeds.Of(vmi);
                reservations.Add(new Reservation(target, needs.Guest, needs.Amount));
            }
        }

        return new ClusterSnapshot(nodes.Select(NodeFacts.Of), reservations);
    }
}
