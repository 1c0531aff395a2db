namespace Godwit.Controllers.Addresses;

/// <summary>Carries out what <see cref="AddressPlanner"/> decides. Writes <c>status.interfaces</c> of guests that have not been scheduled.</summary>
internal sealed class AddressController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller("address", clock, logger)
{
    private static readonly ResourceKey SettingsKey = new(NamespaceNames.KubeSystem, AddressPool.SettingsName);

    private readonly ResourceClient<VirtualMachineInstance> instances = cluster.ClientOf<VirtualMachineInstance>();

    protected override void Subscribe()
    {
        cluster.Instances.Subscribe(change =>
        {
            Enqueue(change.Key);
            if (Frees(change))
            {
                EnqueueAll(); // Somebody may have waited for this address.
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

    protected override IEnumerable<ResourceKey> AllKeys() =>
        cluster.Instances.Current.Items.Where(vmi => !AddressPlanner.IsComplete(vmi)).Select(ResourceKey.Of);

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        var known = cluster.Instances.Current;
        if (known.Find(key) is not { } vmi || vmi.Metadata.DeletionTimestamp is not null)
        {
            return NextLook.OnChange;
        }

        var others = known.Items.Where(other => ResourceKey.Of(other) != key);
        switch (AddressPlanner.For(vmi, others, cluster.Settings.Current.Find(SettingsKey)))
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
