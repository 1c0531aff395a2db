using Godwit.Controllers.Placements;

namespace Godwit.Controllers.Addresses;

/// <summary>
/// Carries out what <see cref="AddressPlanner"/>, <see cref="PodAddressPlanner"/> and <see cref="StationPlanner"/> decide. Writes <c>status.interfaces</c> of guests,
/// <c>status.podIP</c> of pods that have not been scheduled, and the annotation of nodes. All are neighbours on one network: one worker gives out all addresses.
/// Pods, which come by the hundred, are served all in one round under one key (<see cref="PodAddresses"/>).
/// </summary>
internal sealed class AddressController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller<OccupantKey>("address", clock, logger)
{
    private static readonly ResourceKey SettingsKey = new(NamespaceNames.KubeSystem, AddressPool.SettingsName);
    private static readonly OccupantKey AllPods = OccupantKey.Pod(new ResourceKey("", "*"));

    private readonly ResourceClient<VirtualMachineInstance> instances = cluster.ClientOf<VirtualMachineInstance>();
    private readonly ResourceClient<Node> nodes = cluster.ClientOf<Node>();
    private readonly PodAddresses pods = new(cluster);

    protected override void Subscribe()
    {
        cluster.Instances.Subscribe(change =>
        {
            Enqueue(OccupantKey.Guest(change.Key));
            if (Frees(change))
            {
                EnqueueAll(); // Somebody may have waited for this address.
            }
        });
        cluster.Pods.Subscribe(change =>
        {
            if (change.After is not null && PodAddressPlanner.IsWanting(change.After))
            {
                Enqueue(AllPods);
            }
            else if (change.Before is not null && PodAddressPlanner.Holds(change.Before) && (change.After is null || !PodAddressPlanner.Holds(change.After)))
            {
                EnqueueAll();
            }
        });
        cluster.Nodes.Subscribe(change =>
        {
            if (change.After is not null && StationPlanner.IsWanting(change.After))
            {
                Enqueue(OccupantKey.Node(change.Key));
            }
        });
        cluster.Settings.Subscribe(change =>
        {
            if (change.Key == SettingsKey)
            {
                EnqueueAll();
            }
        });
    }

    protected override IEnumerable<OccupantKey> AllKeys() => cluster.Instances.Current.Items
        .Where(vmi => !AddressPlanner.IsComplete(vmi))
        .Select(vmi => OccupantKey.Guest(ResourceKey.Of(vmi)))
        .Append(AllPods)
        .Concat(cluster.Nodes.Current.Items.Where(StationPlanner.IsWanting).Select(node => OccupantKey.Node(ResourceKey.Of(node))));

    protected override Task<NextLook> ReconcileAsync(OccupantKey key, CancellationToken stopping) =>
        key.IsNode ? ServeNodeAsync(key.Key, stopping) : key.IsPod ? ServePodsAsync(stopping) : ServeGuestAsync(key.Key, stopping);

    private async Task<NextLook> ServePodsAsync(CancellationToken stopping) =>
        await pods.ServeAsync(Taken(), cluster.Settings.Current.Find(SettingsKey), stopping) ? NextLook.OnChange : NextLook.After(TimeSpan.Zero);

    private async Task<NextLook> ServeNodeAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Nodes.Current.Find(key) is not { } node || !StationPlanner.IsWanting(node))
        {
            return NextLook.OnChange;
        }

        switch (StationPlanner.For(node, Taken(), cluster.Settings.Current.Find(SettingsKey)))
        {
            case PodAddressPlan.Assign assign:
                var annotations = new Dictionary<string, string>(node.Metadata.Annotations, StringComparer.Ordinal) { [AnnotationNames.StationAddress] = assign.Address };
                cluster.Nodes.Observe(await nodes.ChangeAsync(node, node with { Metadata = node.Metadata with { Annotations = annotations } }, stopping));
                break;
            case PodAddressPlan.Wait wait:
                cluster.Events.Record(node, EventTypes.Warning, wait.Reason, wait.Message);
                break;
        }

        return NextLook.OnChange;
    }

    private HashSet<string> Taken() => AddressPlanner.TakenBy(cluster.Instances.Current.Items)
        .Concat(pods.Taken())
        .Concat(StationPlanner.TakenBy(cluster.Nodes.Current.Items))
        .ToHashSet(StringComparer.Ordinal);

    private async Task<NextLook> ServeGuestAsync(ResourceKey key, CancellationToken stopping)
    {
        var known = cluster.Instances.Current;
        if (known.Find(key) is not { } vmi || vmi.Metadata.DeletionTimestamp is not null)
        {
            return NextLook.OnChange;
        }

        var others = known.Items.Where(other => ResourceKey.Of(other) != key);
        var takenByPods = pods.Taken().Concat(StationPlanner.TakenBy(cluster.Nodes.Current.Items));
        switch (AddressPlanner.For(vmi, others, cluster.Settings.Current.Find(SettingsKey), takenByPods))
        {
            case AddressPlan.Assign assign:
                await WriteAsync(vmi, vmi.Status with { Interfaces = assign.Interfaces, Phase = vmi.Status.Phase ?? VirtualMachineInstancePhases.Pending }, stopping);
                break;
            case AddressPlan.Wait wait:
                await WriteAsync(vmi, Unscheduled(vmi.Status, wait, Clock.GetUtcNow()), stopping);
                cluster.Events.Record(vmi, EventTypes.Warning, wait.Reason, wait.Message);
                break;
        }

        return NextLook.OnChange;
    }

    private static VirtualMachineInstanceStatus Unscheduled(VirtualMachineInstanceStatus status, AddressPlan.Wait wait, DateTimeOffset now) => status with
    {
        Phase = status.Phase ?? VirtualMachineInstancePhases.Pending,
        Conditions = Conditions.With(
            status.Conditions,
            new Condition
            {
                Type = VirtualMachineInstanceConditions.PodScheduled,
                Status = ConditionStatuses.False,
                Reason = wait.Reason,
                Message = wait.Message,
            },
            now),
    };

    private static bool Frees(ResourceChange<VirtualMachineInstance> change) =>
        change.Before is not null
        && (change.After is null || (VirtualMachineInstancePhases.IsFinal(change.After.Status.Phase) && !VirtualMachineInstancePhases.IsFinal(change.Before.Status.Phase)));

    private async Task WriteAsync(VirtualMachineInstance vmi, VirtualMachineInstanceStatus status, CancellationToken stopping) =>
        cluster.Instances.Observe(await instances.ChangeStatusAsync(vmi, vmi with { Status = status }, stopping));
}
