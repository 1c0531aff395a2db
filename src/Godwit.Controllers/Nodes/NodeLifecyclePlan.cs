using Godwit.Api.Coordination.V1;

namespace Godwit.Controllers.Nodes;

/// <summary>What is to be written about one node and the guests on it.</summary>
/// <param name="Taints">The taints that the node is to have.</param>
/// <param name="Ready">The Ready condition that the node is to have; null leaves its agent's own word.</param>
internal sealed record NodeLifecyclePlan(IReadOnlyList<Taint> Taints, NodeCondition? Ready);

/// <summary>What may be said about a guest whose node cannot be asked.</summary>
internal abstract record GuestVerdict
{
    private GuestVerdict()
    {
    }

    /// <summary>Its agent's word stands.</summary>
    public sealed record Fine : GuestVerdict;

    /// <summary>Nobody knows whether it runs: say so, start it nowhere.</summary>
    public sealed record NotKnown(string Message) : GuestVerdict;

    /// <summary>It has ended for certain.</summary>
    public sealed record Lost(string Message) : GuestVerdict;

    /// <summary>It has ended, and the agent that its object waits for is no more.</summary>
    public sealed record Released : GuestVerdict;
}

/// <summary>
/// What silence of a node means. A silent node may be cut off and still run its guests; starting one of them elsewhere
/// would make two. So silence never ends a guest. Only an operator's word does, and the word is the deletion of the Node
/// object: "this host is off". It is believed when the node's heartbeat is silent too; a heartbeat that goes on disproves it.
/// <code>
///  heartbeat   Node object   the guests on it
///  fresh       there         their agent's word stands
///  silent      there         Ready=Unknown; a person must switch the host off and delete the Node
///  fresh       deleted       their agent's word stands (it will make its Node again)
///  silent      deleted       lost: phase Failed, unless a move's target may own them
/// </code>
/// A guest is on the node that its last move left it with, also before that node's agent has said so (<see cref="GuestPlace"/>): it is not lost with its old source, and is lost with its target.
/// </summary>
internal static class NodeLifecyclePlanner
{
    /// <summary>A heartbeat comes every ten seconds; four missed ones are silence.</summary>
    public static readonly TimeSpan SilentAfter = TimeSpan.FromSeconds(40);

    public const string StatusUnknown = "NodeStatusUnknown";

    private static readonly (string Condition, string Taint)[] Pressures = [(NodeConditionTypes.MemoryPressure, TaintKeys.MemoryPressure), (NodeConditionTypes.DiskPressure, TaintKeys.DiskPressure)];

    public static NodeLifecyclePlan ForNode(Node node, TimeSpan silence, DateTimeOffset now)
    {
        var ready = node.Status.Conditions.FirstOrDefault(condition => condition.Type == NodeConditionTypes.Ready);
        var isSilent = silence >= SilentAfter;
        var taints = Tainted(node.Spec.Taints, isSilent ? TaintKeys.Unreachable : ready?.Status == ConditionStatuses.False ? TaintKeys.NotReady : null, now);
        taints = isSilent ? taints : Pressed(taints, node.Status.Conditions, now); // What it said last is what is known of a silent one.
        if (!isSilent)
        {
            return new NodeLifecyclePlan(taints, null);
        }

        return new NodeLifecyclePlan(taints, new NodeCondition
        {
            Type = NodeConditionTypes.Ready,
            Status = ConditionStatuses.Unknown,
            Reason = StatusUnknown,
            Message = "its agent's heartbeat is silent; guests there may still run and are not started elsewhere",
            LastHeartbeatTime = ready?.LastHeartbeatTime,
            LastTransitionTime = ready?.Status == ConditionStatuses.Unknown ? ready.LastTransitionTime : now,
        });
    }

    /// <summary>Whether a node is said to be silent already.</summary>
    public static bool IsCalledSilent(Node node) => node.Status.Conditions.Any(condition => condition is { Type: NodeConditionTypes.Ready, Status: ConditionStatuses.Unknown });

    /// <summary>
    /// Nothing new is placed there, and pods go when their tolerations end (<see cref="PodEvictionPlanner"/>). The taints bear the time at which it began.
    /// </summary>
    private static IReadOnlyList<Taint> Tainted(IReadOnlyList<Taint> taints, string? key, DateTimeOffset now)
    {
        string[] effects = key is null ? [] : [TaintEffects.NoSchedule, TaintEffects.NoExecute];
        var others = taints.Where(taint => taint.Key is not (TaintKeys.Unreachable or TaintKeys.NotReady)).ToList();
        var known = taints.Where(taint => taint.Key == key && effects.Contains(taint.Effect)).ToList();
        return known.Count == effects.Length && others.Count + known.Count == taints.Count
            ? taints
            : [.. others, .. effects.Select(effect => known.Find(taint => taint.Effect == effect) ?? new Taint { Key = key!, Effect = effect, TimeAdded = now })];
    }

    /// <summary>A node that says that it is short of memory or disk gets nothing new that does not tolerate it; what runs there stays, or is evicted by its agent.</summary>
    private static IReadOnlyList<Taint> Pressed(IReadOnlyList<Taint> taints, IReadOnlyList<NodeCondition> conditions, DateTimeOffset now)
    {
        foreach (var (type, key) in Pressures)
        {
            var (isPressed, known) = (conditions.Any(condition => condition.Type == type && condition.Status == ConditionStatuses.True), taints.Any(taint => taint.Key == key));
            taints = isPressed == known ? taints
                : isPressed ? [.. taints, new Taint { Key = key, Effect = TaintEffects.NoSchedule, TimeAdded = now }]
                : [.. taints.Where(taint => taint.Key != key)];
        }

        return taints;
    }

    /// <param name="vmi">A guest that has a node.</param>
    /// <param name="nodeExists">Whether its Node object is there, asked of the server and not of a cache when it matters.</param>
    /// <param name="silence">How long the node's heartbeat has been silent; since we look, if it never came.</param>
    /// <param name="activeMove">A move of this guest that an agent may have begun; null when there is none.</param>
    /// <param name="movedTo">The node that has the guest if its object does not name it yet.</param>
    public static GuestVerdict ForGuest(VirtualMachineInstance vmi, bool nodeExists, TimeSpan silence, VirtualMachineInstanceMigration? activeMove, string? movedTo = null)
    {
        if (silence < SilentAfter)
        {
            return new GuestVerdict.Fine();
        }

        if (VirtualMachineInstancePhases.IsFinal(vmi.Status.Phase))
        {
            var isStuck = !nodeExists && activeMove is null && vmi.Metadata.Finalizers.Contains(FinalizerNames.Agent);
            return isStuck ? new GuestVerdict.Released() : new GuestVerdict.Fine();
        }

        var name = movedTo is null ? vmi.Status.NodeName : $"{movedTo}, to which the guest was moved,";
        if (nodeExists)
        {
            return new GuestVerdict.NotKnown(
                $"node {name} is silent: whether the guest runs is not known, and it is started nowhere else. "
                + $"If the host is off for certain, 'kubectl delete node {movedTo ?? name}' says so, and the guest counts as lost");
        }

        return activeMove is not null
            ? new GuestVerdict.NotKnown(
                $"node {name} was removed while migration {activeMove.Metadata.Name} moved the guest to {activeMove.Status.MigrationState?.TargetNode}: "
                + "that node's agent may own it. If it does not, delete the migration and take its finalizer off")
            : new GuestVerdict.Lost($"node {name} was removed from the cluster while it was silent");
    }
}

/// <summary>
/// How long each node's heartbeat has been silent, by our own clock: a Lease is fresh when it changed since we last
/// looked, whatever times are written in it, because hosts' clocks differ.
/// </summary>
internal sealed class HeartbeatMonitor(TimeProvider clock)
{
    private readonly Dictionary<string, (string Version, long Timestamp)> seen = new(StringComparer.Ordinal);
    private readonly Lock gate = new();

    /// <param name="nodeName">The node.</param>
    /// <param name="lease">Its Lease now; null when there is none.</param>
    public TimeSpan Silence(string nodeName, Lease? lease)
    {
        lock (gate)
        {
            var version = lease is null ? "" : $"{lease.Metadata.Uid}/{lease.Spec.RenewTime?.Ticks}";
            if (!seen.TryGetValue(nodeName, out var last) || last.Version != version)
            {
                seen[nodeName] = last = (version, clock.GetTimestamp());
            }

            return clock.GetElapsedTime(last.Timestamp);
        }
    }

    /// <summary>Forgets nodes that nothing speaks of any more.</summary>
    public void Keep(IReadOnlySet<string> nodeNames)
    {
        lock (gate)
        {
            foreach (var gone in seen.Keys.Where(name => !nodeNames.Contains(name)).ToList())
            {
                seen.Remove(gone);
            }
        }
    }
}
