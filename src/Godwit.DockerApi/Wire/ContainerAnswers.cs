using System.Text.Json.Serialization;

namespace Godwit.DockerApi.Wire;

/// <summary>A line of <c>containers/json</c>.</summary>
internal sealed record ContainerListEntry
{
    public required string Id { get; init; }

    public required IReadOnlyList<string> Names { get; init; }

    public required string Image { get; init; }

    public required string ImageID { get; init; }

    public required string Command { get; init; }

    public required long Created { get; init; }

    public required IReadOnlyList<PortEntry> Ports { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? SizeRw { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? SizeRootFs { get; init; }

    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    public required string State { get; init; }

    public required string Status { get; init; }

    public required HostConfigSummary HostConfig { get; init; }

    public required NetworkSettingsSummary NetworkSettings { get; init; }

    public required IReadOnlyList<MountPointBody> Mounts { get; init; }
}

internal sealed record HostConfigSummary(string NetworkMode);

internal sealed record NetworkSettingsSummary(IReadOnlyDictionary<string, EndpointSettings?> Networks);

internal sealed record PortEntry
{
    [JsonPropertyName("IP")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Address { get; init; }

    public required ushort PrivatePort { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ushort? PublicPort { get; init; }

    public required string Type { get; init; }
}

internal sealed record MountPointBody
{
    public required string Type { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Name { get; init; }

    public required string Source { get; init; }

    public required string Destination { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Driver { get; init; }

    public required string Mode { get; init; }

    public required bool RW { get; init; }

    public required string Propagation { get; init; }
}

/// <summary>The answer to <c>containers/{id}/json</c>.</summary>
internal sealed record ContainerInspection
{
    public required string Id { get; init; }

    public required string Created { get; init; }

    public required string Path { get; init; }

    public required IReadOnlyList<string> Args { get; init; }

    public required StateBody State { get; init; }

    public required string Image { get; init; }

    public required string ResolvConfPath { get; init; }

    public required string HostnamePath { get; init; }

    public required string HostsPath { get; init; }

    public required string LogPath { get; init; }

    public required string Name { get; init; }

    public required int RestartCount { get; init; }

    public string Driver { get; init; } = "overlay2";

    public string Platform { get; init; } = "linux";

    public string MountLabel { get; init; } = "";

    public string ProcessLabel { get; init; } = "";

    public string AppArmorProfile { get; init; } = "";

    public required IReadOnlyList<string>? ExecIDs { get; init; }

    public required HostConfig HostConfig { get; init; }

    public GraphDriver GraphDriver { get; init; } = GraphDriver.Overlay;

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? SizeRw { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? SizeRootFs { get; init; }

    public required IReadOnlyList<MountPointBody> Mounts { get; init; }

    public required ContainerConfig Config { get; init; }

    public required NetworkSettings NetworkSettings { get; init; }
}

internal sealed record GraphDriver(IReadOnlyDictionary<string, string>? Data, string Name)
{
    public static GraphDriver Overlay { get; } = new(null, "overlay2");
}

internal sealed record StateBody
{
    public required string Status { get; init; }

    public bool Running { get; init; }

    public bool Paused { get; init; }

    public bool Restarting { get; init; }

    public bool OOMKilled { get; init; }

    public bool Dead { get; init; }

    public int Pid { get; init; }

    public int ExitCode { get; init; }

    public string Error { get; init; } = "";

    public required string StartedAt { get; init; }

    public required string FinishedAt { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HealthBody? Health { get; init; }
}

internal sealed record HealthBody(string Status, int FailingStreak, IReadOnlyList<HealthLogEntry> Log);

internal sealed record HealthLogEntry(string Start, string End, int ExitCode, string Output);

internal sealed record NetworkSettings
{
    public string Bridge { get; init; } = "";

    public required string SandboxID { get; init; }

    public required string SandboxKey { get; init; }

    public required IReadOnlyDictionary<string, IReadOnlyList<PortBindingBody>?> Ports { get; init; }

    public string EndpointID { get; init; } = "";

    public string Gateway { get; init; } = "";

    public string GlobalIPv6Address { get; init; } = "";

    public int GlobalIPv6PrefixLen { get; init; }

    public string IPAddress { get; init; } = "";

    public int IPPrefixLen { get; init; }

    public string IPv6Gateway { get; init; } = "";

    public string MacAddress { get; init; } = "";

    public required IReadOnlyDictionary<string, EndpointSettings?> Networks { get; init; }
}

internal sealed record EndpointSettings
{
    public EndpointIpam? IPAMConfig { get; init; }

    public IReadOnlyList<string>? Links { get; init; }

    public IReadOnlyList<string>? Aliases { get; init; }

    public string? MacAddress { get; init; }

    public IReadOnlyDictionary<string, string>? DriverOpts { get; init; }

    public string? NetworkID { get; init; }

    public string? EndpointID { get; init; }

    public string? Gateway { get; init; }

    public string? IPAddress { get; init; }

    public int IPPrefixLen { get; init; }

    public string? IPv6Gateway { get; init; }

    public string? GlobalIPv6Address { get; init; }

    public int GlobalIPv6PrefixLen { get; init; }

    public IReadOnlyList<string>? DNSNames { get; init; }
}

internal sealed record EndpointIpam(string? IPv4Address, string? IPv6Address);

internal sealed record WaitAnswer(int StatusCode);

internal sealed record TopAnswer(IReadOnlyList<string> Titles, IReadOnlyList<IReadOnlyList<string>> Processes);

internal sealed record ChangeEntry(string Path, int Kind);

internal sealed record UpdateAnswer(IReadOnlyList<string> Warnings);

internal sealed record PruneContainersAnswer(IReadOnlyList<string> ContainersDeleted, long SpaceReclaimed);

internal sealed record IdAnswer(string Id);

/// <summary>Body of <c>containers/{id}/exec</c>.</summary>
internal sealed record CreateExecBody
{
    public bool AttachStdin { get; init; }

    public bool AttachStdout { get; init; }

    public bool AttachStderr { get; init; }

    public string? DetachKeys { get; init; }

    public bool Tty { get; init; }

    public IReadOnlyList<string>? Env { get; init; }

    [JsonConverter(typeof(TextListConverter))]
    public IReadOnlyList<string>? Cmd { get; init; }

    public bool Privileged { get; init; }

    public string? User { get; init; }

    public string? WorkingDir { get; init; }

    public IReadOnlyList<int>? ConsoleSize { get; init; }
}

/// <summary>Body of <c>exec/{id}/start</c>.</summary>
internal sealed record StartExecBody
{
    public bool Detach { get; init; }

    public bool Tty { get; init; }

    public IReadOnlyList<int>? ConsoleSize { get; init; }
}

internal sealed record ExecInspection
{
    public required string ID { get; init; }

    public required bool Running { get; init; }

    public required int? ExitCode { get; init; }

    public required ExecProcess ProcessConfig { get; init; }

    public required bool OpenStdin { get; init; }

    public required bool OpenStderr { get; init; }

    public required bool OpenStdout { get; init; }

    public bool CanRemove { get; init; }

    public required string ContainerID { get; init; }

    public string DetachKeys { get; init; } = "";

    public required int Pid { get; init; }
}

internal sealed record ExecProcess(
    [property: JsonPropertyName("tty")] bool Tty,
    [property: JsonPropertyName("entrypoint")] string Entrypoint,
    [property: JsonPropertyName("arguments")] IReadOnlyList<string> Arguments,
    [property: JsonPropertyName("privileged")] bool Privileged,
    [property: JsonPropertyName("user")] string User);
