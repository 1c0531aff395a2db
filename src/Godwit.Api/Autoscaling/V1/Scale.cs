namespace Godwit.Api.Autoscaling.V1;

/// <summary>The scale subresource of a kind that has one.</summary>
public sealed record Scale() : Resource(Type), IResource<Scale>
{
    public static ResourceType Type { get; } = new("autoscaling", "v1", "Scale", "scales", Namespaced: true);

    public ScaleSpec Spec { get; init => field = value ?? new(); } = new();

    public ScaleStatus Status { get; init => field = value ?? new(); } = new();
}

public sealed record ScaleSpec
{
    /// <summary>How many are wanted.</summary>
    public int Replicas { get; init; }
}

public sealed record ScaleStatus
{
    /// <summary>How many there are.</summary>
    public int Replicas { get; init; }

    /// <summary>A label selector that finds them.</summary>
    public string? Selector { get; init; }
}
