using System.Collections.Immutable;
using Godwit.Scheduling.Pods;
using Godwit.Scheduling.Volumes;

namespace Godwit.Scheduling;

/// <summary>Room on a node that is spoken for: by a guest or a pod where it is, or where it is about to be.</summary>
public sealed record Reservation(string NodeName, string Guest, ResourceAmount Amount)
{
    /// <summary>What it is to pods that are placed beside it; null for the second place of a guest that moves.</summary>
    public PodNeeds? Occupant { get; init; }

    public static Reservation Of(PodNeeds pod, string nodeName) => new(nodeName, pod.Name, pod.Amount) { Occupant = pod };
}

/// <summary>
/// The cluster at one moment, as far as placing guests and pods is concerned: they share nodes, so they share this. A value;
/// a decision gives the next one (<see cref="With"/>). The order of what it is made from has no meaning.
/// </summary>
public sealed class ClusterSnapshot
{
    private static readonly IReadOnlyDictionary<string, string> NoLabels = ImmutableDictionary<string, string>.Empty;

    private readonly Dictionary<string, int> indexOf;
    private readonly IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> namespaces;
    private readonly NodeLoad[] loads;

    public ClusterSnapshot(
        IEnumerable<NodeFacts> nodes,
        IEnumerable<Reservation> reservations,
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>? namespaces = null)
    {
        Nodes = InOrder([.. nodes]);
        indexOf = Nodes.Select((node, index) => (node.Name, index)).ToDictionary(each => each.Name, each => each.index, StringComparer.Ordinal);
        this.namespaces = namespaces ?? ImmutableDictionary<string, IReadOnlyDictionary<string, string>>.Empty;
        loads = new NodeLoad[Nodes.Count];
        Array.Fill(loads, NodeLoad.Empty);
        var onNodes = new List<Reservation>?[Nodes.Count];
        foreach (var reservation in reservations)
        {
            if (indexOf.TryGetValue(reservation.NodeName, out var index)) // A node that has no object any more has no room either.
            {
                (onNodes[index] ??= []).Add(reservation);
            }
        }

        for (var i = 0; i < onNodes.Length; i++)
        {
            if (onNodes[i] is { } onNode)
            {
                loads[i] = NodeLoad.Empty.With(onNode);
            }
        }
    }

    private ClusterSnapshot(ClusterSnapshot before, int changed, NodeLoad load, PromisedVolumes promised)
    {
        (Nodes, indexOf, namespaces, Promised) = (before.Nodes, before.indexOf, before.namespaces, promised);
        loads = [.. before.loads];
        loads[changed] = load;
    }

    /// <summary>By name.</summary>
    public IReadOnlyList<NodeFacts> Nodes { get; }

    /// <summary>Volumes that pods which were placed on this count on.</summary>
    public PromisedVolumes Promised { get; } = PromisedVolumes.None;

    public NodeFacts? Find(string nodeName) => indexOf.TryGetValue(nodeName, out var index) ? Nodes[index] : null;

    /// <summary>The place of <see cref="Nodes"/> at which the node is.</summary>
    /// <exception cref="KeyNotFoundException">It is not here.</exception>
    public int IndexOf(string nodeName) => indexOf[nodeName];

    /// <summary>What is on the node at this place of <see cref="Nodes"/>.</summary>
    public NodeLoad LoadAt(int index) => loads[index];

    public ResourceAmount ReservedOn(string nodeName) => indexOf.TryGetValue(nodeName, out var index) ? loads[index].Reserved : default;

    /// <summary>What a new guest may still use; negative when the node is over-committed already.</summary>
    public ResourceAmount FreeOn(NodeFacts node) => node.Allocatable - ReservedOn(node.Name);

    public IReadOnlyDictionary<string, string> LabelsOfNamespace(string name) => namespaces.GetValueOrDefault(name) ?? NoLabels;

    /// <summary>The cluster after one more has its place; unchanged when the node is not here.</summary>
    public ClusterSnapshot With(Reservation reservation) =>
        indexOf.TryGetValue(reservation.NodeName, out var index)
            ? new ClusterSnapshot(this, index, loads[index].With(reservation), Promised.With(reservation.Occupant?.Volumes, Nodes[index]))
            : this;

    /// <summary>The cluster after some of the pods at this place of <see cref="Nodes"/> have gone. What they were promised stays promised: who wants it waits for the next round.</summary>
    public ClusterSnapshot Without(int index, IReadOnlyCollection<PodNeeds> pods) => pods.Count == 0 ? this : new ClusterSnapshot(this, index, loads[index].Without(pods), Promised);

    /// <summary>
    /// From API objects. A guest that has not ended holds its room on the node that has it (<see cref="GuestPlace"/>); a move that has not ended holds the same
    /// room on its target as well, from the moment that the target is written down. A pod holds its room until it has ended.
    /// </summary>
    public static ClusterSnapshot Of(
        IEnumerable<Node> nodes,
        IEnumerable<VirtualMachineInstance> vmis,
        IEnumerable<VirtualMachineInstanceMigration> migrations,
        IEnumerable<Pod>? pods = null,
        IEnumerable<Namespace>? namespaces = null)
    {
        var living = vmis
            .Where(vmi => !VirtualMachineInstancePhases.IsFinal(vmi.Status.Phase))
            .ToDictionary(vmi => (vmi.Metadata.Namespace, vmi.Metadata.Name));
        var moves = migrations as IReadOnlyCollection<VirtualMachineInstanceMigration> ?? [.. migrations];
        var reservations = new List<Reservation>();
        foreach (var vmi in living.Values.Where(vmi => !string.IsNullOrEmpty(vmi.Status.NodeName)))
        {
            var needs = GuestNeeds.Of(vmi);
            reservations.Add(new Reservation(GuestPlace.NodeOf(vmi, moves)!, needs.Guest, needs.Amount) { Occupant = PodNeeds.Of(vmi, needs.Amount) });
        }

        foreach (var migration in moves.Where(migration => !MigrationPhases.IsFinal(migration.Status.Phase)))
        {
            if (migration.Status.MigrationState?.TargetNode is { Length: > 0 } target
                && living.TryGetValue((migration.Metadata.Namespace, migration.Spec.VmiName), out var vmi)
                && vmi.Status.NodeName != target)
            {
                var needs = GuestNeeds.Of(vmi);
                reservations.Add(new Reservation(target, needs.Guest, needs.Amount));
            }
        }

        reservations.AddRange((pods ?? []).Where(HoldsRoom).Select(pod => Reservation.Of(PodNeeds.Of(pod), pod.Spec.NodeName!)));
        var labels = (namespaces ?? []).ToDictionary(each => each.Metadata.Name, each => each.Metadata.Labels, StringComparer.Ordinal);
        return new ClusterSnapshot(nodes.Select(NodeFacts.Of), reservations, labels);
    }

    /// <summary>By name. Objects come in the order of their names already, and a look costs less than a sort of thousands.</summary>
    private static List<NodeFacts> InOrder(List<NodeFacts> nodes)
    {
        for (var i = 1; i < nodes.Count; i++)
        {
            if (string.CompareOrdinal(nodes[i - 1].Name, nodes[i].Name) > 0)
            {
                nodes.Sort((one, other) => string.CompareOrdinal(one.Name, other.Name));
                break;
            }
        }

        return nodes;
    }

    private static bool HoldsRoom(Pod pod) => !string.IsNullOrEmpty(pod.Spec.NodeName) && pod.Status.Phase is not ("Succeeded" or "Failed");
}
