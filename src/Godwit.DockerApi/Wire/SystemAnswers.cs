using System.Text.Json.Serialization;

namespace Godwit.DockerApi.Wire;

internal sealed record ErrorAnswer([property: JsonPropertyName("message")] string Message);

internal sealed record VersionAnswer
{
    public required NamedPlatform Platform { get; init; }

    public required string Version { get; init; }

    public required string ApiVersion { get; init; }

    public required string MinAPIVersion { get; init; }

    public string GitCommit { get; init; } = "";

    public string GoVersion { get; init; } = "";

    public required string Os { get; init; }

    public required string Arch { get; init; }

    public required string KernelVersion { get; init; }

    public string BuildTime { get; init; } = "";

    public required IReadOnlyList<VersionComponent> Components { get; init; }
}

internal sealed record NamedPlatform(string Name);

internal sealed record VersionComponent(string Name, string Version, IReadOnlyDictionary<string, string> Details);

internal sealed record InfoAnswer
{
    public required string ID { get; init; }

    public required int Containers { get; init; }

    public required int ContainersRunning { get; init; }

    public required int ContainersPaused { get; init; }

    public required int ContainersStopped { get; init; }

    public required int Images { get; init; }

    public string Driver { get; init; } = "overlay2";

    public IReadOnlyList<IReadOnlyList<string>> DriverStatus { get; init; } = [];

    public required InfoPlugins Plugins { get; init; }

    public bool MemoryLimit { get; init; } = true;

    public required bool SwapLimit { get; init; }

    public bool CpuCfsPeriod { get; init; } = true;

    public bool CpuCfsQuota { get; init; } = true;

    public bool CPUShares { get; init; } = true;

    public bool CPUSet { get; init; } = true;

    public bool PidsLimit { get; init; } = true;

    public bool IPv4Forwarding { get; init; } = true;

    public bool Debug { get; init; }

    public int NFd { get; init; }

    public bool OomKillDisable { get; init; }

    public int NGoroutines { get; init; }

    public required string SystemTime { get; init; }

    public string LoggingDriver { get; init; } = "json-file";

    public string CgroupDriver { get; init; } = "cgroupfs";

    public required string CgroupVersion { get; init; }

    public int NEventsListener { get; init; }

    public required string KernelVersion { get; init; }

    public required string OperatingSystem { get; init; }

    public required string OSVersion { get; init; }

    public string OSType { get; init; } = "linux";

    public required string Architecture { get; init; }

    public string IndexServerAddress { get; init; } = "";

    public required int NCPU { get; init; }

    public required long MemTotal { get; init; }

    public required string DockerRootDir { get; init; }

    public required string Name { get; init; }

    public IReadOnlyList<string> Labels { get; init; } = [];

    public bool ExperimentalBuild { get; init; }

    public required string ServerVersion { get; init; }

    public IReadOnlyDictionary<string, RuntimeEntry> Runtimes { get; init; } = new Dictionary<string, RuntimeEntry>(StringComparer.Ordinal);

    public string DefaultRuntime { get; init; } = "crun";

    public required SwarmAnswer Swarm { get; init; }

    public bool LiveRestoreEnabled { get; init; } = true;

    public string Isolation { get; init; } = "";

    public string InitBinary { get; init; } = "tini-static";

    public required IReadOnlyList<string> SecurityOptions { get; init; }

    public IReadOnlyList<string> Warnings { get; init; } = [];
}

internal sealed record RuntimeEntry([property: JsonPropertyName("path")] string Path);

internal sealed record InfoPlugins(IReadOnlyList<string> Volume, IReadOnlyList<string> Network, IReadOnlyList<string>? Authorization, IReadOnlyList<string> Log);

internal sealed record SwarmAnswer(string LocalNodeState, bool ControlAvailable);

internal sealed record EventAnswer
{
    [JsonPropertyName("status")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Status { get; init; }

    [JsonPropertyName("id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Id { get; init; }

    [JsonPropertyName("from")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? From { get; init; }

    public required string Type { get; init; }

    public required string Action { get; init; }

    public required EventActor Actor { get; init; }

    [JsonPropertyName("scope")]
    public string Scope { get; init; } = "local";

    [JsonPropertyName("time")]
    public required long Time { get; init; }

    [JsonPropertyName("timeNano")]
    public required long TimeNano { get; init; }
}

internal sealed record EventActor(string ID, IReadOnlyDictionary<string, string> Attributes);

/// <summary>A line of a pull, push, load, import or build.</summary>
internal sealed record ProgressLine
{
    [JsonPropertyName("stream")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Stream { get; init; }

    [JsonPropertyName("status")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Status { get; init; }

    [JsonPropertyName("progressDetail")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ProgressDetail? ProgressDetail { get; init; }

    [JsonPropertyName("progress")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Progress { get; init; }

    [JsonPropertyName("id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Id { get; init; }

    [JsonPropertyName("errorDetail")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ErrorDetail? ErrorDetail { get; init; }

    [JsonPropertyName("error")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; init; }

    [JsonPropertyName("aux")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ProgressResult? Result { get; init; }
}

internal sealed record ProgressDetail
{
    [JsonPropertyName("current")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Current { get; init; }

    [JsonPropertyName("total")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Total { get; init; }
}

internal sealed record ErrorDetail([property: JsonPropertyName("message")] string Message)
{
    /// <summary>The exit code of the step that failed; the client exits with it.</summary>
    [JsonPropertyName("code")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Code { get; init; }
}

/// <summary>What a push or build has made.</summary>
internal sealed record ProgressResult
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ID { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Tag { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Digest { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Size { get; init; }
}

internal sealed record AuthBody
{
    [JsonPropertyName("username")]
    public string? UserName { get; init; }

    [JsonPropertyName("password")]
    public string? Password { get; init; }

    [JsonPropertyName("identitytoken")]
    public string? IdentityToken { get; init; }

    [JsonPropertyName("registrytoken")]
    public string? RegistryToken { get; init; }

    [JsonPropertyName("serveraddress")]
    public string? ServerAddress { get; init; }

    public override string ToString() => "credentials";
}

internal sealed record AuthAnswer(string Status, string IdentityToken);

internal sealed record DiskUsageAnswer
{
    public required long LayersSize { get; init; }

    public required IReadOnlyList<ImageListEntry> Images { get; init; }

    public required IReadOnlyList<ContainerListEntry> Containers { get; init; }

    public required IReadOnlyList<VolumeBody> Volumes { get; init; }

    public IReadOnlyList<string> BuildCache { get; init; } = [];
}
