using Godwit.Api.Discovery.V1;
using Godwit.Controllers.Workloads;

namespace Godwit.Controllers.Services;

/// <summary>The places behind a service, as both kinds of objects tell them.</summary>
internal sealed record EndpointPlan(IReadOnlyList<EndpointSlice> Slices, Endpoints Endpoints);

/// <summary>
/// Finds what a service selects: pods, and virtual machines, which have labels and addresses like them. Ready means that it may
/// have new connections: its own word says so and it is not being deleted. What is being deleted and still serves is told as
/// <c>serving</c> and <c>terminating</c>, for those who must have somebody.
/// </summary>
internal static class EndpointPlanner
{
    public const string ServiceLabel = "kubernetes.io/service-name";
    public const string ManagerLabel = "endpointslice.kubernetes.io/managed-by";
    public const string Manager = "godwit-controllers";

    /// <summary>Endpoints in one slice, so that a change of one does not send all of them to every node.</summary>
    public const int SliceEndpointsMax = 100;

    /// <summary>The old kind holds this many and says that it is cut off.</summary>
    private const int EndpointsMax = 1_000;

    /// <param name="service">One with a selector.</param>
    /// <param name="pods">Pods; of any namespace.</param>
    /// <param name="guests">Virtual machines; of any namespace.</param>
    public static EndpointPlan For(Service service, IEnumerable<Pod> pods, IEnumerable<VirtualMachineInstance> guests)
    {
        var places = pods.Where(pod => Selects(service, pod)).Select(pod => PlaceOf(service, pod))
            .Concat(guests.Where(guest => Selects(service, guest)).Select(guest => PlaceOf(service, guest)))
            .OfType<Place>()
            .OrderBy(place => place.Endpoint.TargetRef!.Kind, StringComparer.Ordinal)
            .ThenBy(place => place.Endpoint.TargetRef!.Name, StringComparer.Ordinal)
            .GroupBy(place => string.Join(',', place.Ports.Select(port => $"{port.Name}/{port.Protocol}/{port.Port}")), StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => group.ToList())
            .ToList();
        var slices = places.SelectMany(group => group.Chunk(SliceEndpointsMax)).Select((chunk, index) => SliceOf(service, chunk, index)).ToList();
        return new EndpointPlan(slices, EndpointsOf(service, places));
    }

    /// <summary>Whether the service might send to this object: its labels are what counts.</summary>
    public static bool Selects(Service service, Resource resource)
    {
        if (service.Spec.Selector.Count == 0 || resource.Metadata.Namespace != service.Metadata.Namespace)
        {
            return false;
        }

        foreach (var (label, value) in service.Spec.Selector)
        {
            if (!resource.Metadata.Labels.TryGetValue(label, out var has) || has != value)
            {
                return false;
            }
        }

        return true;
    }

    private static Place? PlaceOf(Service service, Pod pod)
    {
        if (PodPhases.IsFinal(pod.Status.Phase) || string.IsNullOrEmpty(pod.Spec.NodeName) || string.IsNullOrEmpty(pod.Status.PodIP))
        {
            return null;
        }

        var hostname = pod.Spec.Subdomain == service.Metadata.Name && !string.IsNullOrEmpty(pod.Spec.Hostname) ? pod.Spec.Hostname : null;
        var containers = pod.Spec.InitContainers.Where(each => each.RestartPolicy == "Always").Concat(pod.Spec.Containers);
        var named = containers.SelectMany(container => container.Ports).ToList();
        var ports = PortsOf(service, port => named.FirstOrDefault(each => each.Name == port.TargetPort?.Text && (each.Protocol ?? "TCP") == (port.Protocol ?? "TCP"))?.Number);
        return MakePlace(service, pod, new State(pod.Status.PodIP, pod.Spec.NodeName, PodFacts.IsReady(pod), hostname), ports);
    }

    private static Place? PlaceOf(Service service, VirtualMachineInstance guest)
    {
        var address = guest.Status.Interfaces is [var first, ..] ? first.IpAddress : null;
        if (guest.Status.Phase != VirtualMachineInstancePhases.Running || string.IsNullOrEmpty(address))
        {
            return null;
        }

        // A guest that says nothing of its readiness runs, and that is all that can be known.
        var ready = Conditions.Find(guest.Status.Conditions, VirtualMachineInstanceConditions.Ready)?.Status is null or ConditionStatuses.True;
        return MakePlace(service, guest, new State(address, guest.Status.NodeName, ready, null), PortsOf(service, _ => null));
    }

    /// <summary>Ports that the place has; null where a name of the service's is no port of it.</summary>
    private static List<SlicePort> PortsOf(Service service, Func<ServicePort, int?> find) =>
    [
        .. service.Spec.Ports
            .Select(port => new SlicePort
            {
                Name = port.Name ?? "",
                Protocol = port.Protocol ?? "TCP",
                AppProtocol = port.AppProtocol,
                Port = port.TargetPort is { Text: { Length: > 0 } } ? find(port) : port.TargetPort is { Number: > 0 } number ? number.Number : port.Port,
            })
            .Where(port => port.Port is not null),
    ];

    private static Place? MakePlace(Service service, Resource target, State state, List<SlicePort> ports)
    {
        if (ports.Count == 0 && service.Spec.Ports.Count > 0)
        {
            return null;
        }

        var terminating = target.Metadata.DeletionTimestamp is not null;
        return new Place(
            new Endpoint
            {
                Addresses = [state.Address],
                NodeName = state.NodeName,
                Hostname = state.Hostname,
                TargetRef = new ObjectReference { Kind = target.Kind, Namespace = target.Metadata.Namespace, Name = target.Metadata.Name, Uid = target.Metadata.Uid },
                Conditions = new EndpointConditions
                {
                    Ready = service.Spec.PublishNotReadyAddresses == true || (state.IsReady && !terminating),
                    Serving = state.IsReady,
                    Terminating = terminating,
                },
            },
            ports);
    }

    private static EndpointSlice SliceOf(Service service, IReadOnlyList<Place> places, int index) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = service.Metadata.Namespace,
            Name = $"{service.Metadata.Name}-{index}",
            Labels = PodTemplates.With(service.Metadata.Labels, new Dictionary<string, string> { [ServiceLabel] = service.Metadata.Name, [ManagerLabel] = Manager }),
            OwnerReferences = [PodTemplates.ReferenceTo(service)],
        },
        AddressType = "IPv4",
        Endpoints = [.. places.Select(place => place.Endpoint)],
        Ports = places[0].Ports,
    };

    private static Endpoints EndpointsOf(Service service, IEnumerable<IReadOnlyList<Place>> groups) => new()
    {
        Metadata = new ObjectMeta
        {
            Namespace = service.Metadata.Namespace,
            Name = service.Metadata.Name,
            Labels = PodTemplates.With(service.Metadata.Labels, new Dictionary<string, string> { ["endpoints.kubernetes.io/managed-by"] = Manager }),
            OwnerReferences = [PodTemplates.ReferenceTo(service)],
        },
        Subsets =
        [
            .. groups.Select(group => new EndpointSubset
            {
                Addresses = [.. group.Where(place => place.Endpoint.Conditions!.Ready == true).Take(EndpointsMax).Select(AddressOf)],
                NotReadyAddresses = [.. group.Where(place => place.Endpoint.Conditions is { Ready: false, Terminating: false }).Take(EndpointsMax).Select(AddressOf)],
                Ports = [.. group[0].Ports.Select(port => new EndpointPort { Name = port.Name is { Length: > 0 } ? port.Name : null, Port = port.Port!.Value, Protocol = port.Protocol, AppProtocol = port.AppProtocol })],
            }).Where(subset => subset.Addresses.Count + subset.NotReadyAddresses.Count > 0),
        ],
    };

    private static EndpointAddress AddressOf(Place place) => new()
    {
        Ip = place.Endpoint.Addresses[0],
        NodeName = place.Endpoint.NodeName,
        Hostname = place.Endpoint.Hostname,
        TargetRef = place.Endpoint.TargetRef,
    };

    private sealed record Place(Endpoint Endpoint, IReadOnlyList<SlicePort> Ports);

    private readonly record struct State(string Address, string? NodeName, bool IsReady, string? Hostname);
}
