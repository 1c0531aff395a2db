using System.Net;
using Godwit.Api.Core.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Networks.Names;

namespace Godwit.Node.Services;

/// <summary>
/// What services are called, from the objects of the API, as the DNS specification of Kubernetes (1.1.0) has it. Pure, and the same for the same
/// objects in whatever order. What cannot be used (an address that is none, a name that is none) is left out.
/// </summary>
internal static class ServiceNamePlan
{
    /// <param name="domain">The cluster's domain: <c>cluster.local</c>.</param>
    public static ServiceNames NamesOf(string domain, IEnumerable<Service> services, IEnumerable<EndpointSlice> slices)
    {
        var bySlice = slices.ToLookup(slice => (slice.Metadata.Namespace, slice.Metadata.Labels.GetValueOrDefault(ServicePlan.ServiceLabel)));
        var (hosts, places) = (new List<HostName>(), new List<HostName>());
        var (targets, aliases) = (new SortedDictionary<string, IReadOnlyList<ServiceTarget>>(StringComparer.Ordinal), new SortedDictionary<string, string>(StringComparer.Ordinal));
        foreach (var service in services.OrderBy(service => service.Metadata.Namespace, StringComparer.Ordinal).ThenBy(service => service.Metadata.Name, StringComparer.Ordinal))
        {
            var name = $"{service.Metadata.Name}.{service.Metadata.Namespace}.svc.{domain}";
            if (!DomainName.IsSound(name))
            {
                continue;
            }

            if (service.Spec.Type == "ExternalName")
            {
                if ((service.Spec.ExternalName ?? "").TrimEnd('.').ToLowerInvariant() is var target && DomainName.IsSound(target))
                {
                    aliases[name] = target;
                }

                continue;
            }

            var own = bySlice[(service.Metadata.Namespace, service.Metadata.Name)].ToList();
            var endpoints = PlacesOf(service, own).ToList();
            places.AddRange(endpoints.Where(each => each.HasHostName || IsHeadless(service)).Select(each => new HostName($"{each.Label}.{name}", each.Address)));
            hosts.AddRange((IsHeadless(service) ? endpoints.Select(each => each.Address).Distinct() : AddressesOf(service)).Select(address => new HostName(name, address)));
            foreach (var port in TargetsOf(service, name, own))
            {
                targets[port.Key] = [.. port.Distinct()];
            }
        }

        // A place's own name first: it is what its address is called.
        return new ServiceNames { Hosts = [.. places.Concat(hosts).Where(host => DomainName.IsSound(host.Name)).Distinct()], Targets = targets, Aliases = aliases };
    }

    /// <summary>Named ports: at the virtual address, or of a headless service at each of its places.</summary>
    private static ILookup<string, ServiceTarget> TargetsOf(Service service, string name, List<EndpointSlice> slices)
    {
        var ports = IsHeadless(service)
            ? slices.SelectMany(slice => slice.Ports.Select(port => (port.Name, port.Protocol, Number: port.Port ?? 0)), (slice, port) => (port, PlacesOf(service, [slice])))
                .SelectMany(pair => pair.Item2, (pair, place) => (pair.port.Name, pair.port.Protocol, Target: new ServiceTarget(pair.port.Number, $"{place.Label}.{name}")))
            : service.Spec.Ports.Select(port => (port.Name, port.Protocol, Target: new ServiceTarget(port.Port, name)));
        return ports
            .Where(port => DomainName.IsSoundLabel(port.Name ?? "") && DomainName.IsSoundLabel(ProtocolOf(port.Protocol)) && port.Target.Port is > 0 and <= ushort.MaxValue && DomainName.IsSound(port.Target.Host))
            .ToLookup(port => $"_{port.Name}._{ProtocolOf(port.Protocol)}.{name}", port => port.Target);
    }

    private static string ProtocolOf(string? text) => string.IsNullOrEmpty(text) ? "tcp" : text.ToLowerInvariant();

    private static bool IsHeadless(Service service) => service.Spec.ClusterIP == "None";

    private static IEnumerable<IPAddress> AddressesOf(Service service) =>
        service.Spec.ClusterIPs.Prepend(service.Spec.ClusterIP).Select(Parse).OfType<IPAddress>().Distinct();

    /// <summary>Endpoints that are told: those that are ready, and all where the service says so.</summary>
    private static IEnumerable<Place> PlacesOf(Service service, IEnumerable<EndpointSlice> slices) => slices
        .SelectMany(slice => slice.Endpoints)
        .Where(endpoint => endpoint.Conditions?.Ready != false || service.Spec.PublishNotReadyAddresses == true)
        .SelectMany(endpoint => endpoint.Addresses.Select(Parse).OfType<IPAddress>(), (endpoint, address) => new Place(endpoint.Hostname, address))
        .OrderBy(place => place.Label, StringComparer.Ordinal)
        .ThenBy(place => place.Address.ToString(), StringComparer.Ordinal);

    private static IPAddress? Parse(string? text) => IPAddress.TryParse(text, out var address) ? address : null;

    private readonly record struct Place(string? HostName, IPAddress Address)
    {
        public bool HasHostName => !string.IsNullOrEmpty(HostName);

        /// <summary>Its host name; an endpoint that has none is called by its address.</summary>
        public string Label => HasHostName ? HostName! : Address.ToString().Replace('.', '-').Replace(':', '-');
    }
}
