using System.Collections.Immutable;
using Godwit.Scheduling.Pods;

namespace Godwit.Scheduling;

/// <summary>What is on one node, or on its way there. A value: adding gives another one.</summary>
public sealed record NodeLoad
{
    /// <summary>
    /// What a pod without requests weighs when nodes are compared (and only then): without this, such pods would all lie on
    /// one node. Kubernetes' own numbers.
    /// </summary>
    public static readonly ResourceAmount WeightOfUnstated = new(200L << 20, 100);

    public static NodeLoad Empty { get; } = new();

    public ResourceAmount Reserved { get; private init; }

    /// <summary><see cref="Reserved"/>, with <see cref="WeightOfUnstated"/> for those that state nothing.</summary>
    public ResourceAmount Weight { get; private init; }

    /// <summary>Pods and guests.</summary>
    public int Count { get; private init; }

    public ImmutableDictionary<string, long> Others { get; private init; } = ImmutableDictionary<string, long>.Empty;

    public ImmutableArray<PodNeeds> Pods { get; private init; } = [];

    /// <summary>Those of them that keep other pods away.</summary>
    public ImmutableArray<PodNeeds> Repellers { get; private init; } = [];

    public ImmutableArray<HostPort> HostPorts { get; private init; } = [];

    public NodeLoad With(Reservation reservation) => With([reservation]);

    /// <summary>The same for many at once, which costs a copy of what is there already only once.</summary>
    public NodeLoad With(IReadOnlyCollection<Reservation> reservations)
    {
        var pods = reservations.Select(each => each.Occupant).OfType<PodNeeds>().ToList();
        return this with
        {
            Reserved = reservations.Aggregate(Reserved, (sum, each) => sum + each.Amount),
            Weight = reservations.Aggregate(Weight, (sum, each) => sum + WeightOf(each.Amount)),
            Count = Count + reservations.Count,
            Others = pods.SelectMany(pod => pod.Others).Aggregate(Others, (sum, other) => sum.SetItem(other.Key, sum.GetValueOrDefault(other.Key) + other.Value)),
            Pods = Pods.AddRange(pods),
            Repellers = Repellers.AddRange(pods.Where(pod => pod.RequiredAway.Count > 0)),
            HostPorts = HostPorts.AddRange(pods.SelectMany(pod => pod.HostPorts)),
        };
    }

    /// <summary>The same without some of the pods that are on it.</summary>
    public NodeLoad Without(IReadOnlyCollection<PodNeeds> pods)
    {
        var gone = pods.ToHashSet<PodNeeds>(ReferenceEqualityComparer.Instance);
        var ports = HostPorts.ToBuilder();
        foreach (var port in pods.SelectMany(pod => pod.HostPorts))
        {
            ports.Remove(port);
        }

        return this with
        {
            Reserved = pods.Aggregate(Reserved, (sum, pod) => sum - pod.Amount),
            Weight = pods.Aggregate(Weight, (sum, pod) => sum - WeightOf(pod.Amount)),
            Count = Count - pods.Count,
            Others = pods.SelectMany(pod => pod.Others).Aggregate(Others, (sum, other) => sum.SetItem(other.Key, sum.GetValueOrDefault(other.Key) - other.Value)),
            Pods = Pods.RemoveAll(gone.Contains),
            Repellers = Repellers.RemoveAll(gone.Contains),
            HostPorts = ports.ToImmutable(),
        };
    }

    internal static ResourceAmount WeightOf(ResourceAmount amount) => new(
        amount.MemoryBytes == 0 ? WeightOfUnstated.MemoryBytes : amount.MemoryBytes,
        amount.Millicores == 0 ? WeightOfUnstated.Millicores : amount.Millicores);
}
