using Godwit.Api.Core.V1;

namespace Godwit.Api.Discovery.V1;

/// <summary>What holds of an endpoint.</summary>
public sealed record EndpointConditions
{
    public bool? Ready { get; init; }

    public bool? Serving { get; init; }

    public bool? Terminating { get; init; }
}

/// <summary>One place behind a service.</summary>
public sealed record Endpoint
{
    public IReadOnlyList<string> Addresses { get; init => field = value ?? []; } = [];

    public EndpointConditions? Conditions { get; init; }

    public string? Hostname { get; init; }

    public ObjectReference? TargetRef { get; init; }

    public string? NodeName { get; init; }

    public string? Zone { get; init; }
}

/// <summary>One port of the places.</summary>
public sealed record SlicePort
{
    public string? Name { get; init; }

    public string? Protocol { get; init; }

    public int? Port { get; init; }

    public string? AppProtocol { get; init; }
}

/// <summary>Some of the places behind a service.</summary>
public sealed record EndpointSlice() : Resource(Type), IResource<EndpointSlice>
{
    public static ResourceType Type { get; } = new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", Namespaced: true);

    public IReadOnlyList<Endpoint> Endpoints { get; init => field = value ?? []; } = [];

    public IReadOnlyList<SlicePort> Ports { get; init => field = value ?? []; } = [];

    public string AddressType { get; init => field = value ?? ""; } = "";
}
