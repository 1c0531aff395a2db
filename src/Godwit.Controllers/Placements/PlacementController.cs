using Godwit.Controllers.Addresses;
using Godwit.Scheduling;
using Godwit.Scheduling.Pods;

namespace Godwit.Controllers.Placements;

/// <summary>
/// Finds nodes for guests and for pods, with one worker for both: they share the room on nodes, so nothing is given out twice.
/// <para>Pods are looked at all in one round, under one key: so priority decides and not the order of changes, and the writes of
/// a round go side by side (<see cref="PodRoundPlanner"/>, <see cref="PodBinder"/>).</para>
/// <para>It gives each guest that has its addresses a node (<c>status.nodeName</c>, phase Scheduled), by
/// <see cref="Placement"/>, on a view that contains its own latest writes. The order of its two writes matters. First the finalizer, so that from the moment that an agent may start the
/// guest its object cannot vanish before that agent has taken the guest down; then the node. A guest that is deleted
/// between the two has a finalizer and no node: no agent will take it off, so this controller does.</para>
/// </summary>
internal sealed partial class PlacementController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller<OccupantKey>("placement", clock, logger)
{
    public const string Unschedulable = "Unschedulable";

    private static readonly OccupantKey AllPods = OccupantKey.Pod(new ResourceKey("", "*"));

    private readonly PodBinder binder = new(cluster, clock, logger);
    private readonly ResourceClient<VirtualMachineInstance> instances = cluster.ClientOf<VirtualMachineInstance>();
    private readonly WritesInDoubt<VirtualMachineInstance> inDoubt = new(cluster.ClientOf<VirtualMachineInstance>(), cluster.Instances);

    /// <summary>Uids of pods that had their turn since the sweep over all that wait began.</summary>
    private readonly HashSet<string> aside = new(StringComparer.Ordinal);

    /// <summary>How often something changed by which one that stands aside might find a place.</summary>
    private long changes;
    private long changesBefore;

    protected override void Subscribe()
    {
        cluster.Instances.Subscribe(change =>
        {
            Enqueue(OccupantKey.Guest(change.Key));
            if (change.Before is not null && (change.After is null || VirtualMachineInstancePhases.IsFinal(change.After.Status.Phase)))
            {
                LookAtAllAgain(); // Room became free.
            }
        });
        cluster.Pods.Subscribe(change =>
        {
            if (change.After is null || PodRoundPlanner.IsWaiting(change.After))
            {
                (change.Before is null ? (Action)LookAtPods : LookAtPodsAgain)();
            }

            if (Frees(change))
            {
                LookAtAllAgain();
            }
        });
        cluster.Nodes.Subscribe(change =>
        {
            if (change.Before is null || change.After is null || !HasSameRoom(NodeFacts.Of(change.Before), NodeFacts.Of(change.After)))
            {
                LookAtAllAgain();
            }
        });
        cluster.Claims.Subscribe(_ => LookAtPodsAgain());
        cluster.Volumes.Subscribe(_ => LookAtPodsAgain());
        cluster.StorageClasses.Subscribe(_ => LookAtPodsAgain());
        cluster.Migrations.Subscribe(change =>
        {
            if (change.After is null || MigrationPhases.IsFinal(change.After.Status.Phase))
            {
                LookAtAllAgain();
            }
        });
    }

    protected override IEnumerable<OccupantKey> AllKeys() =>
        cluster.Instances.Current.Items.Where(IsWaiting).Select(vmi => OccupantKey.Guest(ResourceKey.Of(vmi))).Append(AllPods);

    protected override async Task<NextLook> ReconcileAsync(OccupantKey key, CancellationToken stopping)
    {
        await binder.SettleAsync(stopping);
        await inDoubt.SettleAsync(stopping);
        return key.IsPod ? await PlacePodsAsync(stopping) : await PlaceGuestAsync(key.Key, stopping);
    }

    private async Task<NextLook> PlacePodsAsync(CancellationToken stopping)
    {
        var pods = binder.Pods();
        var waiting = pods.Where(pod => PodRoundPlanner.IsWaiting(pod) && PodRoundPlanner.HasAddress(pod)).ToList();
        if (aside.Count == 0)
        {
            changesBefore = Volatile.Read(ref changes);
        }

        var turn = PodRoundPlanner.TurnOf(waiting, pod => binder.Promised.NodeOf(pod) is not null, pod => aside.Contains(pod.Metadata.Uid));
        if (turn.Pods.Count > 0)
        {
            var decisions = PodRoundPlanner.For(turn.Pods, cluster.Snapshot(pods), cluster.Storage(), [.. cluster.Budgets.Current.Items.Select(DisruptionRoom.Of)]);
            await binder.CarryOutAsync(decisions, stopping);
            aside.UnionWith(turn.Pods.Select(pod => pod.Metadata.Uid));
        }

        if (!turn.IsLast)
        {
            return NextLook.After(TimeSpan.Zero);
        }

        aside.Clear();
        return changesBefore == Volatile.Read(ref changes) ? NextLook.OnChange : NextLook.After(TimeSpan.Zero); // What became free meanwhile is for those that stood aside too.
    }

    private async Task<NextLook> PlaceGuestAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Instances.Current.Find(key) is not { } vmi || !IsWaiting(vmi))
        {
            return NextLook.OnChange;
        }

        if (vmi.Metadata.DeletionTimestamp is not null)
        {
            await WriteFinalizersAsync(vmi, [.. vmi.Metadata.Finalizers.Where(name => name != FinalizerNames.Agent)], stopping);
            return NextLook.OnChange;
        }

        if (!AddressPlanner.IsComplete(vmi))
        {
            return NextLook.OnChange; // The address controller says why it waits.
        }

        switch (Placement.For(GuestNeeds.Of(vmi), cluster.Snapshot(binder.PodsAndPromises())))
        {
            case Placement.Chosen chosen:
                await BindAsync(vmi, chosen.NodeName, stopping);
                break;
            case Placement.Nowhere nowhere:
                await WriteStatusAsync(vmi, Refused(vmi.Status, nowhere.Explain(), Clock.GetUtcNow()), stopping);
                cluster.Events.Record(vmi, EventTypes.Warning, "FailedScheduling", nowhere.Explain());
                break;
        }

        return NextLook.OnChange;
    }

    private void LookAtAllAgain()
    {
        Interlocked.Increment(ref changes);
        EnqueueAll();
    }

    private void LookAtPodsAgain()
    {
        Interlocked.Increment(ref changes);
        LookAtPods();
    }

    private void LookAtPods() => Enqueue(AllPods);

    /// <summary>Room, a port or an empty place became free: the pod has ended, is being deleted, or is gone.</summary>
    private static bool Frees(ResourceChange<Pod> change) =>
        change.Before is { Spec.NodeName: { Length: > 0 } } before
        && (change.After is null
            || (PodPhases.IsFinal(change.After.Status.Phase) && !PodPhases.IsFinal(before.Status.Phase))
            || (change.After.Metadata.DeletionTimestamp is not null && before.Metadata.DeletionTimestamp is null));

    private static bool IsWaiting(VirtualMachineInstance vmi) =>
        string.IsNullOrEmpty(vmi.Status.NodeName) && !VirtualMachineInstancePhases.IsFinal(vmi.Status.Phase);

    /// <summary>Heartbeats change a node all the time; only what matters for placing is worth another look at everything.</summary>
    private static bool HasSameRoom(NodeFacts before, NodeFacts after) =>
        before.IsReady == after.IsReady && before.IsCordoned == after.IsCordoned && before.Allocatable == after.Allocatable
        && before.HasNetwork == after.HasNetwork && before.VolumesFolder == after.VolumesFolder && before.PodsMax == after.PodsMax
        && SameSet(before.Others, after.Others)
        && before.Taints.SequenceEqual(after.Taints)
        && SameSet(before.Labels, after.Labels)
        && SameSet(before.Images, after.Images)
        && SameSet(before.MachineTypes, after.MachineTypes);

    private static bool SameSet<T>(IEnumerable<T>? before, IEnumerable<T>? after) =>
        before is null || after is null ? ReferenceEquals(before, after) : before.ToHashSet().SetEquals(after);

    private async Task BindAsync(VirtualMachineInstance vmi, string nodeName, CancellationToken stopping)
    {
        if (!vmi.Metadata.Finalizers.Contains(FinalizerNames.Agent))
        {
            vmi = await WriteFinalizersAsync(vmi, [.. vmi.Metadata.Finalizers, FinalizerNames.Agent], stopping);
        }

        var now = Clock.GetUtcNow();
        var status = vmi.Status with
        {
            NodeName = nodeName,
            Phase = VirtualMachineInstancePhases.Scheduled,
            PhaseTransitionTimestamps = PhaseTransitions.With(vmi.Status.PhaseTransitionTimestamps, VirtualMachineInstancePhases.Scheduled, now),
            Conditions = Conditions.With(
                vmi.Status.Conditions,
                new Condition { Type = VirtualMachineInstanceConditions.PodScheduled, Status = ConditionStatuses.True, Reason = "Scheduled" },
                now),
        };
        await inDoubt.RunAsync(ResourceKey.Of(vmi), () => WriteStatusAsync(vmi, status, stopping));
        cluster.Events.Record(vmi, EventTypes.Normal, "Scheduled", $"Assigned to node {nodeName}");
        Log.Bound(Logger, ResourceKey.Of(vmi), nodeName);
    }

    private static VirtualMachineInstanceStatus Refused(VirtualMachineInstanceStatus status, string why, DateTimeOffset now) => status with
    {
        Phase = VirtualMachineInstancePhases.Scheduling,
        PhaseTransitionTimestamps = PhaseTransitions.With(status.PhaseTransitionTimestamps, VirtualMachineInstancePhases.Scheduling, now),
        Conditions = Conditions.With(
            status.Conditions,
            new Condition { Type = VirtualMachineInstanceConditions.PodScheduled, Status = ConditionStatuses.False, Reason = Unschedulable, Message = why },
            now),
    };

    private async Task<VirtualMachineInstance> WriteStatusAsync(VirtualMachineInstance vmi, VirtualMachineInstanceStatus status, CancellationToken stopping) =>
        cluster.Instances.Observe(await instances.ChangeStatusAsync(vmi, vmi with { Status = status }, stopping));

    private async Task<VirtualMachineInstance> WriteFinalizersAsync(VirtualMachineInstance vmi, IReadOnlyList<string> finalizers, CancellationToken stopping) =>
        cluster.Instances.Observe(
            await instances.ChangeAsync(vmi, vmi with { Metadata = vmi.Metadata with { Finalizers = finalizers } }, stopping));

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "{Guest} is to run on {NodeName}")]
        public static partial void Bound(ILogger logger, ResourceKey guest, string nodeName);
    }
}
