using Godwit.Api.Meta.V1;

namespace Godwit.Api.Core.V1;

/// <summary>A port of a service.</summary>
public sealed record ServicePort
{
    public string? Name { get; init; }

    public string? Protocol { get; init; }

    public int Port { get; init; }

    public IntOrText? TargetPort { get; init; }

    public int? NodePort { get; init; }

    public string? AppProtocol { get; init; }
}

/// <summary>Affinity by the client's address.</summary>
public sealed record ClientIPConfig
{
    public int? TimeoutSeconds { get; init; }
}

/// <summary>How clients are held to pods.</summary>
public sealed record SessionAffinityConfig
{
    public ClientIPConfig? ClientIP { get; init; }
}

/// <summary>What a service is to be.</summary>
public sealed record ServiceSpec
{
    public IReadOnlyList<ServicePort> Ports { get; init => field = value ?? []; } = [];

    public IReadOnlyDictionary<string, string> Selector { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;

    public string? ClusterIP { get; init; }

    public string? Type { get; init; }

    public IReadOnlyList<string> ExternalIPs { get; init => field = value ?? []; } = [];

    public string? SessionAffinity { get; init; }

    public string? LoadBalancerIP { get; init; }

    public IReadOnlyList<string> LoadBalancerSourceRanges { get; init => field = value ?? []; } = [];

    public string? ExternalName { get; init; }

    public string? ExternalTrafficPolicy { get; init; }

    public int? HealthCheckNodePort { get; init; }

    public bool? PublishNotReadyAddresses { get; init; }

    public SessionAffinityConfig? SessionAffinityConfig { get; init; }

    public string? IpFamilyPolicy { get; init; }

    public IReadOnlyList<string> ClusterIPs { get; init => field = value ?? []; } = [];

    public IReadOnlyList<string> IpFamilies { get; init => field = value ?? []; } = [];

    public bool? AllocateLoadBalancerNodePorts { get; init; }

    public string? LoadBalancerClass { get; init; }

    public string? InternalTrafficPolicy { get; init; }
}

/// <summary>Where a balancer takes traffic.</summary>
public sealed record LoadBalancerIngress
{
    public string? Ip { get; init; }

    public string? Hostname { get; init; }

    public string? IpMode { get; init; }
}

/// <summary>What the balancer is.</summary>
public sealed record LoadBalancerStatus
{
    public IReadOnlyList<LoadBalancerIngress> Ingress { get; init => field = value ?? []; } = [];
}

/// <summary>What a service is.</summary>
public sealed record ServiceStatus
{
    public LoadBalancerStatus? LoadBalancer { get; init; }

    public IReadOnlyList<Condition> Conditions { get; init => field = value ?? []; } = [];
}

/// <summary>A name and address for whatever has the labels.</summary>
public sealed record Service() : Resource(Type), IResource<Service>
{
    public static ResourceType Type { get; } = new("", "v1", "Service", "services", Namespaced: true);

    public ServiceSpec Spec { get; init => field = value ?? new(); } = new();

    public ServiceStatus Status { get; init => field = value ?? new(); } = new();
}
