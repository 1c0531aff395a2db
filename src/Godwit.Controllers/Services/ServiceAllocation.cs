using System.Globalization;
using Godwit.Controllers.Addresses;

namespace Godwit.Controllers.Services;

/// <summary>What a service is to be given, or why it gets nothing now.</summary>
internal abstract record ServiceAllocation
{
    private ServiceAllocation()
    {
    }

    public sealed record Nothing : ServiceAllocation;

    public sealed record Write(ServiceSpec Spec) : ServiceAllocation;

    /// <summary>It has to wait; the reason is one word for programs.</summary>
    public sealed record Wait(string Reason, string Message) : ServiceAllocation;
}

/// <summary>
/// Gives a service its virtual address and its ports on the nodes. They are its own until its object is gone; one worker decides,
/// on a view that contains its own latest writes, so nothing is given out twice.
/// </summary>
internal static class ServiceAllocationPlanner
{
    public const string Headless = "None";

    /// <summary>Where virtual addresses come from when <c>serviceCidr</c> in the network's ConfigMap says nothing.</summary>
    public const string DefaultRange = NetworkSettings.DefaultServiceRange;

    public const int NodePortMin = NetworkSettings.NodePortMin;
    public const int NodePortMax = NetworkSettings.NodePortMax;

    /// <param name="service">The service.</param>
    /// <param name="others">All other services.</param>
    /// <param name="settings">The ConfigMap of the network; null when there is none.</param>
    public static ServiceAllocation For(Service service, IReadOnlyCollection<Service> others, ConfigMap? settings)
    {
        var spec = service.Spec;
        if (service.Metadata.DeletionTimestamp is not null || spec.Type == "ExternalName")
        {
            return new ServiceAllocation.Nothing();
        }

        if (string.IsNullOrEmpty(spec.ClusterIP))
        {
            var range = settings?.Data.GetValueOrDefault(NetworkSettings.ServiceRangeKey) is { Length: > 0 } asked ? asked : DefaultRange;
            if (!AddressPool.TryRead(new ConfigMap { Data = new Dictionary<string, string> { ["cidr"] = range } }, out var pool, out var error))
            {
                return new ServiceAllocation.Wait("AddressRangeInvalid", error);
            }

            var taken = others.Select(other => other.Spec.ClusterIP).OfType<string>().ToHashSet(StringComparer.Ordinal);
            if (pool.FindFree(service.Metadata.Uid, taken.Contains) is not { } address)
            {
                return new ServiceAllocation.Wait("AddressRangeExhausted", $"all {pool.Capacity} addresses for services are in use");
            }

            spec = spec with { ClusterIP = address, ClusterIPs = [address] };
        }

        spec = WithNodePorts(spec, others);
        return ReferenceEquals(spec, service.Spec) ? new ServiceAllocation.Nothing() : new ServiceAllocation.Write(spec);
    }

    private static ServiceSpec WithNodePorts(ServiceSpec spec, IReadOnlyCollection<Service> others)
    {
        var wants = spec.Type == "NodePort" || (spec.Type == "LoadBalancer" && spec.AllocateLoadBalancerNodePorts != false);
        if (!wants || spec.Ports.All(port => port.NodePort is > 0))
        {
            return spec;
        }

        var taken = others.SelectMany(other => other.Spec.Ports).Concat(spec.Ports).Select(port => port.NodePort).OfType<int>().ToHashSet();
        var ports = new List<ServicePort>();
        foreach (var port in spec.Ports)
        {
            var given = port.NodePort is > 0 ? port.NodePort : FindPort(taken, Hash(spec.ClusterIP, port.Port));
            ports.Add(port with { NodePort = given });
            taken.Add(given ?? 0);
        }

        return spec with { Ports = ports };
    }

    private static int? FindPort(HashSet<int> taken, uint start)
    {
        const int Count = NodePortMax - NodePortMin + 1;
        for (var step = 0; step < Count; step++)
        {
            var port = NodePortMin + (int)((start + (uint)step) % Count);
            if (!taken.Contains(port))
            {
                return port;
            }
        }

        return null;
    }

    /// <summary>Where the search begins: spread, so that a port just given back is not at once another's.</summary>
    private static uint Hash(string? address, int port) =>
        (address ?? "").Aggregate((uint)port * 2_654_435_761, (sum, letter) => (sum ^ letter) * 16_777_619);
}
