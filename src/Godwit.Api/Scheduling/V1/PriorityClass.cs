namespace Godwit.Api.Scheduling.V1;

/// <summary>A name for how important pods are: <c>priorityClassName</c> of a pod's spec.</summary>
public sealed record PriorityClass() : Resource(Type), IResource<PriorityClass>
{
    public static ResourceType Type { get; } = new("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", Namespaced: false);

    /// <summary>Higher goes first.</summary>
    public int Value { get; init; }

    /// <summary>True for the class of pods that name none.</summary>
    public bool? GlobalDefault { get; init; }

    public string? Description { get; init; }

    /// <summary>One of <see cref="PreemptionPolicies"/>.</summary>
    public string? PreemptionPolicy { get; init; }
}

/// <summary>Whether others may be taken down to make room for a pod.</summary>
public static class PreemptionPolicies
{
    public const string LowerPriority = "PreemptLowerPriority";
    public const string Never = "Never";
}

/// <summary>The classes that every cluster has. Kubernetes' names and numbers.</summary>
public static class SystemPriorities
{
    public const string Prefix = "system-";
    public const int UserMax = 1_000_000_000;

    public static IReadOnlyList<PriorityClass> Classes { get; } =
    [
        Of("system-cluster-critical", 2_000_000_000, "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."),
        Of("system-node-critical", 2_000_001_000, "Used for system critical pods that must not be moved from their current node."),
    ];

    private static PriorityClass Of(string name, int value, string description) =>
        new() { Metadata = new Meta.V1.ObjectMeta { Name = name }, Value = value, Description = description, PreemptionPolicy = PreemptionPolicies.LowerPriority };
}
