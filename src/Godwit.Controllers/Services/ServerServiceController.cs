using Godwit.Api.Coordination.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Controllers.Addresses;
using Godwit.Controllers.Nodes;

namespace Godwit.Controllers.Services;

/// <summary>
/// Carries out what <see cref="ServerServicePlanner"/> says of the servers whose Leases are renewed (<see cref="ServerPresence"/>). While none is known to be there, what was
/// written last stays: this controller itself is told by one.
/// </summary>
internal sealed class ServerServiceController(ClusterView cluster, TimeProvider clock, ILogger logger) : Controller("serverservice", clock, logger)
{
    private static readonly ResourceKey SettingsKey = new(NamespaceNames.KubeSystem, AddressPool.SettingsName);
    private static readonly ResourceKey Key = new(NamespaceNames.Default, ServerServicePlanner.Name);
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(5);

    /// <summary>Leases of servers that have been silent for so long are deleted: it is not there any more, or elsewhere.</summary>
    private static readonly TimeSpan ForgottenAfter = TimeSpan.FromHours(1);

    private readonly HeartbeatMonitor heartbeats = new(clock);
    private readonly ResourceClient<Lease> leases = cluster.ClientOf<Lease>();
    private readonly ResourceClient<Service> services = cluster.ClientOf<Service>();
    private readonly ResourceClient<EndpointSlice> slices = cluster.ClientOf<EndpointSlice>();
    private readonly ResourceClient<Endpoints> endpoints = cluster.ClientOf<Endpoints>();

    protected override void Subscribe()
    {
        cluster.ServerLeases.Subscribe(change =>
        {
            if (change.Before is null || change.After is null)
            {
                Enqueue(Key); // One that is renewed changes nothing; that one is not, time tells.
            }
        });
        cluster.Services.Subscribe(change => EnqueueIf(change.Key == Key));
        cluster.Endpoints.Subscribe(change => EnqueueIf(change.Key == Key));
        cluster.Slices.Subscribe(change => EnqueueIf(change.Key == Key));
        cluster.Settings.Subscribe(change => EnqueueIf(change.Key == SettingsKey));
    }

    protected override IEnumerable<ResourceKey> AllKeys() => [Key];

    protected override async Task<NextLook> ReconcileAsync(ResourceKey key, CancellationToken stopping)
    {
        var known = cluster.ServerLeases.Current.Items.Where(lease => ServerPresence.EndpointOf(lease) is not null).Select(lease => (Lease: lease, Silence: heartbeats.Silence(lease.Metadata.Name, lease))).ToList();
        heartbeats.Keep(known.Select(each => each.Lease.Metadata.Name).ToHashSet(StringComparer.Ordinal));
        var present = known.Where(each => each.Silence < ServerPresence.SilentAfter).Select(each => ServerPresence.EndpointOf(each.Lease)!).ToList();
        if (present.Count > 0 && RangeOf(cluster.Settings.Current.Find(SettingsKey)) is { } range)
        {
            await WriteAsync(ServerServicePlanner.For(range.Router, present), stopping);
        }

        foreach (var (lease, _) in known.Where(each => each.Silence >= ForgottenAfter))
        {
            await leases.TryDeleteAsync(ResourceKey.Of(lease), new DeleteOptions { Preconditions = new Preconditions { Uid = lease.Metadata.Uid } }, stopping);
        }

        return known.Count > 0 ? NextLook.After(LookPeriod) : NextLook.OnChange;
    }

    /// <summary>Null when the settings say no range; the service controller tells people so.</summary>
    private static AddressPool? RangeOf(ConfigMap? settings)
    {
        var range = settings?.Data.GetValueOrDefault(NetworkSettings.ServiceRangeKey) is { Length: > 0 } asked ? asked : ServiceAllocationPlanner.DefaultRange;
        return settings is not null && AddressPool.TryRead(new ConfigMap { Data = new Dictionary<string, string> { ["cidr"] = range } }, out var pool, out _) ? pool : null;
    }

    private async Task WriteAsync(ServerServicePlan plan, CancellationToken stopping)
    {
        var service = cluster.Services.Current.Find(Key);
        cluster.Services.Observe(service is null
            ? await services.CreateAsync(plan.Service, stopping)
            : await services.ChangeAsync(service, service with { Spec = service.Spec with { Ports = plan.Service.Spec.Ports, Selector = plan.Service.Spec.Selector } }, stopping));
        var former = cluster.Endpoints.Current.Find(Key);
        cluster.Endpoints.Observe(former is null
            ? await endpoints.CreateAsync(plan.Endpoints, stopping)
            : await endpoints.ChangeAsync(former, former with { Subsets = plan.Endpoints.Subsets }, stopping));
        if (plan.Slice is { } slice)
        {
            var before = cluster.Slices.Current.Find(Key);
            cluster.Slices.Observe(before is null
                ? await slices.CreateAsync(slice, stopping)
                : await slices.ChangeAsync(before, before with { Metadata = before.Metadata with { Labels = slice.Metadata.Labels }, Endpoints = slice.Endpoints, Ports = slice.Ports }, stopping));
        }
    }

    private void EnqueueIf(bool concerns)
    {
        if (concerns)
        {
            Enqueue(Key);
        }
    }
}
