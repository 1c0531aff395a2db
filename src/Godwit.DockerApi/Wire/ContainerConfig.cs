using System.Text.Json.Serialization;
using Godwit.Oci;

namespace Godwit.DockerApi.Wire;

/// <summary>A container's configuration that does not depend on its host. Names and forms here and in this folder are the Docker Engine API's.</summary>
internal record ContainerConfig
{
    public string? Hostname { get; init; }

    public string? Domainname { get; init; }

    public string? User { get; init; }

    public bool AttachStdin { get; init; }

    public bool AttachStdout { get; init; }

    public bool AttachStderr { get; init; }

    public IReadOnlyDictionary<string, EmptyObject>? ExposedPorts { get; init; }

    public bool Tty { get; init; }

    public bool OpenStdin { get; init; }

    public bool StdinOnce { get; init; }

    public IReadOnlyList<string>? Env { get; init; }

    [JsonConverter(typeof(TextListConverter))]
    public IReadOnlyList<string>? Cmd { get; init; }

    public HealthCheck? Healthcheck { get; init; }

    public string? Image { get; init; }

    public IReadOnlyDictionary<string, EmptyObject>? Volumes { get; init; }

    public string? WorkingDir { get; init; }

    [JsonConverter(typeof(TextListConverter))]
    public IReadOnlyList<string>? Entrypoint { get; init; }

    public bool? NetworkDisabled { get; init; }

    public string? MacAddress { get; init; }

    public IReadOnlyList<string>? OnBuild { get; init; }

    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    public string? StopSignal { get; init; }

    public int? StopTimeout { get; init; }

    public IReadOnlyList<string>? Shell { get; init; }
}

/// <summary>Body of <c>containers/create</c>.</summary>
internal sealed record CreateContainerBody : ContainerConfig
{
    public HostConfig? HostConfig { get; init; }

    public NetworkingConfig? NetworkingConfig { get; init; }
}

internal sealed record NetworkingConfig(IReadOnlyDictionary<string, EndpointSettings?>? EndpointsConfig);

internal sealed record IdAndWarnings(string Id, IReadOnlyList<string> Warnings);
