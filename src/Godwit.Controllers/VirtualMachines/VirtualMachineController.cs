namespace Godwit.Controllers.VirtualMachines;

/// <summary>Carries out what <see cref="VirtualMachinePlanner"/> decides. Writes VM status; creates and deletes incarnations.</summary>
internal sealed partial class VirtualMachineController(ClusterView cluster, TimeProvider clock, ILogger logger)
    : Controller("virtualmachine", clock, logger)
{
    private readonly ResourceClient<VirtualMachine> machines = cluster.ClientOf<VirtualMachine>();
    private readonly ResourceClient<VirtualMachineInstance> instances = cluster.ClientOf<VirtualMachineInstance>();

    protected override int Workers => 2;

    protected override void Subscribe()
    {
        cluster.VirtualMachines.Subscribe(change => Enqueue(change.Key));
        cluster.Instances.Subscribe(change => Enqueue(change.Key)); // An incarnation bears its VM's name.
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.VirtualMachines.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.VirtualMachines.Current.Find(key) is not { } vm)
        {
            return NextLook.OnChange; // Its incarnation goes with its owner.
        }

        var vmi = cluster.Instances.Current.Find(key);
        var plan = VirtualMachinePlanner.For(vm, vmi, Clock.GetUtcNow());
        vm = cluster.VirtualMachines.Observe(await machines.ChangeStatusAsync(vm, vm with { Status = plan.Status }, stopping));
        switch (plan.Step)
        {
            case VirtualMachineStep.Create:
                await CreateAsync(vm, stopping);
                break;
            case VirtualMachineStep.Delete delete:
                await DeleteAsync(vm, key, delete, stopping);
                break;
        }

        return plan.NextLook;
    }

    private async Task CreateAsync(VirtualMachine vm, CancellationToken stopping)
    {
        try
        {
            cluster.Instances.Observe(await instances.CreateAsync(Incarnation(vm), stopping));
            cluster.Events.Record(vm, EventTypes.Normal, "SuccessfulCreate", $"Started the virtual machine by creating the incarnation {vm.Metadata.Name}");
        }
        catch (ApiException error) when (error.IsAlreadyExists)
        {
            // Ours, seen late, or somebody's: the cache will say, and the next look decides.
        }
        catch (ApiException error) when (error.IsInvalid || error.IsForbidden)
        {
            cluster.Events.Record(vm, EventTypes.Warning, "FailedCreate", error.Message);
            throw;
        }
    }

    private async Task DeleteAsync(VirtualMachine vm, ResourceKey key, VirtualMachineStep.Delete delete, CancellationToken stopping)
    {
        var options = new DeleteOptions { Preconditions = new Preconditions { Uid = delete.Uid }, PropagationPolicy = PropagationPolicies.Background };
        if (await instances.TryDeleteAsync(key, options, stopping))
        {
            cluster.Events.Record(vm, EventTypes.Normal, "SuccessfulDelete", $"Stopped the virtual machine by deleting the incarnation: {delete.Why}");
            Log.Stopped(Logger, key, delete.Why);
        }
    }

    private static VirtualMachineInstance Incarnation(VirtualMachine vm) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = vm.Metadata.Namespace,
            Name = vm.Metadata.Name,
            Labels = new Dictionary<string, string>(vm.Spec.Template.Metadata.Labels) { [LabelNames.VirtualMachineName] = vm.Metadata.Name },
            Annotations = vm.Spec.Template.Metadata.Annotations,
            OwnerReferences =
            [
                new OwnerReference
                {
                    ApiVersion = vm.ApiVersion,
                    Kind = vm.Kind,
                    Name = vm.Metadata.Name,
                    Uid = vm.Metadata.Uid,
                    Controller = true,
                    BlockOwnerDeletion = true,
                },
            ],
        },
        Spec = vm.Spec.Template.Spec,
    };

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "The incarnation of {VirtualMachine} is deleted: {Why}")]
        public static partial void Stopped(ILogger logger, ResourceKey virtualMachine, string why);
    }
}
