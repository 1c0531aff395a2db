using Godwit.Api.Meta.V1;

namespace Godwit.Api.Core.V1;

/// <summary>Lets a guest onto nodes with a matching taint.</summary>
public sealed record Toleration
{
    public string? Key { get; init; }

    public string? Operator { get; init; }

    public string? Value { get; init; }

    public string? Effect { get; init; }

    public long? TolerationSeconds { get; init; }
}

/// <summary>A kernel setting of the pod's namespaces.</summary>
public sealed record Sysctl
{
    public string Name { get; init => field = value ?? ""; } = "";

    public string Value { get; init => field = value ?? ""; } = "";
}

/// <summary>What all containers of a pod may do.</summary>
public sealed record PodSecurityContext
{
    public long? RunAsUser { get; init; }

    public bool? RunAsNonRoot { get; init; }

    public IReadOnlyList<long> SupplementalGroups { get; init => field = value ?? []; } = [];

    public long? FsGroup { get; init; }

    public long? RunAsGroup { get; init; }

    public IReadOnlyList<Sysctl> Sysctls { get; init => field = value ?? []; } = [];

    public string? FsGroupChangePolicy { get; init; }

    public SeccompProfile? SeccompProfile { get; init; }
}

/// <summary>A line of /etc/hosts.</summary>
public sealed record HostAlias
{
    public string Ip { get; init => field = value ?? ""; } = "";

    public IReadOnlyList<string> Hostnames { get; init => field = value ?? []; } = [];
}

/// <summary>A resolver option.</summary>
public sealed record PodDNSConfigOption
{
    public string? Name { get; init; }

    public string? Value { get; init; }
}

/// <summary>How names are resolved, beside what dnsPolicy says.</summary>
public sealed record PodDNSConfig
{
    public IReadOnlyList<string> Nameservers { get; init => field = value ?? []; } = [];

    public IReadOnlyList<string> Searches { get; init => field = value ?? []; } = [];

    public IReadOnlyList<PodDNSConfigOption> Options { get; init => field = value ?? []; } = [];
}

/// <summary>A condition that must hold for the pod to be ready.</summary>
public sealed record PodReadinessGate
{
    public string ConditionType { get; init => field = value ?? ""; } = "";
}

/// <summary>What a pod is to be.</summary>
public sealed record PodSpec
{
    public IReadOnlyList<PodVolume> Volumes { get; init => field = value ?? []; } = [];

    public IReadOnlyList<Container> Containers { get; init => field = value ?? []; } = [];

    public string? RestartPolicy { get; init; }

    public long? TerminationGracePeriodSeconds { get; init; }

    public long? ActiveDeadlineSeconds { get; init; }

    public string? DnsPolicy { get; init; }

    public IReadOnlyDictionary<string, string> NodeSelector { get; init => field = value ?? ObjectMeta.Empty; } = ObjectMeta.Empty;

    public string? ServiceAccountName { get; init; }

    public string? ServiceAccount { get; init; }

    public string? NodeName { get; init; }

    public bool? HostNetwork { get; init; }

    public bool? HostPID { get; init; }

    public bool? HostIPC { get; init; }

    public PodSecurityContext? SecurityContext { get; init; }

    public IReadOnlyList<LocalObjectReference> ImagePullSecrets { get; init => field = value ?? []; } = [];

    public string? Hostname { get; init; }

    public string? Subdomain { get; init; }

    public Affinity? Affinity { get; init; }

    public string? SchedulerName { get; init; }

    public IReadOnlyList<Container> InitContainers { get; init => field = value ?? []; } = [];

    public bool? AutomountServiceAccountToken { get; init; }

    public IReadOnlyList<Toleration> Tolerations { get; init => field = value ?? []; } = [];

    public IReadOnlyList<HostAlias> HostAliases { get; init => field = value ?? []; } = [];

    public string? PriorityClassName { get; init; }

    public int? Priority { get; init; }

    public PodDNSConfig? DnsConfig { get; init; }

    public bool? ShareProcessNamespace { get; init; }

    public IReadOnlyList<PodReadinessGate> ReadinessGates { get; init => field = value ?? []; } = [];

    public bool? EnableServiceLinks { get; init; }

    public string? PreemptionPolicy { get; init; }

    public IReadOnlyList<TopologySpreadConstraint> TopologySpreadConstraints { get; init => field = value ?? []; } = [];

    public IReadOnlyList<EphemeralContainer> EphemeralContainers { get; init => field = value ?? []; } = [];
}

/// <summary>What the pods of an owner are made from.</summary>
public sealed record PodTemplate
{
    public ObjectMeta? Metadata { get; init; }

    public PodSpec? Spec { get; init; }
}
