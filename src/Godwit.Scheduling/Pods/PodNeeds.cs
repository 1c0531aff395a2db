using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Godwit.Api.Scheduling.V1;
using Godwit.Base;
using Godwit.Scheduling.Volumes;

namespace Godwit.Scheduling.Pods;

/// <summary>A port of the host that a pod takes for itself.</summary>
/// <param name="Protocol">TCP, UDP or SCTP.</param>
/// <param name="Address">The host's address; 0.0.0.0 takes the port of all of them.</param>
/// <param name="Port">The port.</param>
public readonly record struct HostPort(string Protocol, string Address, int Port)
{
    private const string Any = "0.0.0.0";

    public bool Clashes(HostPort other) =>
        Port == other.Port && Protocol == other.Protocol && (Address == other.Address || Address == Any || other.Address == Any);

    internal static HostPort Of(ContainerPort port) =>
        new(port.Protocol ?? "TCP", string.IsNullOrEmpty(port.HostIP) || port.HostIP == "::" ? Any : port.HostIP, port.HostPort!.Value);
}

/// <summary>
/// What one pod asks of its node, and what it is to other pods. Taken from its object once: selectors are compiled here, so
/// that a node is checked without looking at the object again.
/// </summary>
public sealed record PodNeeds
{
    /// <summary>As in Kubernetes, a pod that says what it needs may come to a node that is short of memory: those that say nothing are evicted first there.</summary>
    private static readonly Toleration ToleratesMemoryPressure = new() { Key = TaintKeys.MemoryPressure, Operator = "Exists", Effect = TaintEffects.NoSchedule };

    // Numbers come from users: sums of these cannot overflow, and no node has as much.
    private const long AmountMax = 1L << 50;

    /// <summary>Objects never change: what was read of one is true as long as there is that object.</summary>
    private static readonly ConditionalWeakTable<Pod, PodNeeds> Known = [];

    /// <summary>namespace/name, for people.</summary>
    public required string Name { get; init; }

    public string Namespace { get; init; } = "";

    /// <summary>Tells it from another of the same name.</summary>
    public string Uid { get; init; } = "";

    public IReadOnlyDictionary<string, string> Labels { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>The uid of the controller that made it, or null.</summary>
    public string? OwnerUid { get; init; }

    /// <summary>True once it is being deleted: it holds its room, and counts in no spread.</summary>
    public bool IsEnding { get; init; }

    /// <summary>Higher goes first, and may have pods of lower priority taken down. A guest's is above all: nothing takes it down.</summary>
    public int Priority { get; init; }

    /// <summary>False for a pod that waits for room rather than have others taken down.</summary>
    public bool MayPreempt { get; init; } = true;

    /// <summary>When it began, for choosing among equals: the younger has less to lose.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Requested memory and CPU.</summary>
    public ResourceAmount Amount { get; init; }

    /// <summary>Every other requested resource, by its name in units of it; <c>pods</c> is not among them.</summary>
    public IReadOnlyDictionary<string, long> Others { get; init; } = ImmutableDictionary<string, long>.Empty;

    public IReadOnlyList<Toleration> Tolerations { get; init; } = [];

    /// <summary>Labels that the node must have.</summary>
    public IReadOnlyDictionary<string, string> NodeSelector { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Terms of which the node must meet one; null when there is no such wish.</summary>
    public IReadOnlyList<NodeTerm>? RequiredNodeTerms { get; init; }

    public IReadOnlyList<Weighted<NodeTerm>> PreferredNodeTerms { get; init; } = [];

    public IReadOnlyList<PodTerm> RequiredNear { get; init; } = [];

    public IReadOnlyList<PodTerm> RequiredAway { get; init; } = [];

    public IReadOnlyList<Weighted<PodTerm>> PreferredNear { get; init; } = [];

    public IReadOnlyList<Weighted<PodTerm>> PreferredAway { get; init; } = [];

    public IReadOnlyList<SpreadTerm> Spread { get; init; } = [];

    public IReadOnlyList<HostPort> HostPorts { get; init; } = [];

    /// <summary>True when it is plugged into the cluster's network rather than the host's.</summary>
    public bool IsNetworked { get; init; }

    /// <summary>Names of the claims that it uses.</summary>
    public IReadOnlyList<string> Claims { get; init; } = [];

    /// <summary>What its claims mean for where it can run; null when it has none, and for one that has its place.</summary>
    public VolumeNeeds? Volumes { get; init; }

    /// <summary>Of a pod that has its place.</summary>
    public static PodNeeds Of(Pod pod) => Known.GetValue(pod, placed => Of(placed, storage: null));

    /// <param name="pod">The pod.</param>
    /// <param name="storage">For a pod that is to be placed: what its claims mean.</param>
    public static PodNeeds Of(Pod pod, StorageView? storage)
    {
        var (spec, metadata) = (pod.Spec, pod.Metadata);
        var (near, away) = (spec.Affinity?.PodAffinity, spec.Affinity?.PodAntiAffinity);
        var node = spec.Affinity?.NodeAffinity;
        var amount = new ResourceAmount(Requested(spec, Quantities.Memory), Requested(spec, Quantities.Cpu));
        return new PodNeeds
        {
            Name = $"{metadata.Namespace}/{metadata.Name}",
            Namespace = metadata.Namespace,
            Uid = metadata.Uid,
            Labels = metadata.Labels,
            OwnerUid = metadata.OwnerReferences.FirstOrDefault(owner => owner.Controller == true)?.Uid,
            IsEnding = metadata.DeletionTimestamp is not null,
            Priority = spec.Priority ?? 0,
            MayPreempt = spec.PreemptionPolicy != PreemptionPolicies.Never,
            Since = pod.Status.StartTime ?? metadata.CreationTimestamp,
            Amount = amount,
            Others = OthersOf(spec),
            Tolerations = amount == default ? spec.Tolerations : [.. spec.Tolerations, ToleratesMemoryPressure],
            NodeSelector = spec.NodeSelector,
            RequiredNodeTerms = node?.RequiredDuringSchedulingIgnoredDuringExecution is { } required ? [.. required.NodeSelectorTerms.Select(NodeTerm.Of)] : null,
            PreferredNodeTerms =
                [.. node?.PreferredDuringSchedulingIgnoredDuringExecution.Select(term => new Weighted<NodeTerm>(term.Weight, NodeTerm.Of(term.Preference))) ?? []],
            RequiredNear = [.. near?.RequiredDuringSchedulingIgnoredDuringExecution.Select(term => PodTerm.Of(term, metadata.Namespace)) ?? []],
            RequiredAway = [.. away?.RequiredDuringSchedulingIgnoredDuringExecution.Select(term => PodTerm.Of(term, metadata.Namespace)) ?? []],
            PreferredNear = [.. near?.PreferredDuringSchedulingIgnoredDuringExecution.Select(term => PodTerm.Of(term, metadata.Namespace)) ?? []],
            PreferredAway = [.. away?.PreferredDuringSchedulingIgnoredDuringExecution.Select(term => PodTerm.Of(term, metadata.Namespace)) ?? []],
            Spread = [.. spec.TopologySpreadConstraints.Select(constraint => SpreadTerm.Of(constraint, metadata.Labels))],
            HostPorts = [.. PortsOf(spec).Distinct()],
            IsNetworked = spec.HostNetwork != true,
            Claims = StorageView.NamesOf(pod),
            Volumes = storage?.NeedsOf(pod),
        };
    }

    /// <summary>A guest as its neighbours see it: pods may want to be near it or away from it.</summary>
    public static PodNeeds Of(VirtualMachineInstance vmi, ResourceAmount amount) => new()
    {
        Name = $"{vmi.Metadata.Namespace}/{vmi.Metadata.Name}",
        Namespace = vmi.Metadata.Namespace,
        Labels = vmi.Metadata.Labels,
        IsEnding = vmi.Metadata.DeletionTimestamp is not null,
        Priority = int.MaxValue,
        Amount = amount,
    };

    /// <summary>
    /// What is needed at the pod's worst moment: all containers with the sidecars, or one init container with the sidecars
    /// started before it. Bytes of memory, thousandths of a core, units of all else. Source: Kubernetes documentation, "Init Containers".
    /// </summary>
    private static long Requested(PodSpec spec, string resource)
    {
        var (sidecars, peak) = (0L, 0L);
        foreach (var container in spec.InitContainers)
        {
            var request = RequestOf(container, resource);
            if (container.RestartPolicy == "Always")
            {
                sidecars = Math.Min(sidecars + request, AmountMax);
                peak = Math.Max(peak, sidecars);
            }
            else
            {
                peak = Math.Max(peak, sidecars + request);
            }
        }

        var running = spec.Containers.Aggregate(sidecars, (sum, container) => Math.Min(sum + RequestOf(container, resource), AmountMax));
        return Math.Max(peak, running);
    }

    private static long RequestOf(Container container, string resource)
    {
        if (container.Resources is not { } resources
            || (!resources.Requests.TryGetValue(resource, out var quantity) && !resources.Limits.TryGetValue(resource, out quantity)))
        {
            return 0;
        }

        return Math.Clamp(resource == Quantities.Cpu ? quantity.ToMilli() : quantity.ToInt64(), 0, AmountMax);
    }

    private static ImmutableDictionary<string, long> OthersOf(PodSpec spec) => spec.InitContainers.Concat(spec.Containers)
        .SelectMany(container => container.Resources is { } resources ? resources.Requests.Keys.Concat(resources.Limits.Keys) : [])
        .Distinct(StringComparer.Ordinal)
        .Where(name => name is not (Quantities.Cpu or Quantities.Memory or Quantities.Pods))
        .ToImmutableDictionary(name => name, name => Requested(spec, name), StringComparer.Ordinal);

    private static IEnumerable<HostPort> PortsOf(PodSpec spec) => spec.InitContainers.Where(container => container.RestartPolicy == "Always")
        .Concat(spec.Containers)
        .SelectMany(container => container.Ports)
        .Where(port => port.HostPort is > 0)
        .Select(HostPort.Of);
}
