using System.Text.Json.Serialization;

namespace Godwit.Oci.Runtime;

/// <summary>A container's bundle configuration, <c>config.json</c>. Source: OCI runtime specification 1.1. Only what this engine says is here.</summary>
public sealed record RuntimeSpec
{
    public string OciVersion { get; init; } = "1.0.2";

    public required RuntimeProcess Process { get; init; }

    public required RuntimeRoot Root { get; init; }

    [JsonPropertyName("hostname")]
    public string? HostName { get; init; }

    [JsonPropertyName("domainname")]
    public string? DomainName { get; init; }

    public IReadOnlyList<RuntimeMount> Mounts { get; init; } = [];

    public IReadOnlyDictionary<string, string>? Annotations { get; init; }

    public required RuntimeLinux Linux { get; init; }
}

/// <summary>Also the form of a program to be executed in a running container.</summary>
public sealed record RuntimeProcess
{
    public bool Terminal { get; init; }

    public RuntimeConsoleSize? ConsoleSize { get; init; }

    public required RuntimeUser User { get; init; }

    public required IReadOnlyList<string> Args { get; init; }

    public IReadOnlyList<string> Env { get; init; } = [];

    public string Cwd { get; init; } = "/";

    public RuntimeCapabilities? Capabilities { get; init; }

    public IReadOnlyList<RuntimeRlimit>? Rlimits { get; init; }

    public bool NoNewPrivileges { get; init; }

    public int? OomScoreAdj { get; init; }
}

public sealed record RuntimeConsoleSize(int Height, int Width);

public sealed record RuntimeUser(uint Uid, uint Gid)
{
    public uint? Umask { get; init; }

    public IReadOnlyList<uint>? AdditionalGids { get; init; }
}

public sealed record RuntimeCapabilities
{
    public IReadOnlyList<string>? Bounding { get; init; }

    public IReadOnlyList<string>? Effective { get; init; }

    public IReadOnlyList<string>? Permitted { get; init; }

    public IReadOnlyList<string>? Inheritable { get; init; }
}

/// <param name="Type">As <c>RLIMIT_NOFILE</c>.</param>
public sealed record RuntimeRlimit(string Type, ulong Soft, ulong Hard);

public sealed record RuntimeRoot(string Path)
{
    [JsonPropertyName("readonly")]
    public bool ReadOnly { get; init; }
}

public sealed record RuntimeMount(string Destination, string Type, string Source)
{
    public IReadOnlyList<string> Options { get; init; } = [];
}

public sealed record RuntimeLinux
{
    public IReadOnlyList<RuntimeIdMapping>? UidMappings { get; init; }

    public IReadOnlyList<RuntimeIdMapping>? GidMappings { get; init; }

    public IReadOnlyDictionary<string, string>? Sysctl { get; init; }

    public RuntimeResources? Resources { get; init; }

    public string? CgroupsPath { get; init; }

    public IReadOnlyList<RuntimeNamespace> Namespaces { get; init; } = [];

    public IReadOnlyList<RuntimeDevice>? Devices { get; init; }

    public RuntimeSeccomp? Seccomp { get; init; }

    public string? RootfsPropagation { get; init; }

    public IReadOnlyList<string>? MaskedPaths { get; init; }

    [JsonPropertyName("readonlyPaths")]
    public IReadOnlyList<string>? ReadOnlyPaths { get; init; }
}

public sealed record RuntimeIdMapping([property: JsonPropertyName("containerID")] uint ContainerId, [property: JsonPropertyName("hostID")] uint HostId, uint Size);

/// <param name="Path">Null: a new one.</param>
public sealed record RuntimeNamespace(string Type, string? Path = null);

/// <param name="Type"><c>c</c>, <c>b</c> or <c>p</c>.</param>
public sealed record RuntimeDevice(string Path, string Type, long Major, long Minor)
{
    public uint FileMode { get; init; } = 0b110_110_110;

    public uint Uid { get; init; }

    public uint Gid { get; init; }
}

public sealed record RuntimeResources
{
    public IReadOnlyList<RuntimeDeviceRule>? Devices { get; init; }

    public RuntimeMemory? Memory { get; init; }

    public RuntimeCpu? Cpu { get; init; }

    public RuntimePids? Pids { get; init; }

    [JsonPropertyName("blockIO")]
    public RuntimeBlockIo? BlockIo { get; init; }
}

/// <summary>Null numbers stand for all.</summary>
public sealed record RuntimeDeviceRule(bool Allow, string Access)
{
    public string? Type { get; init; }

    public long? Major { get; init; }

    public long? Minor { get; init; }
}

public sealed record RuntimeMemory
{
    public long? Limit { get; init; }

    public long? Reservation { get; init; }

    public long? Swap { get; init; }
}

public sealed record RuntimeCpu
{
    public ulong? Shares { get; init; }

    public long? Quota { get; init; }

    public ulong? Period { get; init; }

    public string? Cpus { get; init; }

    public string? Mems { get; init; }
}

public sealed record RuntimePids(long Limit);

public sealed record RuntimeBlockIo
{
    public IReadOnlyList<RuntimeThrottle>? ThrottleReadBpsDevice { get; init; }

    public IReadOnlyList<RuntimeThrottle>? ThrottleWriteBpsDevice { get; init; }

    [JsonPropertyName("throttleReadIOPSDevice")]
    public IReadOnlyList<RuntimeThrottle>? ThrottleReadIopsDevice { get; init; }

    [JsonPropertyName("throttleWriteIOPSDevice")]
    public IReadOnlyList<RuntimeThrottle>? ThrottleWriteIopsDevice { get; init; }
}

public sealed record RuntimeThrottle(long Major, long Minor, ulong Rate);

public sealed record RuntimeSeccomp
{
    public required string DefaultAction { get; init; }

    public uint? DefaultErrnoRet { get; init; }

    public IReadOnlyList<string>? Architectures { get; init; }

    public IReadOnlyList<RuntimeSystemCalls> Syscalls { get; init; } = [];
}

public sealed record RuntimeSystemCalls(IReadOnlyList<string> Names, string Action)
{
    public uint? ErrnoRet { get; init; }

    public IReadOnlyList<RuntimeSystemCallArgument>? Args { get; init; }
}

/// <param name="Op">Such as <c>SCMP_CMP_MASKED_EQ</c>, where <paramref name="Value"/> is the mask.</param>
public sealed record RuntimeSystemCallArgument(uint Index, ulong Value, ulong ValueTwo, string Op);

/// <summary>The JSON of the runtime specification.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RuntimeSpec))]
[JsonSerializable(typeof(RuntimeProcess))]
[JsonSerializable(typeof(RuntimeResources))]
public sealed partial class RuntimeJson : JsonSerializerContext;
