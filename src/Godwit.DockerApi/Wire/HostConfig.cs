using System.Text.Json.Serialization;

namespace Godwit.DockerApi.Wire;

/// <summary>A container's configuration that depends on its host.</summary>
internal sealed record HostConfig
{
    public IReadOnlyList<string>? Binds { get; init; }

    public string? ContainerIDFile { get; init; }

    public LogConfig? LogConfig { get; init; }

    public string? NetworkMode { get; init; }

    public IReadOnlyDictionary<string, IReadOnlyList<PortBindingBody>?>? PortBindings { get; init; }

    public RestartPolicyBody? RestartPolicy { get; init; }

    public bool AutoRemove { get; init; }

    public string? VolumeDriver { get; init; }

    public IReadOnlyList<string>? VolumesFrom { get; init; }

    /// <summary>Rows and columns.</summary>
    public IReadOnlyList<int>? ConsoleSize { get; init; }

    public IReadOnlyDictionary<string, string>? Annotations { get; init; }

    public IReadOnlyList<string>? CapAdd { get; init; }

    public IReadOnlyList<string>? CapDrop { get; init; }

    public string? CgroupnsMode { get; init; }

    public IReadOnlyList<string>? Dns { get; init; }

    public IReadOnlyList<string>? DnsOptions { get; init; }

    public IReadOnlyList<string>? DnsSearch { get; init; }

    public IReadOnlyList<string>? ExtraHosts { get; init; }

    public IReadOnlyList<string>? GroupAdd { get; init; }

    public string? IpcMode { get; init; }

    public IReadOnlyList<string>? Links { get; init; }

    public int OomScoreAdj { get; init; }

    public string? PidMode { get; init; }

    public bool Privileged { get; init; }

    public bool PublishAllPorts { get; init; }

    public bool ReadonlyRootfs { get; init; }

    public IReadOnlyList<string>? SecurityOpt { get; init; }

    public IReadOnlyDictionary<string, string>? StorageOpt { get; init; }

    public IReadOnlyDictionary<string, string>? Tmpfs { get; init; }

    public string? UTSMode { get; init; }

    public string? UsernsMode { get; init; }

    public long ShmSize { get; init; }

    public IReadOnlyDictionary<string, string>? Sysctls { get; init; }

    public string? Runtime { get; init; }

    public string? Isolation { get; init; }

    public bool? Init { get; init; }

    public IReadOnlyList<MountBody>? Mounts { get; init; }

    public IReadOnlyList<string>? MaskedPaths { get; init; }

    public IReadOnlyList<string>? ReadonlyPaths { get; init; }

    public long CpuShares { get; init; }

    public long Memory { get; init; }

    public long NanoCpus { get; init; }

    public string? CgroupParent { get; init; }

    public int BlkioWeight { get; init; }

    public IReadOnlyList<WeightDevice>? BlkioWeightDevice { get; init; }

    public IReadOnlyList<ThrottleDeviceBody>? BlkioDeviceReadBps { get; init; }

    public IReadOnlyList<ThrottleDeviceBody>? BlkioDeviceWriteBps { get; init; }

    [JsonPropertyName("BlkioDeviceReadIOps")]
    public IReadOnlyList<ThrottleDeviceBody>? BlkioDeviceReadIops { get; init; }

    [JsonPropertyName("BlkioDeviceWriteIOps")]
    public IReadOnlyList<ThrottleDeviceBody>? BlkioDeviceWriteIops { get; init; }

    public long CpuPeriod { get; init; }

    public long CpuQuota { get; init; }

    public long CpuRealtimePeriod { get; init; }

    public long CpuRealtimeRuntime { get; init; }

    public string? CpusetCpus { get; init; }

    public string? CpusetMems { get; init; }

    public IReadOnlyList<DeviceBody>? Devices { get; init; }

    public IReadOnlyList<string>? DeviceCgroupRules { get; init; }

    public IReadOnlyList<DeviceRequest>? DeviceRequests { get; init; }

    public long MemoryReservation { get; init; }

    public long MemorySwap { get; init; }

    public long? MemorySwappiness { get; init; }

    public bool? OomKillDisable { get; init; }

    public long? PidsLimit { get; init; }

    public IReadOnlyList<UlimitBody>? Ulimits { get; init; }
}

internal sealed record LogConfig(string? Type, IReadOnlyDictionary<string, string>? Config);

internal sealed record PortBindingBody(string? HostIp, string? HostPort);

internal sealed record RestartPolicyBody(string? Name, int MaximumRetryCount = 0);

internal sealed record WeightDevice(string? Path, int Weight);

internal sealed record ThrottleDeviceBody(string? Path, ulong Rate);

internal sealed record DeviceBody(string? PathOnHost, string? PathInContainer, string? CgroupPermissions);

internal sealed record DeviceRequest(string? Driver);

internal sealed record UlimitBody(string? Name, long Hard, long Soft);

internal sealed record MountBody
{
    public string? Type { get; init; }

    public string? Source { get; init; }

    public string? Target { get; init; }

    public bool ReadOnly { get; init; }

    public string? Consistency { get; init; }

    public BindOptionsBody? BindOptions { get; init; }

    public VolumeOptionsBody? VolumeOptions { get; init; }

    public TmpfsOptionsBody? TmpfsOptions { get; init; }
}

internal sealed record BindOptionsBody(string? Propagation, bool NonRecursive, bool CreateMountpoint);

internal sealed record VolumeOptionsBody(bool NoCopy, IReadOnlyDictionary<string, string>? Labels, DriverConfigBody? DriverConfig, string? Subpath);

internal sealed record DriverConfigBody(string? Name, IReadOnlyDictionary<string, string>? Options);

internal sealed record TmpfsOptionsBody(long SizeBytes, uint Mode, IReadOnlyList<IReadOnlyList<string>>? Options);

/// <summary>Body of <c>containers/{id}/update</c>: the resources of <see cref="HostConfig"/> that may change.</summary>
internal sealed record UpdateContainerBody
{
    public long CpuShares { get; init; }

    public long Memory { get; init; }

    public long NanoCpus { get; init; }

    public int BlkioWeight { get; init; }

    public long CpuPeriod { get; init; }

    public long CpuQuota { get; init; }

    public string? CpusetCpus { get; init; }

    public string? CpusetMems { get; init; }

    public long MemoryReservation { get; init; }

    public long MemorySwap { get; init; }

    public long? PidsLimit { get; init; }

    public RestartPolicyBody? RestartPolicy { get; init; }
}
