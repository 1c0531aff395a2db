using System.Text.Json.Serialization;

namespace Godwit.Api.Coordination.V1;

/// <summary>A claim that its holder renews: a node's heartbeat, or a leader's right to act.</summary>
public sealed record Lease() : Resource(Type), IResource<Lease>
{
    public static ResourceType Type { get; } = new("coordination.k8s.io", "v1", "Lease", "leases", Namespaced: true);

    public LeaseSpec Spec { get; init => field = value ?? new(); } = new();
}

public sealed record LeaseSpec
{
    public string? HolderIdentity { get; init; }

    /// <summary>How long the claim lasts after <see cref="RenewTime"/>, as its observers measure.</summary>
    public int? LeaseDurationSeconds { get; init; }

    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? AcquireTime { get; init; }

    [JsonConverter(typeof(MicroTimeJsonConverter))]
    public DateTimeOffset? RenewTime { get; init; }

    /// <summary>How often the holder changed.</summary>
    public int? LeaseTransitions { get; init; }
}
