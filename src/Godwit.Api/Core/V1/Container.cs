using Godwit.Base;

namespace Godwit.Api.Core.V1;

/// <summary>A port that a container listens on.</summary>
public sealed record ContainerPort
{
    public string? Name { get; init; }

    public int? HostPort { get; init; }

    [System.Text.Json.Serialization.JsonPropertyName("containerPort")]
    public int Number { get; init; }

    public string? Protocol { get; init; }

    public string? HostIP { get; init; }
}

/// <summary>One value of a ConfigMap.</summary>
public sealed record ConfigMapKeySelector
{
    public string? Name { get; init; }

    public string Key { get; init => field = value ?? ""; } = "";

    public bool? Optional { get; init; }
}

/// <summary>One value of a Secret.</summary>
public sealed record SecretKeySelector
{
    public string? Name { get; init; }

    public string Key { get; init => field = value ?? ""; } = "";

    public bool? Optional { get; init; }
}

/// <summary>Where a variable's value comes from; exactly one.</summary>
public sealed record EnvVarSource
{
    public ObjectFieldSelector? FieldRef { get; init; }

    public ResourceFieldSelector? ResourceFieldRef { get; init; }

    public ConfigMapKeySelector? ConfigMapKeyRef { get; init; }

    public SecretKeySelector? SecretKeyRef { get; init; }
}

/// <summary>An environment variable.</summary>
public sealed record EnvVar
{
    public string Name { get; init => field = value ?? ""; } = "";

    public string? Value { get; init; }

    public EnvVarSource? ValueFrom { get; init; }
}

/// <summary>All values of a ConfigMap.</summary>
public sealed record ConfigMapEnvSource
{
    public string? Name { get; init; }

    public bool? Optional { get; init; }
}

/// <summary>All values of a Secret.</summary>
public sealed record SecretEnvSource
{
    public string? Name { get; init; }

    public bool? Optional { get; init; }
}

/// <summary>Variables from all values of an object; exactly one.</summary>
public sealed record EnvFromSource
{
    public string? Prefix { get; init; }

    public ConfigMapEnvSource? ConfigMapRef { get; init; }

    public SecretEnvSource? SecretRef { get; init; }
}

/// <summary>What a container asks for and how much it may use.</summary>
public sealed record ContainerResources
{
    public IReadOnlyDictionary<string, Quantity> Limits { get; init => field = value ?? Quantities.None; } = Quantities.None;

    public IReadOnlyDictionary<string, Quantity> Requests { get; init => field = value ?? Quantities.None; } = Quantities.None;
}

/// <summary>Capabilities of a container's processes beside or without the usual ones.</summary>
public sealed record Capabilities
{
    public IReadOnlyList<string> Add { get; init => field = value ?? []; } = [];

    public IReadOnlyList<string> Drop { get; init => field = value ?? []; } = [];
}

/// <summary>Which system calls are let through.</summary>
public sealed record SeccompProfile
{
    public string Type { get; init => field = value ?? ""; } = "";

    public string? LocalhostProfile { get; init; }
}

/// <summary>What a container may do.</summary>
public sealed record SecurityContext
{
    public Capabilities? Capabilities { get; init; }

    public bool? Privileged { get; init; }

    public long? RunAsUser { get; init; }

    public bool? RunAsNonRoot { get; init; }

    public bool? ReadOnlyRootFilesystem { get; init; }

    public bool? AllowPrivilegeEscalation { get; init; }

    public long? RunAsGroup { get; init; }

    public SeccompProfile? SeccompProfile { get; init; }
}

/// <summary>One container of a pod.</summary>
public sealed record Container
{
    public string Name { get; init => field = value ?? ""; } = "";

    public string? Image { get; init; }

    public IReadOnlyList<string> Command { get; init => field = value ?? []; } = [];

    public IReadOnlyList<string> Args { get; init => field = value ?? []; } = [];

    public string? WorkingDir { get; init; }

    public IReadOnlyList<ContainerPort> Ports { get; init => field = value ?? []; } = [];

    public IReadOnlyList<EnvVar> Env { get; init => field = value ?? []; } = [];

    public ContainerResources? Resources { get; init; }

    public IReadOnlyList<VolumeMount> VolumeMounts { get; init => field = value ?? []; } = [];

    public Probe? LivenessProbe { get; init; }

    public Probe? ReadinessProbe { get; init; }

    public Lifecycle? Lifecycle { get; init; }

    public string? TerminationMessagePath { get; init; }

    public string? ImagePullPolicy { get; init; }

    public SecurityContext? SecurityContext { get; init; }

    public bool? Stdin { get; init; }

    public bool? StdinOnce { get; init; }

    public bool? Tty { get; init; }

    public IReadOnlyList<EnvFromSource> EnvFrom { get; init => field = value ?? []; } = [];

    public string? TerminationMessagePolicy { get; init; }

    public Probe? StartupProbe { get; init; }

    public string? RestartPolicy { get; init; }
}

/// <summary>A container added to a running pod to look into it.</summary>
public sealed record EphemeralContainer
{
    public string Name { get; init => field = value ?? ""; } = "";

    public string? Image { get; init; }

    public IReadOnlyList<string> Command { get; init => field = value ?? []; } = [];

    public IReadOnlyList<string> Args { get; init => field = value ?? []; } = [];

    public string? WorkingDir { get; init; }

    public IReadOnlyList<EnvVar> Env { get; init => field = value ?? []; } = [];

    public ContainerResources? Resources { get; init; }

    public IReadOnlyList<VolumeMount> VolumeMounts { get; init => field = value ?? []; } = [];

    public string? TerminationMessagePath { get; init; }

    public string? ImagePullPolicy { get; init; }

    public SecurityContext? SecurityContext { get; init; }

    public bool? Stdin { get; init; }

    public bool? StdinOnce { get; init; }

    public bool? Tty { get; init; }

    public IReadOnlyList<EnvFromSource> EnvFrom { get; init => field = value ?? []; } = [];

    public string? TerminationMessagePolicy { get; init; }

    public string? TargetContainerName { get; init; }
}
