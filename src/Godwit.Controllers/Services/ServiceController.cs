using Godwit.Api.Discovery.V1;
using Godwit.Controllers.Addresses;

namespace Godwit.Controllers.Services;

/// <summary>
/// Carries out what <see cref="ServiceAllocationPlanner"/>, <see cref="LoadBalancerPlanner"/> and <see cref="EndpointPlanner"/> decide: a service's address and
/// ports, its address outside, then the places behind it. A service without a selector has its places from whoever made it.
/// </summary>
internal sealed class ServiceController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller("service", clock, logger)
{
    private static readonly ResourceKey SettingsKey = new(NamespaceNames.KubeSystem, AddressPool.SettingsName);

    private readonly ResourceClient<Service> services = cluster.ClientOf<Service>();
    private readonly ResourceClient<EndpointSlice> slices = cluster.ClientOf<EndpointSlice>();
    private readonly ResourceClient<Endpoints> endpoints = cluster.ClientOf<Endpoints>();

    protected override void Subscribe()
    {
        cluster.Services.Subscribe(change =>
        {
            Enqueue(change.Key);
            if (change.After is null)
            {
                EnqueueAll(); // Or for an address that it had.
            }
        });
        cluster.Pods.Subscribe(change => Tell(change.Before, change.After));
        cluster.Instances.Subscribe(change => Tell(change.Before, change.After));
        cluster.Slices.Subscribe(change =>
        {
            if ((change.After ?? change.Before)!.Metadata.Labels.TryGetValue(EndpointPlanner.ServiceLabel, out var name))
            {
                Enqueue(new ResourceKey(change.Key.Namespace, name));
            }
        });
        cluster.Endpoints.Subscribe(change => Enqueue(change.Key));
        cluster.Settings.Subscribe(change =>
        {
            if (change.Key == SettingsKey)
            {
                EnqueueAll(); // Somebody may have waited for a range of addresses.
            }
        });
    }

    protected override IEnumerable<ResourceKey> AllKeys() => cluster.Services.Current.Keys;

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        if (cluster.Services.Current.Find(key) is not { } service || service.Metadata.DeletionTimestamp is not null)
        {
            return NextLook.OnChange;
        }

        var others = cluster.Services.Current.Items.Where(other => ResourceKey.Of(other) != key).ToList();
        switch (ServiceAllocationPlanner.For(service, others, cluster.Settings.Current.Find(SettingsKey)))
        {
            case ServiceAllocation.Write write:
                service = cluster.Services.Observe(await services.ChangeAsync(service, service with { Spec = write.Spec }, stopping));
                break;
            case ServiceAllocation.Wait wait:
                cluster.Events.Record(service, EventTypes.Warning, wait.Reason, wait.Message);
                break;
        }

        switch (LoadBalancerPlanner.For(service, others, cluster.Settings.Current.Find(SettingsKey)))
        {
            case LoadBalancerPlan.Write write:
                service = cluster.Services.Observe(await services.ChangeStatusAsync(service, service with { Status = write.Status }, stopping));
                break;
            case LoadBalancerPlan.Wait wait:
                cluster.Events.Record(service, EventTypes.Warning, wait.Reason, wait.Message);
                break;
        }

        if (service.Spec.Selector.Count > 0 && service.Spec.Type != "ExternalName")
        {
            await WriteAsync(service, EndpointPlanner.For(service, cluster.Pods.Current.Items, cluster.Instances.Current.Items), stopping);
        }

        return NextLook.OnChange;
    }

    private async Task WriteAsync(Service service, EndpointPlan plan, CancellationToken stopping)
    {
        foreach (var wanted in plan.Slices)
        {
            var known = cluster.Slices.Current.Find(ResourceKey.Of(wanted));
            cluster.Slices.Observe(known is null
                ? await slices.CreateAsync(wanted, stopping)
                : await slices.ChangeAsync(known, known with { Metadata = MetadataOf(known, wanted), Endpoints = wanted.Endpoints, Ports = wanted.Ports }, stopping));
        }

        var names = plan.Slices.Select(slice => slice.Metadata.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var extra in cluster.Slices.Current.OwnedBy(service.Metadata.Uid).Where(slice => !names.Contains(slice.Metadata.Name)))
        {
            await slices.TryDeleteAsync(ResourceKey.Of(extra), new DeleteOptions { Preconditions = new Preconditions { Uid = extra.Metadata.Uid } }, stopping);
        }

        var former = cluster.Endpoints.Current.Find(ResourceKey.Of(service));
        cluster.Endpoints.Observe(former is null
            ? await endpoints.CreateAsync(plan.Endpoints, stopping)
            : await endpoints.ChangeAsync(former, former with { Metadata = MetadataOf(former, plan.Endpoints), Subsets = plan.Endpoints.Subsets }, stopping));
    }

    private static ObjectMeta MetadataOf(Resource known, Resource wanted) =>
        known.Metadata with { Labels = wanted.Metadata.Labels, OwnerReferences = wanted.Metadata.OwnerReferences };

    private void Tell(Resource? before, Resource? after)
    {
        foreach (var service in cluster.Services.Current.Items)
        {
            if ((after is not null && EndpointPlanner.Selects(service, after)) || (before is not null && EndpointPlanner.Selects(service, before)))
            {
                Enqueue(ResourceKey.Of(service));
            }
        }
    }
}
