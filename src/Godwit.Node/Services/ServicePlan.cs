using System.Net;
using System.Net.Sockets;
using Godwit.Api.Core.V1;
using Godwit.Api.Discovery.V1;
using Godwit.Networks.Services;

namespace Godwit.Node.Services;

/// <summary>
/// What a node answers at for services, and who is behind it, from the objects of the API. Pure. What cannot be used (an address that is
/// none, a port without a number) is left out: one wrong object must not cost the others their traffic.
/// <para>Of the places behind a service those that are ready count; when none is, those that still serve while they end.</para>
/// </summary>
internal static class ServicePlan
{
    // Kubernetes' own numbers.
    private const int HoldSecondsDefault = 10_800;
    private const int HoldSecondsMax = 86_400;

    public const string ServiceLabel = "kubernetes.io/service-name";

    public static IReadOnlyList<ServicePlace> PlacesOf(NodeName node, IEnumerable<Service> services, IEnumerable<EndpointSlice> slices)
    {
        var bySlice = slices
            .Where(slice => slice.AddressType == "IPv4")
            .ToLookup(slice => (slice.Metadata.Namespace, slice.Metadata.Labels.GetValueOrDefault(ServiceLabel)));
        return [.. services.Where(HasAddress).SelectMany(service => PlacesOf(node.Value, service, [.. bySlice[(service.Metadata.Namespace, service.Metadata.Name)]]))];
    }

    /// <summary>Whether it has a virtual address: neither headless nor a name elsewhere.</summary>
    public static bool HasAddress(Service service) => service.Spec.Type != "ExternalName" && ParseAddress(service.Spec.ClusterIP) is not null;

    public static IPAddress? ParseAddress(string? text) =>
        IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetwork ? address : null;

    private static IEnumerable<ServicePlace> PlacesOf(string node, Service service, IReadOnlyList<EndpointSlice> slices)
    {
        var spec = service.Spec;
        var outside = spec.ExternalIPs.Concat((service.Status.LoadBalancer?.Ingress ?? []).Where(each => each.IpMode != "Proxy").Select(each => each.Ip)).Select(ParseAddress).OfType<IPAddress>().ToList();
        foreach (var port in spec.Ports)
        {
            if (ProtocolOf(port.Protocol) is not { } protocol)
            {
                continue;
            }

            var all = BackendsOf(slices, port, _ => true);
            var near = BackendsOf(slices, port, endpoint => endpoint.NodeName == node);
            var isLocal = spec.ExternalTrafficPolicy == "Local";
            var inside = new ServicePlace
            {
                Name = $"{service.Metadata.Namespace}/{service.Metadata.Name}:{port.Name}",
                Address = ParseAddress(spec.ClusterIP)!,
                Protocol = protocol,
                Port = port.Port,
                HoldSeconds = spec.SessionAffinity == "ClientIP" ? Math.Clamp(spec.SessionAffinityConfig?.ClientIP?.TimeoutSeconds ?? HoldSecondsDefault, 1, HoldSecondsMax) : null,
                Backends = spec.InternalTrafficPolicy == "Local" ? near : all,
            };
            yield return inside;
            var open = inside with { Backends = isLocal ? near : all, KeepsClients = isLocal, InsideBackends = isLocal ? all : null };
            foreach (var address in outside)
            {
                yield return open with { Address = address };
            }

            if (port.NodePort is > 0 and var number)
            {
                yield return open with { Address = null, Port = number };
            }
        }
    }

    private static List<ServiceBackend> BackendsOf(IReadOnlyList<EndpointSlice> slices, ServicePort port, Func<Endpoint, bool> counts)
    {
        var candidates = new List<(EndpointConditions? Conditions, ServiceBackend Backend)>();
        foreach (var slice in slices)
        {
            var number = slice.Ports.FirstOrDefault(each => (each.Name ?? "") == (port.Name ?? "") && (each.Protocol ?? "TCP") == (port.Protocol ?? "TCP"))?.Port;
            if (number is not (> 0 and <= ushort.MaxValue))
            {
                continue;
            }

            foreach (var endpoint in slice.Endpoints.Where(counts))
            {
                if (endpoint.Addresses is [var text, ..] && ParseAddress(text) is { } address)
                {
                    candidates.Add((endpoint.Conditions, new ServiceBackend(address, number.Value)));
                }
            }
        }

        var ready = candidates.Where(each => each.Conditions?.Ready != false).Select(each => each.Backend).ToList();
        return ready.Count > 0 ? ready : [.. candidates.Where(each => each.Conditions is { Serving: true, Terminating: true }).Select(each => each.Backend)];
    }

    private static ServiceProtocol? ProtocolOf(string? text) => text switch
    {
        null or "" or "TCP" => ServiceProtocol.Tcp,
        "UDP" => ServiceProtocol.Udp,
        "SCTP" => ServiceProtocol.Sctp,
        _ => null,
    };
}
