namespace Godwit.Api.Core.V1;

/// <summary>Containers that run together on one node, with one address.</summary>
public sealed record Pod() : Resource(Type), IResource<Pod>
{
    public static ResourceType Type { get; } = new("", "v1", "Pod", "pods", Namespaced: true);

    public PodSpec Spec { get; init => field = value ?? new(); } = new();

    public PodStatus Status { get; init => field = value ?? new(); } = new();
}
