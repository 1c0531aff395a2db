using System.Text.Json.Serialization;

namespace Godwit.DockerApi.Wire;

internal sealed record NetworkBody
{
    public required string Name { get; init; }

    public required string Id { get; init; }

    public required string Created { get; init; }

    public string Scope { get; init; } = "local";

    public required string Driver { get; init; }

    public bool EnableIPv4 { get; init; } = true;

    public required bool EnableIPv6 { get; init; }

    public required IpamBody IPAM { get; init; }

    public required bool Internal { get; init; }

    public required bool Attachable { get; init; }

    public bool Ingress { get; init; }

    public ConfigReference ConfigFrom { get; init; } = new("");

    public bool ConfigOnly { get; init; }

    public required IReadOnlyDictionary<string, NetworkMemberBody> Containers { get; init; }

    public required IReadOnlyDictionary<string, string> Options { get; init; }

    public required IReadOnlyDictionary<string, string> Labels { get; init; }
}

internal sealed record ConfigReference(string Network);

internal sealed record IpamBody(string? Driver, IReadOnlyDictionary<string, string>? Options, IReadOnlyList<IpamRange>? Config);

internal sealed record IpamRange
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Subnet { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? IPRange { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Gateway { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, string>? AuxiliaryAddresses { get; init; }
}

internal sealed record NetworkMemberBody(string Name, string EndpointID, string MacAddress, string IPv4Address, string IPv6Address);

/// <summary>Body of <c>networks/create</c>.</summary>
internal sealed record CreateNetworkBody
{
    public string? Name { get; init; }

    public string? Driver { get; init; }

    public string? Scope { get; init; }

    public bool? EnableIPv6 { get; init; }

    public bool Internal { get; init; }

    public bool Attachable { get; init; }

    public bool Ingress { get; init; }

    public bool ConfigOnly { get; init; }

    public IpamBody? IPAM { get; init; }

    public IReadOnlyDictionary<string, string>? Options { get; init; }

    public IReadOnlyDictionary<string, string>? Labels { get; init; }
}

internal sealed record CreateNetworkAnswer(string Id, string Warning);

internal sealed record ConnectBody(string? Container, EndpointSettings? EndpointConfig);

internal sealed record DisconnectBody(string? Container, bool Force);

internal sealed record PruneNetworksAnswer(IReadOnlyList<string> NetworksDeleted);

internal sealed record VolumeBody
{
    public required string CreatedAt { get; init; }

    public string Driver { get; init; } = "local";

    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    public required string Mountpoint { get; init; }

    public required string Name { get; init; }

    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public string Scope { get; init; } = "local";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public VolumeUsage? UsageData { get; init; }
}

internal sealed record VolumeUsage(long Size, int RefCount);

internal sealed record VolumeListAnswer(IReadOnlyList<VolumeBody> Volumes, IReadOnlyList<string> Warnings);

/// <summary>Body of <c>volumes/create</c>.</summary>
internal sealed record CreateVolumeBody(string? Name, string? Driver, IReadOnlyDictionary<string, string>? DriverOpts, IReadOnlyDictionary<string, string>? Labels);

internal sealed record PruneVolumesAnswer(IReadOnlyList<string> VolumesDeleted, long SpaceReclaimed);
