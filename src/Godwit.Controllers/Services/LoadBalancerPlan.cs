using Godwit.Controllers.Addresses;

namespace Godwit.Controllers.Services;

/// <summary>What a service of type LoadBalancer gets, or why it gets nothing now.</summary>
internal abstract record LoadBalancerPlan
{
    private LoadBalancerPlan()
    {
    }

    public sealed record Nothing : LoadBalancerPlan;

    public sealed record Write(ServiceStatus Status) : LoadBalancerPlan;

    /// <summary>It has to wait; the reason is one word for programs.</summary>
    public sealed record Wait(string Reason, string Message) : LoadBalancerPlan;
}

/// <summary>
/// Gives services of type LoadBalancer addresses from the pool that the network's ConfigMap names; without one they wait. The nodes answer
/// at them, and one of them tells the clients on its link; that packets from elsewhere come to a node is the network's work outside. One that names a class is another's work.
/// </summary>
internal static class LoadBalancerPlanner
{
    /// <summary>The ConfigMap's key of the pool.</summary>
    public const string PoolKey = "loadBalancerCidr";

    /// <param name="service">The service.</param>
    /// <param name="others">All other services.</param>
    /// <param name="settings">The ConfigMap of the network; null when there is none.</param>
    public static LoadBalancerPlan For(Service service, IReadOnlyCollection<Service> others, ConfigMap? settings)
    {
        var given = AddressesOf(service).ToList();
        if (service.Spec.Type != "LoadBalancer" || service.Spec.LoadBalancerClass is { Length: > 0 })
        {
            return given.Count > 0 && service.Spec.Type != "LoadBalancer" ? new LoadBalancerPlan.Write(service.Status with { LoadBalancer = null }) : new LoadBalancerPlan.Nothing();
        }

        if (settings?.Data.GetValueOrDefault(PoolKey) is not { Length: > 0 } range)
        {
            return given.Count > 0 ? new LoadBalancerPlan.Nothing()
                : new LoadBalancerPlan.Wait("LoadBalancerPoolMissing", $"there is no pool of addresses for load balancers: start the server with --load-balancer-pool, or write {PoolKey} into the ConfigMap {NamespaceNames.KubeSystem}/{AddressPool.SettingsName}");
        }

        if (!AddressPool.TryRead(new ConfigMap { Data = new Dictionary<string, string> { ["cidr"] = range } }, out var pool, out var error))
        {
            return new LoadBalancerPlan.Wait("LoadBalancerPoolInvalid", error);
        }

        var asked = service.Spec.LoadBalancerIP;
        if (given is [var known] && pool.Contains(known) && (string.IsNullOrEmpty(asked) || asked == known))
        {
            return new LoadBalancerPlan.Nothing();
        }

        var taken = others.SelectMany(AddressesOf).ToHashSet(StringComparer.Ordinal);
        if (!string.IsNullOrEmpty(asked))
        {
            return pool.Contains(asked) && !taken.Contains(asked) ? Give(service, asked)
                : new LoadBalancerPlan.Wait("LoadBalancerAddressUnavailable", $"the address {asked} is not in the pool {range}, or another service has it");
        }

        return pool.FindFree(service.Metadata.Uid, taken.Contains) is { } address
            ? Give(service, address)
            : new LoadBalancerPlan.Wait("LoadBalancerPoolExhausted", $"all {pool.Capacity} addresses for load balancers are in use");
    }

    public static IEnumerable<string> AddressesOf(Service service) => (service.Status.LoadBalancer?.Ingress ?? []).Select(each => each.Ip).OfType<string>();

    private static LoadBalancerPlan.Write Give(Service service, string address) =>
        new(service.Status with { LoadBalancer = new LoadBalancerStatus { Ingress = [new LoadBalancerIngress { Ip = address, IpMode = "VIP" }] } });
}
