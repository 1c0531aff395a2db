namespace Godwit.Api.Core.V1;

/// <summary>One place behind a service.</summary>
public sealed record EndpointAddress
{
    public string Ip { get; init => field = value ?? ""; } = "";

    public ObjectReference? TargetRef { get; init; }

    public string? Hostname { get; init; }

    public string? NodeName { get; init; }
}

/// <summary>One port of the places.</summary>
public sealed record EndpointPort
{
    public string? Name { get; init; }

    public int Port { get; init; }

    public string? Protocol { get; init; }

    public string? AppProtocol { get; init; }
}

/// <summary>Places with the same ports.</summary>
public sealed record EndpointSubset
{
    public IReadOnlyList<EndpointAddress> Addresses { get; init => field = value ?? []; } = [];

    public IReadOnlyList<EndpointAddress> NotReadyAddresses { get; init => field = value ?? []; } = [];

    public IReadOnlyList<EndpointPort> Ports { get; init => field = value ?? []; } = [];
}

/// <summary>The places behind the service of the same name.</summary>
public sealed record Endpoints() : Resource(Type), IResource<Endpoints>
{
    public static ResourceType Type { get; } = new("", "v1", "Endpoints", "endpoints", Namespaced: true);

    public IReadOnlyList<EndpointSubset> Subsets { get; init => field = value ?? []; } = [];
}
