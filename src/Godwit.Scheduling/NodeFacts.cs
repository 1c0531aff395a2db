using System.Runtime.CompilerServices;

namespace Godwit.Scheduling;

/// <summary>
/// What is known of one node. A set that its agent has not reported is null, which means "not known": the node is not
/// refused for it, because its agent checks again before it starts anything.
/// </summary>
public sealed record NodeFacts
{
    /// <summary>Objects never change, so what was read of one is true as long as there is that object; thousands of nodes are looked at for each round of the scheduler, and few have changed.</summary>
    private static readonly ConditionalWeakTable<Node, NodeFacts> Known = [];

    public required string Name { get; init; }

    public bool IsReady { get; init; }

    /// <summary>Why it is not ready, in the node's own words.</summary>
    public string NotReadyMessage { get; init; } = "";

    /// <summary>Cordoned by an operator.</summary>
    public bool IsCordoned { get; init; }

    public IReadOnlyList<Taint> Taints { get; init; } = [];

    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>What guests may use of it in all.</summary>
    public ResourceAmount Allocatable { get; init; }

    /// <summary>How many pods and guests it takes; null when it has not said.</summary>
    public long? PodsMax { get; init; }

    /// <summary>Every other resource that it has, by its name in units of it.</summary>
    public IReadOnlyDictionary<string, long> Others { get; init; } = new Dictionary<string, long>();

    /// <summary><c>kvm</c> or <c>tcg</c>.</summary>
    public string? Accelerator { get; init; }

    public Version? QemuVersion { get; init; }

    public IReadOnlySet<string>? MachineTypes { get; init; }

    public IReadOnlySet<string>? CpuFeatures { get; init; }

    public IReadOnlySet<string>? StorageIds { get; init; }

    public IReadOnlySet<string>? Images { get; init; }

    /// <summary>Where volumes are made on it; null when its agent has not said.</summary>
    public string? VolumesFolder { get; init; }

    /// <summary>True when it is a member of the guests' network.</summary>
    public bool HasNetwork { get; init; }

    public static NodeFacts Of(Node node) => Known.GetValue(node, Read);

    private static NodeFacts Read(Node node)
    {
        var ready = node.Status.Conditions.FirstOrDefault(condition => condition.Type == NodeConditionTypes.Ready);
        var annotations = node.Metadata.Annotations;
        return new NodeFacts
        {
            Name = node.Metadata.Name,
            IsReady = ready?.Status == Api.Meta.V1.ConditionStatuses.True && node.Metadata.DeletionTimestamp is null,
            NotReadyMessage = ready is null ? "its agent has not reported yet" : ready.Message ?? ready.Reason ?? "",
            IsCordoned = node.Spec.Unschedulable == true,
            Taints = node.Spec.Taints,
            Labels = node.Metadata.Labels,
            Allocatable = new ResourceAmount(
                node.Status.Allocatable.TryGetValue(Quantities.Memory, out var memory) ? memory.ToInt64() : 0,
                node.Status.Allocatable.TryGetValue(Quantities.Cpu, out var cpu) ? cpu.ToMilli() : 0),
            PodsMax = node.Status.Allocatable.TryGetValue(Quantities.Pods, out var pods) ? pods.ToInt64() : null,
            Others = node.Status.Allocatable
                .Where(pair => pair.Key is not (Quantities.Cpu or Quantities.Memory or Quantities.Pods))
                .ToDictionary(pair => pair.Key, pair => pair.Value.ToInt64(), StringComparer.Ordinal),
            Accelerator = annotations.GetValueOrDefault(AnnotationNames.Accelerator),
            QemuVersion = Version.TryParse(annotations.GetValueOrDefault(AnnotationNames.QemuVersion), out var version) ? version : null,
            MachineTypes = ReadSet(annotations, AnnotationNames.MachineTypes),
            CpuFeatures = ReadSet(annotations, AnnotationNames.CpuFeatures),
            StorageIds = ReadSet(annotations, AnnotationNames.StorageIds),
            Images = ReadSet(annotations, AnnotationNames.Images),
            VolumesFolder = annotations.GetValueOrDefault(AnnotationNames.VolumesFolder) is { Length: > 0 } folder ? folder : null,
            HasNetwork = annotations.ContainsKey(AnnotationNames.UnderlayAddress),
        };
    }

    internal static IReadOnlySet<string>? ReadSet(IReadOnlyDictionary<string, string> annotations, string name) =>
        annotations.TryGetValue(name, out var text)
            ? text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).ToHashSet(StringComparer.Ordinal)
            : null;
}
