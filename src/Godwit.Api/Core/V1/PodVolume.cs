using Godwit.Base;

namespace Godwit.Api.Core.V1;

/// <summary>Names an object of the same namespace.</summary>
public sealed record LocalObjectReference
{
    public string Name { get; init => field = value ?? ""; } = "";
}

/// <summary>A field of the pod.</summary>
public sealed record ObjectFieldSelector
{
    public string? ApiVersion { get; init; }

    public string FieldPath { get; init => field = value ?? ""; } = "";
}

/// <summary>A request or limit of a container.</summary>
public sealed record ResourceFieldSelector
{
    public string? ContainerName { get; init; }

    public string Resource { get; init => field = value ?? ""; } = "";

    public Quantity? Divisor { get; init; }
}

/// <summary>One value as a file.</summary>
public sealed record KeyToPath
{
    public string Key { get; init => field = value ?? ""; } = "";

    public string Path { get; init => field = value ?? ""; } = "";

    public int? Mode { get; init; }
}

/// <summary>The values of a ConfigMap as files.</summary>
public sealed record ConfigMapVolumeSource
{
    public string? Name { get; init; }

    public IReadOnlyList<KeyToPath> Items { get; init => field = value ?? []; } = [];

    public int? DefaultMode { get; init; }

    public bool? Optional { get; init; }
}

/// <summary>The values of a Secret as files, kept in memory.</summary>
public sealed record SecretVolumeSource
{
    public string? SecretName { get; init; }

    public IReadOnlyList<KeyToPath> Items { get; init => field = value ?? []; } = [];

    public int? DefaultMode { get; init; }

    public bool? Optional { get; init; }
}

/// <summary>One fact about the pod as a file.</summary>
public sealed record DownwardAPIVolumeFile
{
    public string Path { get; init => field = value ?? ""; } = "";

    public ObjectFieldSelector? FieldRef { get; init; }

    public ResourceFieldSelector? ResourceFieldRef { get; init; }

    public int? Mode { get; init; }
}

/// <summary>Facts about the pod as files.</summary>
public sealed record DownwardAPIVolumeSource
{
    public IReadOnlyList<DownwardAPIVolumeFile> Items { get; init => field = value ?? []; } = [];

    public int? DefaultMode { get; init; }
}

/// <summary>A file or folder of the node.</summary>
public sealed record HostPathVolumeSource
{
    public string Path { get; init => field = value ?? ""; } = "";

    public string? Type { get; init; }
}

/// <summary>An empty folder that lives as long as the pod.</summary>
public sealed record EmptyDirVolumeSource
{
    public string? Medium { get; init; }

    public Quantity? SizeLimit { get; init; }
}

/// <summary>A claimed volume.</summary>
public sealed record PersistentVolumeClaimVolumeSource
{
    public string ClaimName { get; init => field = value ?? ""; } = "";

    public bool? ReadOnly { get; init; }
}

/// <summary>Values of a ConfigMap among others.</summary>
public sealed record ConfigMapProjection
{
    public string? Name { get; init; }

    public IReadOnlyList<KeyToPath> Items { get; init => field = value ?? []; } = [];

    public bool? Optional { get; init; }
}

/// <summary>Values of a Secret among others.</summary>
public sealed record SecretProjection
{
    public string? Name { get; init; }

    public IReadOnlyList<KeyToPath> Items { get; init => field = value ?? []; } = [];

    public bool? Optional { get; init; }
}

/// <summary>Facts about the pod among others.</summary>
public sealed record DownwardAPIProjection
{
    public IReadOnlyList<DownwardAPIVolumeFile> Items { get; init => field = value ?? []; } = [];
}

/// <summary>A token of the pod's service account as a file, renewed before it ends.</summary>
public sealed record ServiceAccountTokenProjection
{
    public string? Audience { get; init; }

    public long? ExpirationSeconds { get; init; }

    public string Path { get; init => field = value ?? ""; } = "";
}

/// <summary>One source of a projected volume.</summary>
public sealed record VolumeProjection
{
    public SecretProjection? Secret { get; init; }

    public DownwardAPIProjection? DownwardAPI { get; init; }

    public ConfigMapProjection? ConfigMap { get; init; }

    public ServiceAccountTokenProjection? ServiceAccountToken { get; init; }
}

/// <summary>Several sources in one folder.</summary>
public sealed record ProjectedVolumeSource
{
    public IReadOnlyList<VolumeProjection> Sources { get; init => field = value ?? []; } = [];

    public int? DefaultMode { get; init; }
}

/// <summary>Something that containers of a pod can mount; exactly one source.</summary>
public sealed record PodVolume
{
    public string Name { get; init => field = value ?? ""; } = "";

    public HostPathVolumeSource? HostPath { get; init; }

    public EmptyDirVolumeSource? EmptyDir { get; init; }

    public SecretVolumeSource? Secret { get; init; }

    public PersistentVolumeClaimVolumeSource? PersistentVolumeClaim { get; init; }

    public DownwardAPIVolumeSource? DownwardAPI { get; init; }

    public ConfigMapVolumeSource? ConfigMap { get; init; }

    public ProjectedVolumeSource? Projected { get; init; }
}

/// <summary>Where a container sees a volume.</summary>
public sealed record VolumeMount
{
    public string Name { get; init => field = value ?? ""; } = "";

    public bool? ReadOnly { get; init; }

    public string MountPath { get; init => field = value ?? ""; } = "";

    public string? SubPath { get; init; }

    public string? MountPropagation { get; init; }

    public string? SubPathExpr { get; init; }
}
