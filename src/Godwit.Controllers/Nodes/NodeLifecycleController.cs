using Godwit.Api.Coordination.V1;
using Godwit.Controllers.Migrations;

namespace Godwit.Controllers.Nodes;

/// <summary>
/// Carries out what <see cref="NodeLifecyclePlanner"/> decides, by the name of a node: of one that there is, or of one
/// that a guest says it is on.
/// </summary>
internal sealed partial class NodeLifecycleController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller("nodelifecycle", clock, logger)
{
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(5);

    private readonly HeartbeatMonitor heartbeats = new(clock);
    private readonly ResourceClient<Node> nodes = cluster.ClientOf<Node>();
    private readonly ResourceClient<Lease> leases = cluster.ClientOf<Lease>();
    private readonly ResourceClient<VirtualMachineInstance> instances = cluster.ClientOf<VirtualMachineInstance>();

    protected override void Subscribe()
    {
        cluster.Nodes.Subscribe(change => Enqueue(new ResourceKey("", change.Key.Name)));
        cluster.NodeLeases.Subscribe(change => Enqueue(new ResourceKey("", change.Key.Name)));
        cluster.Instances.Subscribe(change =>
        {
            if (change.After is { } after && PlaceOf(after) is { Length: > 0 } name
                && (change.Before?.Status.NodeName != after.Status.NodeName
                    || change.Before?.Metadata.DeletionTimestamp != after.Metadata.DeletionTimestamp
                    || change.Before?.Status.MigrationState != after.Status.MigrationState))
            {
                Enqueue(new ResourceKey("", name));
            }
        });
        cluster.Migrations.Subscribe(change =>
        {
            if (change.After is { Status: { Phase: MigrationPhases.Succeeded, MigrationState.TargetNode: { Length: > 0 } name } } && change.Before?.Status.Phase != MigrationPhases.Succeeded)
            {
                Enqueue(new ResourceKey("", name));
            }
        });
    }

    protected override IEnumerable<ResourceKey> AllKeys()
    {
        var names = cluster.Nodes.Current.Keys.Select(key => key.Name).Concat(GuestsByNode().Select(each => each.Key)).ToHashSet(StringComparer.Ordinal);
        heartbeats.Keep(names);
        return names.Select(name => new ResourceKey("", name));
    }

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        var node = cluster.Nodes.Current.Find(key);
        var silence = SilenceOf(key.Name);
        if (node is not null)
        {
            if (silence >= NodeLifecyclePlanner.SilentAfter && !NodeLifecyclePlanner.IsCalledSilent(node))
            {
                // The word of a node that is heard of again may come by its watch before its Lease comes by that one's: a cache that may be behind is not asked.
                if (await leases.FindAsync(new ResourceKey(NamespaceNames.KubeNodeLease, key.Name), stopping) is { } lease)
                {
                    cluster.NodeLeases.Observe(lease);
                }

                silence = SilenceOf(key.Name);
            }

            await WriteNodeAsync(node, NodeLifecyclePlanner.ForNode(node, silence, Clock.GetUtcNow()), stopping);
        }

        var guests = GuestsByNode().FirstOrDefault(each => each.Key == key.Name)?.ToList() ?? [];
        if (guests.Count > 0 && silence >= NodeLifecyclePlanner.SilentAfter)
        {
            // To end a guest for good, a cache that may be behind is not asked.
            var exists = node is not null || await nodes.FindAsync(key, stopping) is not null;
            foreach (var vmi in guests.Where(vmi => !MigrationWorld.IsUnsettled(vmi, cluster.Migrations.Current.Items)))
            {
                var movedTo = key.Name == vmi.Status.NodeName ? null : key.Name;
                await WriteGuestAsync(vmi, key.Name, NodeLifecyclePlanner.ForGuest(vmi, exists, silence, ActiveMoveOf(vmi), movedTo), stopping);
            }
        }

        return node is not null || guests.Count > 0 ? NextLook.After(LookPeriod) : NextLook.OnChange;
    }

    private TimeSpan SilenceOf(string nodeName) => heartbeats.Silence(nodeName, cluster.NodeLeases.Current.Find(NamespaceNames.KubeNodeLease, nodeName));

    private IEnumerable<IGrouping<string, VirtualMachineInstance>> GuestsByNode() => cluster.Instances.Current.Items
        .Where(vmi => !string.IsNullOrEmpty(vmi.Status.NodeName) && (!VirtualMachineInstancePhases.IsFinal(vmi.Status.Phase) || vmi.Metadata.Finalizers.Contains(FinalizerNames.Agent)))
        .GroupBy(vmi => PlaceOf(vmi)!, StringComparer.Ordinal);

    private string? PlaceOf(VirtualMachineInstance vmi) => GuestPlace.NodeOf(vmi, cluster.Migrations.Current.Items);

    private VirtualMachineInstanceMigration? ActiveMoveOf(VirtualMachineInstance vmi) => cluster.Migrations.Current.Items.FirstOrDefault(
        move => MigrationWorld.IsActive(move) && move.Metadata.Namespace == vmi.Metadata.Namespace && move.Spec.VmiName == vmi.Metadata.Name);

    private async Task WriteNodeAsync(Node node, NodeLifecyclePlan plan, CancellationToken stopping)
    {
        if (!plan.Taints.SequenceEqual(node.Spec.Taints))
        {
            var changed = node with { Spec = node.Spec with { Taints = plan.Taints } };
            node = cluster.Nodes.Observe(await nodes.ChangeAsync(node, changed, stopping));
        }

        if (plan.Ready is { } ready)
        {
            var before = node.Status.Conditions.FirstOrDefault(condition => condition.Type == NodeConditionTypes.Ready);
            var conditions = node.Status.Conditions.Where(condition => condition.Type != NodeConditionTypes.Ready).Append(ready).ToList();
            node = cluster.Nodes.Observe(await nodes.ChangeStatusAsync(node, node with { Status = node.Status with { Conditions = conditions } }, stopping));
            if (before?.Status != ready.Status)
            {
                cluster.Events.Record(node, EventTypes.Warning, "NodeNotReady", $"Node {node.Metadata.Name}: {ready.Message}");
                Log.Silent(Logger, node.Metadata.Name);
            }
        }
    }

    private async Task WriteGuestAsync(VirtualMachineInstance vmi, string node, GuestVerdict verdict, CancellationToken stopping)
    {
        switch (verdict)
        {
            case GuestVerdict.NotKnown notKnown:
                var unknown = vmi.Status with { Conditions = ReadyCondition(vmi, ConditionStatuses.Unknown, "NodeUnreachable", notKnown.Message) };
                if (await WriteStatusAsync(vmi, unknown, stopping) != vmi)
                {
                    cluster.Events.Record(vmi, EventTypes.Warning, "NodeUnreachable", notKnown.Message);
                }

                break;
            case GuestVerdict.Lost lost:
                await ReleaseAsync(await EndAsync(vmi, node, lost.Message, stopping), stopping);
                break;
            case GuestVerdict.Released: // The release after its end was cut off, or raced with a deletion.
                await ReleaseAsync(vmi, stopping);
                break;
        }
    }

    private async Task<VirtualMachineInstance> EndAsync(VirtualMachineInstance vmi, string node, string message, CancellationToken stopping)
    {
        var now = Clock.GetUtcNow();
        var ended = await WriteStatusAsync(
            vmi,
            vmi.Status with
            {
                NodeName = node,
                Phase = VirtualMachineInstancePhases.Failed,
                Reason = "NodeRemoved",
                PhaseTransitionTimestamps = PhaseTransitions.With(vmi.Status.PhaseTransitionTimestamps, VirtualMachineInstancePhases.Failed, now),
                Conditions = ReadyCondition(vmi, ConditionStatuses.False, "NodeRemoved", message),
            },
            stopping);
        cluster.Events.Record(ended, EventTypes.Warning, "NodeRemoved", $"The guest is lost: {message}");
        Log.Lost(Logger, ResourceKey.Of(vmi), node);
        return ended;
    }

    private async Task ReleaseAsync(VirtualMachineInstance vmi, CancellationToken stopping)
    {
        var finalizers = vmi.Metadata.Finalizers.Where(name => name != FinalizerNames.Agent).ToList();
        cluster.Instances.Observe(await instances.ChangeAsync(vmi, vmi with { Metadata = vmi.Metadata with { Finalizers = finalizers } }, stopping));
    }

    private IReadOnlyList<Condition> ReadyCondition(VirtualMachineInstance vmi, string status, string reason, string message) => Conditions.With(
        vmi.Status.Conditions,
        new Condition { Type = VirtualMachineInstanceConditions.Ready, Status = status, Reason = reason, Message = message },
        Clock.GetUtcNow());

    private async Task<VirtualMachineInstance> WriteStatusAsync(VirtualMachineInstance vmi, VirtualMachineInstanceStatus status, CancellationToken stopping) =>
        cluster.Instances.Observe(await instances.ChangeStatusAsync(vmi, vmi with { Status = status }, stopping));

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Node {NodeName} is silent")]
        public static partial void Silent(ILogger logger, string nodeName);

        [LoggerMessage(2, LogLevel.Warning, "{Guest} is lost with its node {NodeName}, which was removed")]
        public static partial void Lost(ILogger logger, ResourceKey guest, string nodeName);
    }
}
